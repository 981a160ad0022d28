"""Moves everything that is kept from one database to another, of the same kind or not, all of it or nothing.

Reading order: ``ends`` (what is asked of both), ``copying`` (the way from one to the other), ``call_columns`` (calls
lie differently), ``sqlite_end``, ``postgres_end`` (which needs the extra ``postgres``).
"""

from __future__ import annotations

from pointsman.stores.transfer.copying import copy_everything
from pointsman.stores.transfer.ends import DERIVED, Progress, Source, Target

__all__ = ["DERIVED", "Progress", "Source", "Target", "copy_everything"]
