"""Fields of ``litellm_params`` that say how IBM watsonx.ai is reached.

They are no keys of LiteLLM's own: for every other provider each is a field of the body like any that is not known.
"""

from __future__ import annotations

from typing import Final

__all__ = ["WATSONX_FIELDS", "WATSONX_PREFIXES"]

WATSONX_FIELDS: Final = frozenset({"project_id", "space_id", "token", "watsonx_project", "zen_api_key"})
WATSONX_PREFIXES: Final = ("watsonx/", "watsonx_text/")
"""What the names of models begin with for which they are meant."""
