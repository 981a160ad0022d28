"""Google's models: Gemini under its own API and on Vertex AI, and what else Vertex AI serves."""

from __future__ import annotations

from pointsman.providers.google.access import google_credential
from pointsman.providers.google.counting import gemini_count, vertex_count
from pointsman.providers.google.lanes import GoogleServices, gemini_lane, vertex_lane
from pointsman.providers.google.passage import vertex_signer
from pointsman.providers.google.places import demand_location, gemini_root, vertex_base

__all__ = [
    "GoogleServices",
    "demand_location",
    "gemini_count",
    "gemini_lane",
    "gemini_root",
    "google_credential",
    "vertex_base",
    "vertex_count",
    "vertex_lane",
    "vertex_signer",
]
