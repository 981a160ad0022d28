"""What lets requests into Vertex AI: credentials from a file, from the configuration, or from the machine itself."""

from __future__ import annotations

from pointsman.core.access import GoogleAccess
from pointsman.providers.tokens import Credential, TokenBook, TokenCredential
from pointsman.providers.tokens.google import GoogleIdentity

__all__ = ["google_credential"]


def google_credential(access: GoogleAccess, book: TokenBook) -> Credential:
    """The credential of a deployment; found where Google's own tools find it, when nothing was configured."""
    return TokenCredential(book, GoogleIdentity(access.credentials, access.usual_file, access.metadata_host))
