"""The assistant inside messengers: the doors that messages come in by, and the desk that answers.

Chats are private messages: nothing here writes to a store, a table or a log what somebody said, nor
who they are.
"""
