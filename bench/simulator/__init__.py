"""Replays synthetic days of traffic over simulated hosts and compares strategies of routing; see ``bench/routing``.

Everything that decides is the product's own: :class:`pointsman.routing.router.Router` and its strategies. Only hosts,
clients and the clock are played. ``traffic`` who asks what and when · ``machines`` hosts with memory, slots and loads ·
``world`` the clock that joins them · ``scale`` how long a decision over ten thousand hosts takes · ``picture`` the
chart.
"""

from __future__ import annotations

__all__: list[str] = []
