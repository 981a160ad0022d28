"""Rests over a bulletin: what others tell is heard, what makes no sense is not."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.assembly.rest_news import RestBoards, RestNews
from pointsman.routing.rests import Rest


class Channel:
    """Brings what one posts to all others."""

    def __init__(self) -> None:
        self.hearers: dict[str, list[Callable[[bytes], None]]] = {}
        self.posted: list[tuple[str, bytes]] = []

    def hear(self, topic: str, hearer: Callable[[bytes], None]) -> None:
        self.hearers.setdefault(topic, []).append(hearer)

    def post(self, topic: str, body: bytes = b"null") -> None:
        self.posted.append((topic, body))


def test_a_rest_is_told_to_the_others_and_to_this_process_but_not_to_its_teller() -> None:
    channel = Channel()
    news = RestNews(channel)
    heard: list[tuple[str, Rest]] = []

    def one(rest: Rest) -> None:
        heard.append(("one", rest))

    def two(rest: Rest) -> None:
        heard.append(("two", rest))

    news.join(one)
    news.join(two)
    rest = Rest("d", 5.0)
    news.tell(rest, one)
    assert heard == [("two", rest)]
    ((topic, body),) = channel.posted
    channel.hearers[topic][0](body)
    assert heard[1:] == [("one", rest), ("two", rest)]


def test_what_makes_no_sense_is_not_heard() -> None:
    channel = Channel()
    news = RestNews(channel)
    heard: list[Rest] = []
    news.join(heard.append)
    for body in (
        b"null",
        b"{}",
        b'{"deployment_id": "d", "seconds": -1}',
        b'{"deployment_id": "d", "seconds": 1e9}',
        b"\xff",
    ):
        channel.hearers["rest"][0](body)
    assert heard == []


def test_several_boards_are_one() -> None:
    first, second = Channel(), Channel()
    boards = RestBoards(RestNews(first), RestNews(second))
    heard: list[Rest] = []
    boards.join(heard.append)
    boards.tell(Rest("d", 1.0), heard.append)
    assert [len(channel.posted) for channel in (first, second)] == [1, 1]
    first.hearers["rest"][0](first.posted[0][1])
    assert heard == [Rest("d", 1.0)]
