"""What generates: llama.cpp, transformers, or a server that speaks OpenAI's API."""
