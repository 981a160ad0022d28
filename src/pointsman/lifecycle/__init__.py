"""The story of one request: start with ``serve.py``."""
