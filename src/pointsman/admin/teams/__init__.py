"""``/team/…``: users and keys together under one budget, in LiteLLM's words."""
