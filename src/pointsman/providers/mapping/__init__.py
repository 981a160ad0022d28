"""What becomes of each parameter and each kind of content on its way from a client's dialect to a provider's.

Found out by running the translation over a catalogue of probes and looking at what the upstream would be sent, so that
it cannot be out of date.
"""

from __future__ import annotations

from pointsman.providers.mapping.examine import Outcome, Row, examine
from pointsman.providers.mapping.parties import CLIENT_PARTIES, FAR_PARTIES, FarParty, far_party_of
from pointsman.providers.mapping.supported import supported_by_kind, supported_openai_params
from pointsman.providers.mapping.tables import markdown, text_table

__all__ = [
    "CLIENT_PARTIES",
    "FAR_PARTIES",
    "FarParty",
    "Outcome",
    "Row",
    "examine",
    "far_party_of",
    "markdown",
    "supported_by_kind",
    "supported_openai_params",
    "text_table",
]
