"""Files that are no documents: films and sounds, where only documents have a place."""

from __future__ import annotations

from pointsman.core.errors import Unsupported

__all__ = ["demand_document"]


def demand_document(media_type: str | None, path: str, api: str) -> None:
    """Refuse a film or a sound.

    Args:
        media_type: The file's, as far as it is known.
        path: Its place in the request.
        api: Who takes no such thing, for people.

    Raises:
        Unsupported: it is one.
    """
    if media_type is not None and media_type.startswith(("video/", "audio/")):
        raise Unsupported(f"{path}: {api} takes no files of type '{media_type[:80]}'.", param=path)
