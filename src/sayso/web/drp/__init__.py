"""The Data Rights Protocol 0.9.4, for the one right that is met here: to object to AI training.

https://github.com/consumer-reports-innovation-lab/data-rights-protocol, data-rights-protocol.md
"""
