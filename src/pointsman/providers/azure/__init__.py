"""Azure OpenAI and Azure AI Foundry: OpenAI's dialect under paths, versions and credentials of their own."""

from __future__ import annotations

from pointsman.providers.azure.access import azure_credential
from pointsman.providers.azure.lanes import azure_count, azure_lane, azure_responses_relay, azure_signer
from pointsman.providers.azure.places import azure_key_header
from pointsman.providers.azure.realtime import azure_realtime

__all__ = [
    "azure_count",
    "azure_credential",
    "azure_key_header",
    "azure_lane",
    "azure_realtime",
    "azure_responses_relay",
    "azure_signer",
]
