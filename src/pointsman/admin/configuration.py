"""``/config/diff``, and the paths by which LiteLLM's settings are changed, which are refused: the file is the truth."""

from __future__ import annotations

from typing import NoReturn

import msgspec

from pointsman.admin.office import ConfigDifference, Office
from pointsman.admin.route import Answer, Nothing, Visit
from pointsman.core.errors import Unsupported

__all__ = ["ConfigChange", "config_difference", "refuse_change"]


class ConfigChange(msgspec.Struct, frozen=True):
    """Whatever LiteLLM takes there."""


async def config_difference(office: Office, _visit: Visit[Nothing, Nothing]) -> Answer:
    """How what is served differs from the configuration file."""
    if office.stored is None:
        return Answer(ConfigDifference(file=None, in_force=True, refused_edit=None))
    return Answer(await office.stored.difference())


async def refuse_change(_office: Office, _visit: Visit[Nothing, ConfigChange]) -> NoReturn:
    """Refused: settings are changed in the file."""
    raise Unsupported(
        "Settings are not changed over HTTP: the configuration file is the truth.",
        hint="Change the file, which is read again as soon as it changes; models and credentials can be stored with"
        " /model/new and /credentials.",
        code="config_is_the_file",
    )
