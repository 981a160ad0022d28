"""Tells Fireworks AI whose call it is: LiteLLM's ``fireworks_forward_user_id``.

The user of the caller's key stands in the field ``user``, in place of whatever the request said there. A key that is
nobody's leaves the request as it is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.upstream import Answer, Ask, Lane, Outbound

__all__ = ["UserForwardingLane"]

_USER: Final = "user"
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class UserForwardingLane:
    """See :class:`pointsman.core.upstream.Lane`; the lane inside does the work. Its requests are not signed."""

    prepares = True  # who asks is only known then

    def __init__(self, inner: Lane) -> None:
        self._inner = inner

    async def prepare(self, ask: Ask) -> None:
        """See the protocol."""
        if self._inner.prepares:
            await self._inner.prepare(ask)

    def write(self, ask: Ask) -> Outbound:
        """See the protocol."""
        outbound = self._inner.write(ask)
        user_id = None if ask.owner is None else ask.owner.user_id
        if user_id is None or outbound.is_unusual:
            return outbound
        fields = _decode_fields(outbound.body)
        fields[_USER] = msgspec.Raw(_encode(user_id))
        return msgspec.structs.replace(outbound, body=_encode(fields))

    def answer(self, ask: Ask) -> Answer:
        """See the protocol."""
        return self._inner.answer(ask)
