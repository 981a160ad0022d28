"""Starts the real gateway for journeys, and the clients to drive it."""

from __future__ import annotations
