"""Google's Gemini API: https://ai.google.dev/api/generate-content, .../api/embeddings, .../api/tokens.

Towards Gemini in the modules named as in every dialect; towards clients that speak it in those whose names begin with
``client_``, and in :mod:`.dialect`.
"""
