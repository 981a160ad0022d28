from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.assembly.plan import ServePlan
from pointsman.cli.first_call import KeyPlace, base_url, curl_line
from pointsman.core.price import FREE
from pointsman.core.upstream import Deployment

OPEN = KeyPlace("none is asked for")


def deployment(group: str, mode: str = "chat") -> Deployment:
    return Deployment(group, group, "ollama", group, f"ollama/{group}", "http://127.0.0.1:11434", FREE, mode=mode)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4000"),
        ("localhost", "http://localhost:4000"),
        ("0.0.0.0", "http://127.0.0.1:4000"),
        ("::", "http://[::1]:4000"),
        ("[::]", "http://[::1]:4000"),
        ("::1", "http://[::1]:4000"),
        ("[::1]", "http://[::1]:4000"),
    ],
)
def test_the_base_url_is_one_that_this_machine_can_reach(host: str, url: str) -> None:
    assert base_url(ServePlan(host, 4000, Path("data"))) == url


def test_the_line_asks_a_model_that_chats() -> None:
    line = curl_line(OPEN, "http://127.0.0.1:4000", [deployment("vectors", "embedding"), deployment("talker")])
    assert '"model":"talker"' in line


def test_without_one_it_asks_one_that_embeds() -> None:
    line = curl_line(OPEN, "http://127.0.0.1:4000", [deployment("dear", "image"), deployment("vectors", "embedding")])
    assert line.startswith("curl http://127.0.0.1:4000/v1/embeddings -d ")
    assert '"model":"vectors","input":"' in line


def test_without_either_it_lists_the_models() -> None:
    line = curl_line(OPEN, "http://127.0.0.1:4000", [deployment("dear", "image_generation")])
    assert line == "curl http://127.0.0.1:4000/v1/models"


def test_a_name_with_quotes_stays_within_its_argument() -> None:
    line = curl_line(OPEN, "http://127.0.0.1:4000", [deployment("it's; rm -rf")])
    assert """it'"'"'s; rm -rf""" in line
