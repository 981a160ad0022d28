"""Opens what NaCl's ``secretbox`` sealed: XSalsa20 with Poly1305. Only for values that are taken over from elsewhere.

Salsa20 and HSalsa20 are written out here, in Python, as ``cryptography`` has them not; they are slow (some microseconds
a byte) and nothing of ours is sealed with them. Sources: https://cr.yp.to/snuffle/spec.pdf (Salsa20),
https://cr.yp.to/snuffle/xsalsa-20110204.pdf (XSalsa20), https://nacl.cr.yp.to/secretbox.html.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["TAG_BYTES", "open_secretbox"]

NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16
_BLOCK_BYTES: Final = 64
_TEXT_BYTES_MAX: Final = 1024 * 1024
_SIGMA: Final = struct.unpack("<4I", b"expand 32-byte k")
_QUARTERS: Final = (
    (0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
    (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14),
)  # fmt: skip
"""A column round and a row round."""


def open_secretbox(key: bytes, box: bytes) -> bytes | None:
    """The text of nonce (24 bytes), tag (16) and ciphertext under a key of 32 bytes; None: it is none of this key's."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only where something is taken over
    from cryptography.hazmat.primitives.poly1305 import Poly1305  # noqa: PLC0415

    if not NONCE_BYTES + TAG_BYTES <= len(box) <= _TEXT_BYTES_MAX:
        return None
    nonce, tag, sealed = box[:NONCE_BYTES], box[NONCE_BYTES : NONCE_BYTES + TAG_BYTES], box[NONCE_BYTES + TAG_BYTES :]
    stream = _stream(_hsalsa20(key, nonce[:16]), nonce[16:], 32 + len(sealed))
    try:
        Poly1305.verify_tag(stream[:32], sealed, tag)
    except InvalidSignature:
        return None
    return bytes(one ^ other for one, other in zip(sealed, stream[32:], strict=True))


def _stream(key: bytes, nonce: bytes, length: int) -> bytes:
    blocks = range(-(-length // _BLOCK_BYTES))
    return b"".join(_salsa20_block(key, nonce, number) for number in blocks)[:length]


def _salsa20_block(key: bytes, nonce: bytes, number: int) -> bytes:
    state = _state(key, nonce + number.to_bytes(8, "little"))
    mixed = _mixed(state)
    return struct.pack("<16I", *((one + other) & 0xFFFFFFFF for one, other in zip(state, mixed, strict=True)))


def _hsalsa20(key: bytes, nonce: bytes) -> bytes:
    mixed = _mixed(_state(key, nonce))
    return struct.pack("<8I", *(mixed[index] for index in (0, 5, 10, 15, 6, 7, 8, 9)))


def _state(key: bytes, middle: bytes) -> list[int]:
    words, inner = struct.unpack("<8I", key), struct.unpack("<4I", middle)
    return [_SIGMA[0], *words[:4], _SIGMA[1], *inner, _SIGMA[2], *words[4:], _SIGMA[3]]


def _mixed(state: list[int]) -> list[int]:
    """After twenty rounds."""
    words = list(state)
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            words[b] ^= _rotated(words[a] + words[d], 7)
            words[c] ^= _rotated(words[b] + words[a], 9)
            words[d] ^= _rotated(words[c] + words[b], 13)
            words[a] ^= _rotated(words[d] + words[c], 18)
    return words


def _rotated(number: int, bits: int) -> int:
    number &= 0xFFFFFFFF
    return (number << bits | number >> (32 - bits)) & 0xFFFFFFFF
