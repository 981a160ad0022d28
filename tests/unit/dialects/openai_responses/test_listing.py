from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from openai.types.responses import ResponseItemList

from pointsman.core.errors import Malformed
from pointsman.dialects.openai_responses.listing import input_items, write_item_list
from pointsman.dialects.openai_responses.response import ResponseRequest

ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {"type": "message", "id": "msg_own", "role": "assistant", "content": "Ho"},
    {"type": "reasoning", "id": None, "summary": []},
    {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "a", "output": "x", "status": "incomplete"},
    {"type": "custom_tool_call", "call_id": "b", "name": "p", "input": "x"},
    {"type": "custom_tool_call_output", "call_id": "b", "output": "x"},
]


def listed(items: str | list[dict[str, Any]]) -> tuple[msgspec.Raw, ...]:
    raw = items if isinstance(items, str) else tuple(msgspec.Raw(json.dumps(item).encode()) for item in items)
    return input_items(ResponseRequest(id="resp_1", created_at=1, input=raw))


def page(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_item_list(listed(ITEMS), **fields))
    return found


def test_a_text_is_a_message_of_the_user() -> None:
    (item,) = listed("Hi")
    assert json.loads(bytes(item)) == {
        "id": "msg_1i00", "status": "completed", "role": "user", "content": [{"type": "input_text", "text": "Hi"}],
        "type": "message",
    }  # fmt: skip


def test_items_get_what_they_lack_and_keep_what_they_have() -> None:
    found = [json.loads(bytes(item)) for item in listed(ITEMS)]
    assert [item["id"] for item in found] == [
        "msg_1i00",
        "msg_own",
        "rs_1i02",
        "fc_1i03",
        "fco_1i04",
        "ctc_1i05",
        "ctco_1i06",
    ]
    assert [item.get("status") for item in found[2:5]] == [None, "completed", "incomplete"]
    assert found[1]["content"] == [{"type": "output_text", "text": "Ho", "annotations": []}]


def test_the_official_sdk_can_read_a_page() -> None:
    found = ResponseItemList.model_validate_json(write_item_list(listed(ITEMS)))
    assert [item.id for item in found.data][-1] == found.last_id == "msg_1i00"


def test_pages_follow_one_another_in_either_order() -> None:
    first = page(limit=3, order="asc")
    assert (first["first_id"], first["last_id"], first["has_more"]) == ("msg_1i00", "rs_1i02", True)
    second = page(limit=4, order="asc", after="rs_1i02")
    assert [item["id"][:3] for item in second["data"]] == ["fc_", "fco", "ctc", "ctc"] and not second["has_more"]
    assert [item["id"] for item in page(limit=1)["data"]] == ["ctco_1i06"]
    beyond = page(order="asc", after="ctco_1i06")
    assert (beyond["data"], beyond["first_id"], beyond["has_more"]) == ([], None, False)


@pytest.mark.parametrize(
    ("fields", "param"), [({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"after": "x"}, "after")]
)
def test_a_page_that_is_not_there_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Malformed) as caught:
        page(**fields)
    assert caught.value.param == param
