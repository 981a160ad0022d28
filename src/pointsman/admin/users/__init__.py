"""``/user/…``: people, and accounts that act like people, in LiteLLM's words."""
