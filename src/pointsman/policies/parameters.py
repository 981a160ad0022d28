"""Fields of a body that are not simply the upstream's: refused, or taken out for the gateway to act on.

A request can never choose where it is sent and with whose credentials, on no route and in no dialect; LiteLLM calls
that client-side auth, and has it off by default as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Final

import msgspec

from pointsman.config.fallback_targets import read_target
from pointsman.config.request_fields import OPERATORS, RULES, SPECIAL
from pointsman.core.errors import Malformed
from pointsman.core.rules import NO_ROUTING_RULES, ParameterRules, RoutingRules, Target
from pointsman.core.upstream import Ask
from pointsman.policies.labels import end_user_in, labels_in, session_in, without_tags
from pointsman.wire.json_fields import decode_field
from pointsman.wire.json_paths import head_of, is_nested, read_path

__all__ = ["seconds_in", "take_rules"]

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Names = Annotated[tuple[_Name, ...], msgspec.Meta(max_length=64)]

_Targets = Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(max_length=64)]

_PATHS_MAX: Final = 16
_FIELD_BYTES_MAX: Final = 1024 * 1024
"""Following a path means to decode the field that it goes through, so who asks for it may not ask for much."""

_BOUNDS: Final = frozenset({
    "generationConfig", "generation_config", "max_completion_tokens", "max_output_tokens", "max_tokens", "num_predict",
    "options",
})  # fmt: skip
"""Fields with a bound on the answer, in any dialect."""

_ROUTING: Final = frozenset({
    "allowed_model_region", "content_policy_fallbacks", "context_window_fallbacks", "disable_fallbacks", "fallbacks",
    "include_fallback_errors", "litellm_metadata", "litellm_session_id", "metadata",
    "mock_testing_content_policy_fallbacks", "mock_testing_context_fallbacks", "mock_testing_fallbacks", "num_retries",
    "request_timeout", "stream_timeout", "tags", "timeout",
})  # fmt: skip
_LOOKED_AT: Final = SPECIAL | {"metadata", "safety_identifier"}

_REHEARSALS: Final = (
    "mock_testing_fallbacks", "mock_testing_context_fallbacks", "mock_testing_content_policy_fallbacks",
)  # fmt: skip

_Retries = Annotated[int, msgspec.Meta(ge=0, le=16)]
_retries: Final = msgspec.json.Decoder(_Retries | None).decode
_flag: Final = msgspec.json.Decoder(bool | None).decode
_name: Final = msgspec.json.Decoder(_Name | None).decode
_names: Final = msgspec.json.Decoder(_Names | None).decode
_tags: Final = msgspec.json.Decoder(_Names | _Name | None).decode
_targets: Final = msgspec.json.Decoder(_Targets | None).decode
_seconds: Final = msgspec.json.Decoder(float | str).decode
_listed: Final = msgspec.json.Decoder(dict[str, _Targets]).decode
_NULL: Final = msgspec.Raw(b"null")


def take_rules(ask: Ask) -> None:
    """Take out of ``ask.fields`` what is for the gateway.

    What it says of the other fields is kept as ``ask.rules``, what it says of its way as ``ask.routing``, and whom it
    is for as ``ask.end_user``, unless that is known.

    Raises:
        Malformed: a field says where the request is to go or with which credentials, or a rule is of a wrong type.
    """
    if _LOOKED_AT.isdisjoint(ask.fields):
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
    if ask.end_user is None:
        ask.end_user = end_user_in(fields)
    if not RULES.isdisjoint(fields):
        _take_parameter_rules(ask)
    if not _ROUTING.isdisjoint(fields):
        ask.routing = _routing_rules(fields, ask.model, ask.routing or NO_ROUTING_RULES)
    ask.fields = {name: raw for name, raw in fields.items() if name not in SPECIAL}
    if "metadata" in fields:
        _leave_metadata(ask)


def seconds_in(said: msgspec.Raw | None) -> float | None:
    """A time in seconds that a request gives, as a number or a text of one; None: it gives none that makes sense."""
    try:
        seconds = 0.0 if said is None else float(_seconds(said))
    except (msgspec.MsgspecError, ValueError):
        return None
    return seconds if isfinite(seconds) and seconds > 0 else None


def _take_parameter_rules(ask: Ask) -> None:
    fields = ask.fields
    dropped = decode_field("additional_drop_params", fields.get("additional_drop_params", _NULL), _names) or ()
    _demand_short_ways(dropped, fields)
    if any((head_of(read_path(name)) if is_nested(name) else name) in _BOUNDS | {None} for name in dropped):
        # What the upstream is not told cannot be what is reserved for.
        ask.output_limit = None
    ask.rules = ParameterRules(
        decode_field("drop_params", fields.get("drop_params", _NULL), _flag),
        dropped,
        decode_field("allowed_openai_params", fields.get("allowed_openai_params", _NULL), _names) or (),
    )


def _routing_rules(fields: Mapping[str, msgspec.Raw], model: str, headers: RoutingRules) -> RoutingRules:
    def targets(field: str) -> tuple[Target, ...] | None:
        given = decode_field(field, fields.get(field, _NULL), _targets)
        return None if given is None else tuple(target for raw in given for target in _read_targets(field, raw, model))

    def flag(field: str) -> bool:
        return decode_field(field, fields.get(field, _NULL), _flag) or False

    retries = decode_field("num_retries", fields.get("num_retries", _NULL), _retries)
    labels = tuple(labels_in(fields[name]) for name in ("litellm_metadata", "metadata") if name in fields)
    tags = decode_field("tags", fields.get("tags", _NULL), _tags) or ()
    every = ((tags,) if isinstance(tags, str) else tags) + sum((one.tags for one in labels), ())
    sessions = (session_in(fields.get("litellm_session_id")), *(one.session for one in labels), headers.session)
    return RoutingRules(
        num_retries=headers.num_retries if retries is None else retries,
        fallbacks=targets("fallbacks"),
        context_window_fallbacks=targets("context_window_fallbacks"),
        content_policy_fallbacks=targets("content_policy_fallbacks"),
        disable_fallbacks=flag("disable_fallbacks"),
        include_fallback_errors=flag("include_fallback_errors"),
        rehearsal=next((name for name in _REHEARSALS if flag(name)), None),
        tags=tuple(dict.fromkeys((*every, *headers.tags))),
        session=next(filter(None, sessions), None),
        prefer=headers.prefer,
        max_cost=headers.max_cost,
        waits=any(one.batch for one in labels),
        timeout=headers.timeout or seconds_in(fields.get("timeout")) or seconds_in(fields.get("request_timeout")),
        stream_timeout=headers.stream_timeout or seconds_in(fields.get("stream_timeout")),
        region=decode_field("allowed_model_region", fields.get("allowed_model_region", _NULL), _name),
    )


def _read_targets(field: str, raw: msgspec.Raw, model: str) -> tuple[Target, ...]:
    """One entry of a list: a target, or a map from models to lists of targets, as configurations have it."""
    try:
        listed = _listed(raw)
    except msgspec.MsgspecError:
        listed = {}
    try:
        if listed:
            return tuple(read_target(one) for one in listed.get(model, listed.get("*", ())))
        return (read_target(raw),)
    except ValueError as wrong:
        raise Malformed(f"{field}: {wrong}", param=field) from None


def _leave_metadata(ask: Ask) -> None:
    """Take the tags out of ``metadata``: they are LiteLLM's, and to an upstream whose values are texts an error."""
    left = without_tags(ask.fields["metadata"])
    if left is None:
        del ask.fields["metadata"]
    else:
        ask.fields["metadata"] = left


def _demand_short_ways(dropped: tuple[str, ...], fields: Mapping[str, msgspec.Raw]) -> None:
    paths = [path for path in dropped if is_nested(path)]
    if len(paths) > _PATHS_MAX:
        raise Malformed(
            f"additional_drop_params must not have more than {_PATHS_MAX} paths.", param="additional_drop_params"
        )
    for path in paths:
        head = head_of(read_path(path))
        if head is not None and len(fields.get(head, _NULL)) > _FIELD_BYTES_MAX:
            raise Malformed(
                f"additional_drop_params: {head[:80]} is longer than {_FIELD_BYTES_MAX} bytes, too long to look into.",
                param="additional_drop_params",
            )
