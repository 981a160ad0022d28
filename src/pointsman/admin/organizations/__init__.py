"""``/organization/…``: several teams under one budget, in LiteLLM's words."""
