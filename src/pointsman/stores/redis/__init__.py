"""What processes on many machines share, in Redis or Valkey; nothing is kept there that is not kept elsewhere.

The library is the extra ``pointsman[redis]``, and is imported when a link is made.
"""

from __future__ import annotations

from pointsman.stores.redis.boards import BoardAnswer, RedisBoards
from pointsman.stores.redis.bulletin import RedisBulletin
from pointsman.stores.redis.link import RedisLink
from pointsman.stores.redis.settings import RedisSettings
from pointsman.stores.redis.shared_limits import RedisSharedLimits

__all__ = ["BoardAnswer", "RedisBoards", "RedisBulletin", "RedisLink", "RedisSettings", "RedisSharedLimits"]
