"""The web: chat, objections, transparency, and an OpenAI-compatible API. It never trains."""
