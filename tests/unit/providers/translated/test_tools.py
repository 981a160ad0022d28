"""Tools that only their own provider has: left out where a request can do without, refused where it cannot."""

from __future__ import annotations

import msgspec
import pytest

from pointsman.core.call import Call, Tool, ToolChoice
from pointsman.core.errors import Unsupported
from pointsman.providers.translated.tools import demand_known_tools, without_foreign_tools

RAW = msgspec.Raw(b'{"type":"web_search"}')
SEARCH = Tool("web_search", native=RAW, dialect="openai_responses")
CUSTOM = Tool("patch", parameters=msgspec.Raw(b"{}"), native=RAW, dialect="openai_responses")
READ = Tool("read", parameters=msgspec.Raw(b"{}"))


def left(*tools: Tool, choice: ToolChoice | None = None, drop: bool = False, dialect: str = "openai_chat") -> Call:
    call = Call("m", (), tools=tools, tool_choice=choice)
    return without_foreign_tools(call, dialect, drop_params=drop)


def test_beside_functions_it_is_left_out() -> None:
    assert left(READ, SEARCH, CUSTOM, choice=ToolChoice("auto")).tools == (READ, CUSTOM)


def test_its_own_dialect_keeps_it() -> None:
    assert left(READ, SEARCH, dialect="openai_responses").tools == (READ, SEARCH)


@pytest.mark.parametrize(("tools", "choice"), [((SEARCH,), None), ((READ, SEARCH), ToolChoice("named", "web_search"))])
def test_a_request_that_is_about_it_is_refused(tools: tuple[Tool, ...], choice: ToolChoice | None) -> None:
    with pytest.raises(Unsupported, match="web_search"):
        demand_known_tools(left(*tools, choice=choice), "openai_chat")


def test_an_operator_may_have_it_dropped() -> None:
    call = left(SEARCH, choice=ToolChoice("required"), drop=True)
    assert (call.tools, call.tool_choice) == ((), None)
