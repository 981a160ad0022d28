from __future__ import annotations

import json

import msgspec
import pytest
from openai.types import Completion

from pointsman.core.call import CompletionCall
from pointsman.core.events import FinishReason
from pointsman.core.reply import Reply
from pointsman.core.usage import Usage
from pointsman.dialects.openai_completions.errors import write_error
from pointsman.dialects.openai_completions.replies import write_reply
from pointsman.dialects.openai_fields import write_error as family_write_error
from tests.support.answers import choice_of

CALL = CompletionCall("named-so", ("Hi",))
TOKENS = msgspec.Raw(json.dumps([{"token": "ab", "logprob": -1}, {"token": "c", "logprob": -2}]).encode())


def test_an_answer_is_what_the_official_sdk_reads() -> None:
    reply = Reply("cmpl-1", "up", 7, (choice_of(text="abc", thinking="Hm", logprobs=(TOKENS,)),), Usage(1, 2))
    found = Completion.model_validate_json(write_reply(reply, CALL))
    assert (found.id, found.object, found.created, found.model) == ("cmpl-1", "text_completion", 7, "named-so")
    assert found.usage is not None and found.usage.total_tokens == 3
    choice = found.choices[0]
    assert (choice.text, choice.finish_reason, choice.index) == ("abc", "stop", 0)
    assert choice.logprobs is not None and choice.logprobs.text_offset == [0, 2]
    assert choice.logprobs.top_logprobs == [{}, {}]


@pytest.mark.parametrize(
    ("reason", "written"), [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), (None, "stop")]
)
def test_every_reason_is_one_the_format_knows(reason: FinishReason | None, written: str) -> None:
    body = json.loads(write_reply(Reply("1", "m", 0, (choice_of(finish_reason=reason),)), CALL))
    assert body["choices"][0] == {"text": "", "index": 0, "logprobs": None, "finish_reason": written}


def test_errors_have_the_shape_of_the_family() -> None:
    assert write_error is family_write_error
