"""Raw sound as a WAV file.

Source: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html (canonical header, format 1: PCM).
"""

from __future__ import annotations

import binascii
import struct
from typing import Final

__all__ = ["wave_file"]

_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FORMAT_BYTES: Final = 16
_PCM: Final = 1
_CHANNELS: Final = 1
_SAMPLE_BYTES: Final = 2
_BEFORE_DATA: Final = _HEADER.size - 8


def wave_file(samples: str, rate: int) -> str:
    """Samples of 16 bits, little-endian and in one channel, as a file; both in base64.

    Args:
        samples: The samples.
        rate: How many of them a second takes.

    Raises:
        ValueError: they are not base64.
    """
    data = binascii.a2b_base64(samples)
    frame = _CHANNELS * _SAMPLE_BYTES
    header = _HEADER.pack(
        b"RIFF", _BEFORE_DATA + len(data), b"WAVE", b"fmt ", _FORMAT_BYTES, _PCM, _CHANNELS, rate, rate * frame, frame,
        8 * _SAMPLE_BYTES, b"data", len(data),
    )  # fmt: skip
    return binascii.b2a_base64(header + data, newline=False).decode()
