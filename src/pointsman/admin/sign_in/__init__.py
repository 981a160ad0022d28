"""Signing in: with a password or an identity provider, the sessions that follow, invitations; and signing out."""

from __future__ import annotations
