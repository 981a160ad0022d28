"""A string that does not print: keys and passwords travel in it so that no log can leak them."""

from __future__ import annotations

import hmac
from typing import NoReturn

__all__ = ["Secret"]


class Secret:
    """Holds a credential; only :meth:`reveal` gives it back.

    Printing, formatting, logging, comparing with ``==`` and pickling never show the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself; call it only where the credential is sent."""
        return self._value

    def matches(self, other: str) -> bool:
        """Whether ``other`` is the same credential, in constant time."""
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape")
        )

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        message = "a Secret cannot be pickled"
        raise TypeError(message)
