"""Ollama's native API: https://github.com/ollama/ollama/blob/main/docs/api.md. Upstream side only.

Native, since Ollama's own ``/v1`` drops ``num_ctx``, ``keep_alive``, ``think`` and ``tool_choice`` without a word.
"""
