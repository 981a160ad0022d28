"""LiteLLM's ``mock_response``: deployments that answer with what the operator wrote, and ask no upstream.

They take part in everything else (limits, fallbacks, resting, the ledger) as others do. So what is made up is what an
upstream would have sent, in OpenAI's words, and is read as that. Reading order: ``answers`` (what is said), ``sender``
(in place of sending), ``lane`` (from any dialect).
"""

from __future__ import annotations

from pointsman.providers.mocked.answers import mock_problem
from pointsman.providers.mocked.lane import mocked_lane
from pointsman.providers.mocked.sender import MockSender

__all__ = ["MockSender", "mock_problem", "mocked_lane"]
