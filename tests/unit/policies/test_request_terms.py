"""For whom a request is, and what it has to say, in LiteLLM's order and words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Malformed
from pointsman.core.exchange import Inbound, InferenceRoute, RequestHead
from pointsman.core.identity import KeyRecord
from pointsman.core.upstream import Ask, Operation
from pointsman.dialects.openai_fields import OpenAIDialect
from pointsman.lifecycle.reading import read_ask
from pointsman.policies.parameters import take_rules
from pointsman.policies.principal import Principal
from pointsman.policies.request_terms import RequestTerms, apply_terms

CHAT = InferenceRoute(Operation.CHAT, OpenAIDialect(), "/chat/completions")
NAMED = RequestTerms(customer_headers=(b"x-shop", b"x-user"))


def principal(**fields: Any) -> Principal:
    raws: dict[str, Any] = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    return Principal(KeyRecord("hash", "sk-...a", **raws))


def inbound(headers: dict[str, str], **body: Any) -> Inbound:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Inbound(RequestHead(CHAT, b"sk-a", lines), msgspec.json.encode(body), 0.0, 0.0)


def asked(request: Inbound, who: Principal, terms: RequestTerms | None) -> Ask:
    ask = read_ask(request)
    apply_terms(request, ask, who, terms)
    take_rules(ask)
    return ask


BODY: dict[int, tuple[str, Any]] = {
    5: ("user", "5"),
    6: ("litellm_metadata", {"user": "6"}),
    7: ("metadata", {"user_id": "7"}),
    8: ("safety_identifier", "8"),
}
HEADERS = {"x-litellm-end-user-id": "2", "x-litellm-customer-id": "1", "x-user": "4", "x-shop": "3"}


@pytest.mark.parametrize("first", range(9))
def test_the_customer_is_looked_for_in_litellms_order(first: int) -> None:
    body = dict(field for place, field in BODY.items() if place >= first)
    headers = {name: value for name, value in HEADERS.items() if int(value) >= first}
    key = principal(extra={"end_user_id": "0"}) if first == 0 else principal()
    request = inbound(headers, **body)
    assert asked(request, key, NAMED).end_user == str(first)
    again = read_ask(request)
    take_rules(again)
    assert again.end_user == str(first)


def test_a_customer_is_a_text_or_a_number_and_nothing_else() -> None:
    assert asked(inbound({}, metadata={"user_id": 17}), principal(), None).end_user == "17"
    for nobody in ({"id": 1}, ["a"], True, None, "  "):
        assert asked(inbound({}, metadata={"user_id": nobody}), principal(), None).end_user is None
    assert asked(inbound({"x-litellm-customer-id": " "}, user="u"), principal(), None).end_user == "u"
    assert asked(inbound({"x-litellm-customer-id": "Zoë"}, user="u"), principal(), None).end_user == "Zoë"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "user"),
        ({"user": "u"}, "metadata"),
        ({"user": "u", "metadata": {}}, "metadata.task"),
        ({"user": "u", "metadata": "task"}, "metadata.task"),
    ],
)
def test_what_every_request_needs_is_demanded_by_name(fields: dict[str, Any], param: str) -> None:
    wanted = ["user", "metadata", "metadata.task"]
    for who, terms in (
        (principal(), RequestTerms(needed=tuple(wanted))),
        (principal(extra={"enforced_params": wanted}), None),
        (principal(metadata={"enforced_params": wanted}), None),
        (principal(metadata={"service_account_id": "s"}), RequestTerms(needed_of_services=tuple(wanted))),
    ):
        with pytest.raises(Malformed) as caught:
            asked(inbound({}, **fields), who, terms)
        assert caught.value.param == param and caught.value.status == 400
        asked(inbound({}, user="u", metadata={"task": "t"}), who, terms)


def test_what_service_accounts_need_binds_no_other_key() -> None:
    terms = RequestTerms(needed_of_services=("user",))
    for metadata in ({}, {"note": "service_account_id"}, {"a": {"service_account_id": "s"}}):
        asked(inbound({}), principal(metadata=metadata), terms)


def test_a_customer_may_have_to_be_named_and_tags_not() -> None:
    terms = RequestTerms(needs_customer=True, refuses_tags=True)
    with pytest.raises(Malformed, match="'user' param not passed in"):
        asked(inbound({}), principal(), terms)
    for tagged in ("metadata", "litellm_metadata"):
        with pytest.raises(Malformed) as caught:
            asked(inbound({}, user="u", **{tagged: {"tags": ["a"]}}), principal(), terms)
        assert caught.value.param == "metadata.tags"
    assert asked(inbound({"x-litellm-customer-id": "c"}), principal(), terms).end_user == "c"
    assert asked(inbound({}, metadata={"user_id": "c"}), principal(), terms).end_user == "c"
