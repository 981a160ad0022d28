"""Ollama's native API: https://github.com/ollama/ollama/blob/main/docs/api.md.

Towards Ollama, since its own ``/v1`` drops ``num_ctx``, ``keep_alive``, ``think`` and ``tool_choice`` without a word.
Towards clients that speak nothing else, in the modules whose names begin with ``client_`` and in :mod:`.dialect`.
"""
