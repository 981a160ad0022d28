"""Pointsman, a gateway that puts local models and cloud providers behind one OpenAI-compatible API.

Reading order: ``core`` (the vocabulary), ``lifecycle/serve.py`` (the story of one request),
``assembly.py`` (how the parts are put together); then whichever room the question leads to.
Importing any module has no side effects.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
