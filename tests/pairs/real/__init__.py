"""The real LiteLLM Proxy with a real database, for recording."""
