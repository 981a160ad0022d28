"""Virtual keys over HTTP: making, changing and showing them, in LiteLLM's words."""
