"""Cohere's chat, second version, as an upstream: https://docs.cohere.com/v2/reference/chat."""
