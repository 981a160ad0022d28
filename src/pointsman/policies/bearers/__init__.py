"""Signed tokens as credentials: whom an issuer vouches for, and what that lets them do here."""

from __future__ import annotations
