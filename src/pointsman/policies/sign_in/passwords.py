"""Digests of passwords: Argon2id, as text that says how it was made (RFC 9106, and the PHC string format).

Making one takes 19 MiB of memory and some 30 ms of a core, on purpose; so it is done in a thread, for two at once, and
whoever would have to wait behind too many is sent away.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from pointsman.core.errors import LimitReached, Malformed
from pointsman.core.secret import Secret

__all__ = ["PASSWORD_CHARACTERS_MAX", "PasswordRules", "Passwords"]

T = TypeVar("T")

# OWASP's Password Storage Cheat Sheet: m=19 MiB, t=2, p=1.
_MEMORY_KIB: Final = 19 * 1024
_ITERATIONS: Final = 2
_LANES: Final = 1
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32

PASSWORD_CHARACTERS_MAX: Final = 1024
_AT_ONCE: Final = 2
_WAITING_MAX: Final = 64


class PasswordRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a new password must have; ``password_policy_…`` of LiteLLM."""

    length_min: int = 12
    uppercase: bool = False
    lowercase: bool = False
    numbers: bool = False
    special_characters: bool = False

    def demand(self, password: str) -> None:
        """Raise unless the password keeps the rules.

        Raises:
            Malformed: it does not; the message says which, and not the password.
        """
        wants = [
            (len(password) >= self.length_min, f"at least {self.length_min} characters"),
            (len(password) <= PASSWORD_CHARACTERS_MAX, f"at most {PASSWORD_CHARACTERS_MAX} characters"),
            (not self.uppercase or any(map(str.isupper, password)), "an upper-case letter"),
            (not self.lowercase or any(map(str.islower, password)), "a lower-case letter"),
            (not self.numbers or any(map(str.isdecimal, password)), "a number"),
            (not self.special_characters or not password.isalnum(), "a special character"),
        ]
        missing = [wanted for kept, wanted in wants if not kept]
        if missing:
            raise Malformed(
                f"The password must have {', '.join(missing)}.",
                hint="Choose another one.",
                code="weak_password",
                param="password",
            )


class Passwords:
    """Makes digests and compares with them, off the event loop."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._nobodys: str | None = None

    async def digest(self, password: Secret) -> str:
        """A digest to keep.

        Raises:
            LimitReached: too many wait for theirs.
        """
        return await self._in_turn(_make, password)

    async def matches(self, password: Secret, digest: str | None) -> bool:
        """Whether the password is the one that the digest is of.

        None as a digest is for users whom nobody knows. It takes as long, so that nobody finds out who is known.

        Raises:
            LimitReached: too many wait for theirs.
        """
        if len(password.reveal()) > PASSWORD_CHARACTERS_MAX:
            return False
        if self._nobodys is None:
            self._nobodys = await self._in_turn(_make, Secret(secrets.token_urlsafe(16)))
        against = self._nobodys if digest is None else digest
        same = await self._in_turn(lambda secret: _is_of(secret, against), password)
        return same and digest is not None

    async def _in_turn(self, work: Callable[[bytes], T], password: Secret) -> T:
        if self._waiting >= _WAITING_MAX:
            raise LimitReached("Too many people sign in at once.", hint="Try again in a moment.", retry_after=2.0)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, password.reveal().encode("utf-8", "surrogatepass"))
        finally:
            self._waiting -= 1


def _make(password: bytes) -> str:
    # Imported when the first password is, since it takes a tenth of a second that the start would have to wait for.
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415

    made = Argon2id(
        salt=secrets.token_bytes(_SALT_BYTES),
        length=_DIGEST_BYTES,
        iterations=_ITERATIONS,
        lanes=_LANES,
        memory_cost=_MEMORY_KIB,
    )
    return made.derive_phc_encoded(password)


def _is_of(password: bytes, digest: str) -> bool:
    from cryptography.exceptions import InvalidKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id  # noqa: PLC0415

    try:
        Argon2id.verify_phc_encoded(password, digest)
    except (InvalidKey, ValueError):
        return False
    return True
