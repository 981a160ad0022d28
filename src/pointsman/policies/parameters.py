"""Fields of a body that are not simply the upstream's: refused, or taken out for the gateway to act on.

A request can never choose where it is sent and with whose credentials, on no route and in no dialect; LiteLLM calls
that client-side auth, and has it off by default as well.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from pointsman.config.request_fields import OPERATORS, SPECIAL
from pointsman.core.errors import Malformed
from pointsman.core.rules import ParameterRules
from pointsman.core.upstream import Ask
from pointsman.wire.json_fields import decode_field

__all__ = ["take_rules"]

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Names = Annotated[tuple[_Name, ...], msgspec.Meta(max_length=64)]

_flag: Final = msgspec.json.Decoder(bool | None).decode
_names: Final = msgspec.json.Decoder(_Names | None).decode
_NULL: Final = msgspec.Raw(b"null")


def take_rules(ask: Ask) -> None:
    """Take out of ``ask.fields`` what is for the gateway, and keep as ``ask.rules`` what it says of the other fields.

    Raises:
        Malformed: a field says where the request is to go or with which credentials, or a rule is of a wrong type.
    """
    if SPECIAL.isdisjoint(ask.fields):
        return
    for name in OPERATORS & ask.fields.keys():
        if ask.fields[name] != _NULL:
            raise Malformed(
                f"{name} cannot be set by a request.",
                hint="Where a model is and with which credentials it is reached, the operator decides.",
                param=name,
                code="client_side_auth_refused",
            )
    fields = ask.fields
    ask.rules = ParameterRules(
        decode_field("drop_params", fields.get("drop_params", _NULL), _flag),
        decode_field("additional_drop_params", fields.get("additional_drop_params", _NULL), _names) or (),
        decode_field("allowed_openai_params", fields.get("allowed_openai_params", _NULL), _names) or (),
    )
    ask.fields = {name: raw for name, raw in fields.items() if name not in SPECIAL}
