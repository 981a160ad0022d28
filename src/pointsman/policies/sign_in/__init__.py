"""How people sign in: passwords, the throttle before them, sessions, and what a browser must show to act in one."""

from __future__ import annotations
