"""Goes on with a stream that was cut off, at another upstream, so that the client sees one answer.

LiteLLM's ``enable_mid_stream_fallback_continuation``: https://docs.litellm.ai/docs/proxy/reliability. A lane that may
be cut off keeps what it has told the client (:mod:`.answers`), the next one asks for the rest (:mod:`.request`) and
tells it with the very writer that told the beginning (:mod:`.splice`). Text completions (:mod:`.completions`) and
responses that are relayed (:mod:`.responses`) have a way of their own.
"""

from __future__ import annotations

from pointsman.providers.continuing.completions import CompletionContinuingLane
from pointsman.providers.continuing.lane import CONTINUED, ContinuingLane
from pointsman.providers.continuing.responses import RelayedResponsesLane

__all__ = ["CONTINUED", "CompletionContinuingLane", "ContinuingLane", "RelayedResponsesLane"]
