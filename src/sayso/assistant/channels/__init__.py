"""The assistant inside messengers: one module a platform, which only reads and writes its protocol.

Each has `read(headers, body, account)`, which raises on a signature that does not fit, and a class
whose `send` takes an `Outbound`.
"""
