"""The models that are served: OpenAI's list, and LiteLLM's descriptions."""
