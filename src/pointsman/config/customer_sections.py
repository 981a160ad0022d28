"""How requests name the end user, and what else they must say: parts of ``general_settings``, in LiteLLM's names."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pointsman.config.value_types import HeaderName, Name

__all__ = ["ServiceAccountSettings", "UserHeaderMapping"]


class UserHeaderMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A header, and whether it names a customer or one of the gateway's own users: ``user_header_mappings[]``."""

    header_name: HeaderName
    litellm_user_role: Annotated[
        str, Meta(pattern=r"^(?i:customer|internal_user)$", description="customer or internal_user")
    ]

    @property
    def names_customer(self) -> bool:
        """Whether it is a customer whom the header names."""
        return self.litellm_user_role.lower() == "customer"


class ServiceAccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What keys of service accounts have to say in every request."""

    enforced_params: tuple[Name, ...] = ()
