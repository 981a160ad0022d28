"""Rankings of Bedrock and Vertex AI: what is sent for Cohere's words, and what is made of the answers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pointsman.core.errors import Broken, Malformed, Unsupported
from pointsman.core.upstream import Ask, Deployment, Operation
from pointsman.core.usage import Units
from pointsman.dialects.openai_extras.dialect import ExtrasDialect
from pointsman.providers.extras import BedrockRanking, ExtrasFar, TranslatedExtrasLane, VertexRanking

AMAZON, COHERE, GOOGLE = "amazon.rerank-v1:0", "cohere.rerank-v3-5:0", "semantic-ranker-default-004"


def lane(model: str, **changes: Any) -> TranslatedExtrasLane:
    far: ExtrasFar = BedrockRanking(b"/invoke", model)
    if model == GOOGLE:
        far = VertexRanking(lambda: (b"/rank", "project"), model)
    made = Deployment("d", "m", "p", model, f"p/{model}", "https://r.invalid", None)
    return TranslatedExtrasLane(far, msgspec.structs.replace(made, **changes))


def ask(**fields: Any) -> Ask:
    body = {"model": "m", "query": "q", "documents": ["first one", {"text": "second", "title": "T"}], **fields}
    return ExtrasDialect().read_ask(json.dumps(body).encode(), Operation.RERANK, None)


def sent(asked: Ask, model: str, **changes: Any) -> Any:
    return json.loads(lane(model, **changes).write(asked).body)


def answered(asked: Ask, model: str, body: Any) -> Any:
    answer = lane(model).answer(asked)
    told = json.loads(answer.whole(json.dumps(body).encode()))
    return told["results"], answer.usage.units


def test_each_is_asked_in_its_own_words() -> None:
    plain = {"query": "q", "documents": ["first one", "second"]}
    assert sent(ask(user="u"), AMAZON) == plain
    assert sent(ask(top_n=1, max_tokens_per_doc=9), COHERE) == {
        **plain, "api_version": 2, "top_n": 1, "max_tokens_per_doc": 9,
    }  # fmt: skip
    assert sent(ask(top_n=2), GOOGLE) == {
        "model": GOOGLE, "query": "q", "topN": 2, "ignoreRecordDetailsInResponse": True,
        "records": [{"id": "0", "title": "first one", "content": "first one"},
                    {"id": "1", "title": "T", "content": "second"}],
    }  # fmt: skip


@pytest.mark.parametrize("model", [AMAZON, GOOGLE])
def test_what_cannot_be_said_is_refused_by_its_name_or_dropped(model: str) -> None:
    asked = ask(max_tokens_per_doc=9)
    with pytest.raises(Unsupported) as caught:
        sent(asked, model)
    assert caught.value.param == "max_tokens_per_doc"
    assert sent(asked, model, drop_params=True) == sent(ask(), model)


def test_wrong_values_and_models_are_refused() -> None:
    for fields in ({"top_n": 0}, {"documents": [5]}, {"query": {"text": "q"}}, {"return_documents": "x"}):
        with pytest.raises(Malformed):
            sent(ask(**fields), COHERE)
    with pytest.raises(Unsupported, match="cannot rank"):
        sent(ask(), "anthropic.claude-v2")


def test_answers_come_in_coheres_form_and_are_charged_by_the_hundred() -> None:
    many = ask(documents=["d"] * 101)
    rows, units = answered(many, AMAZON, {"results": [{"index": 100, "relevanceScore": 0.5}]})
    assert (rows, units) == ([{"index": 100, "relevance_score": 0.5}], Units(queries=2))
    rows, units = answered(ask(return_documents=True), GOOGLE, {"records": [{"id": "0"}, {"id": "1", "score": 0.5}]})
    second = {"text": "second", "title": "T"}
    assert rows == [
        {"index": 1, "relevance_score": 0.5, "document": second},
        {"index": 0, "relevance_score": 0.0, "document": {"text": "first one"}},
    ]
    assert units == Units(queries=1)


@pytest.mark.parametrize(
    ("model", "body"),
    [(COHERE, {"results": [{"index": 5, "relevance_score": 1}]}), (COHERE, {}), (GOOGLE, {"records": [{"id": "x"}]})],
)
def test_an_answer_that_ranks_nothing_of_ours_is_broken(model: str, body: Any) -> None:
    with pytest.raises(Broken):
        answered(ask(), model, body)
