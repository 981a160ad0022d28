"""The same requests, sent to LiteLLM 1.109.1 (recorded) and to us: what a client sees must be alike."""
