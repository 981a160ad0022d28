"""What single values of a configuration may be, with the words in which a wrong one is refused."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from pointsman.core.secret import Secret

__all__ = [
    "Amount",
    "Count",
    "CountedTokens",
    "Document",
    "GroupStrategyName",
    "HeaderName",
    "HostProvider",
    "Id",
    "MacAddress",
    "Name",
    "PositiveCount",
    "Seconds",
    "Share",
    "Span",
    "StrategyName",
    "TimeOfDay",
    "Url",
    "WeekTime",
]

_NUMBER_TOO: Final = {"number_too": True}

Amount = Annotated[float, Meta(ge=0)]
_WHOLE_MAX: Final = 2**53

Count = Annotated[int, Meta(ge=0, le=_WHOLE_MAX)]
HeaderName = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description="the name of an HTTP header")]
Id = Annotated[str, Meta(min_length=1, extra=_NUMBER_TOO, description="text")]
Name = Annotated[str, Meta(min_length=1, description="a name")]
HostProvider = Annotated[
    str,
    Meta(
        pattern=r"^(ollama|ollama_chat|lm_studio|llama_cpp|vllm|hosted_vllm|sglang|openai)$",
        description="ollama, lm_studio, llama_cpp, vllm, sglang or openai",
    ),
]
MacAddress = Annotated[
    str,
    Meta(
        pattern=r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(@[0-9A-Za-z.-]+(:[0-9]{1,5})?)?$",
        description="a network card's address such as 01:23:45:67:89:ab, or 01:23:45:67:89:ab@192.168.1.255:9",
    ),
]
"""Whose machine to wake, and after ``@`` the address and port that the packet is sent to."""

PositiveCount = Annotated[int, Meta(ge=1, le=_WHOLE_MAX)]
Document = Annotated[Secret, Meta(extra={"document": True}, description="a path, JSON text or a map")]
"""A secret that is JSON, given as text, as a map, or as the path of a file with it."""

Seconds = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
_STRATEGIES: Final = (
    "simple-shuffle|round-robin|least-busy|latency-based-routing|usage-based-routing|usage-based-routing-v2"
    "|cost-based-routing|warm-first|shuffle|latency|usage|cost|lar1|provider-budget-routing"
)
_TOLD_STRATEGIES: Final = (
    "simple-shuffle, round-robin, least-busy, latency-based-routing, usage-based-routing, usage-based-routing-v2,"
    " cost-based-routing"
)
StrategyName = Annotated[str, Meta(pattern=f"^({_STRATEGIES})$", description=f"{_TOLD_STRATEGIES} or warm-first")]
"""Of these, ``lar1`` and ``provider-budget-routing`` are LiteLLM's alone."""

GroupStrategyName = Annotated[
    str, Meta(pattern=f"^({_STRATEGIES}|priority)$", description=f"{_TOLD_STRATEGIES}, warm-first or priority")
]

CountedTokens = Annotated[str, Meta(pattern=r"^(total|input|output)$", description="total, input or output")]
"""Which tokens of a call count for limits of tokens."""

Span = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,8}(s|m|h|d|w|mo)$", description="a duration such as 30s, 15m, 12h, 7d or 1mo")
]
TimeOfDay = Annotated[
    str, Meta(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", description="a time of day such as 06:30")
]
_DAYS: Final = r"(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?"
WeekTime = Annotated[
    str,
    Meta(
        pattern=rf"^([01]?[0-9]|2[0-3]):[0-5][0-9]( (daily|{_DAYS}(,{_DAYS})*))?$",
        description='a time of day and days, such as "07:30 mon-fri", "9:00 sat,sun" or "06:00"',
    ),
]
_PORT: Final = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})"
Url = Annotated[
    str,
    Meta(
        pattern=rf"^https?://([^\s/?#@:\[\]]+|\[[0-9A-Za-z:.%]+\])(:{_PORT})?([/?][^\s#]*)?$",
        description="an address such as http://localhost:11434, without user and password",
    ),
]
