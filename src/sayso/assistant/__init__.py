"""The assistant: answers from the release and the community's posts."""
