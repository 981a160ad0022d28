"""The slots of a host among several processes."""

from __future__ import annotations

import pytest

from pointsman.routing.slot_board import Board, Claim, Share, Standing, read_board, settle, write_board


def ask(board: Board, who: str, standing: Standing, slots: int = 1, now: float = 100.0, loaded: str = "") -> int:
    granted, _ = settle(
        board, who, standing, slots, now=now, group_wait_seconds=30.0, is_loaded=lambda model: model == loaded
    )
    return granted


def wants(model: str = "m", steps: int = 0, since: float = 100.0, running: int = 0, waiting: int = 1) -> Standing:
    return Standing(running, waiting, Claim(steps, model, since))


def test_who_comes_to_a_free_host_has_it_and_the_next_one_waits() -> None:
    board = Board()
    assert ask(board, "a", wants()) == 1
    assert ask(board, "b", wants()) == 0
    assert ask(board, "a", Standing(0, 0)) == 0
    assert ask(board, "b", wants(since=101.0), now=101.0) == 1
    assert board.shares == {"b": Share(1, 0, 101.0, 101.0, None)}


def test_with_room_for_all_that_wait_each_has_all_that_it_wants() -> None:
    board = Board()
    assert ask(board, "a", wants(waiting=3), slots=8) == 3
    assert ask(board, "b", wants(waiting=9), slots=8) == 5
    assert ask(board, "c", wants(), slots=8) == 0


def board_of(*claims: tuple[str, Claim], model: str = "", turned_at: float = 0.0, **held: int) -> Board:
    shares = {name: Share(held.get(name, 0), 1, 100.0, 0.0, claim) for name, claim in claims}
    return Board(shares, model, turned_at)


def test_the_most_important_goes_first() -> None:
    rival = ("b", Claim(0, "m", 99.0))
    assert ask(board_of(rival), "a", wants(steps=3, since=1.0)) == 0
    assert ask(board_of(("b", Claim(4, "m", 1.0))), "a", wants(steps=3)) == 1


def test_the_model_that_the_host_was_last_sent_goes_first_within_its_bound() -> None:
    board = board_of(("b", Claim(0, "x", 90.0)), model="x", turned_at=90.0)
    assert ask(board, "a", wants("y", since=50.0)) == 0, "x has not had its thirty seconds yet"
    board = board_of(("b", Claim(0, "x", 90.0)), model="x", turned_at=60.0)
    assert ask(board, "a", wants("y", since=50.0)) == 1
    assert (board.model, board.turned_at) == ("y", 100.0)
    board = board_of(("b", Claim(0, "x", 90.0)), model="z")
    assert ask(board, "a", wants("y"), loaded="y") == 1, "what is in memory goes before what is not"


def test_of_equals_the_process_that_holds_least_and_then_the_one_that_was_served_longest_ago() -> None:
    claim = Claim(0, "m", 100.0)
    assert ask(board_of(("b", claim), b=1), "a", wants(), slots=2) == 1
    assert ask(board_of(("b", claim)), "a", wants(running=1), slots=2) == 0
    board = board_of(("b", claim))
    board.shares["a"] = Share(0, 1, 100.0, served_at=99.0)
    assert ask(board, "a", wants(waiting=2), slots=1) == 0


def test_a_claim_of_somebody_who_says_nothing_any_more_holds_nobody_up() -> None:
    board = board_of(("b", Claim(0, "m", 1.0)))
    assert ask(board, "a", wants(steps=9), now=102.0) == 1


def test_fewer_slots_than_are_held_give_nothing() -> None:
    board = Board({"b": Share(3, 0, 100.0)})
    assert ask(board, "a", wants(), slots=2) == 0


def test_only_news_is_written() -> None:
    board = Board({"b": Share(1, 0, 100.0)})
    standing = wants()
    told = {"group_wait_seconds": 1.0, "is_loaded": bool}
    assert settle(board, "a", standing, 1, now=100.0, **told) == (0, True)  # type: ignore[arg-type]
    assert settle(board, "a", standing, 1, now=100.1, **told) == (0, False)  # type: ignore[arg-type]
    assert settle(board, "a", standing, 1, now=100.6, **told) == (0, True)  # type: ignore[arg-type]
    assert settle(board, "a", Standing(0, 0), 1, now=100.7, **told) == (0, True)  # type: ignore[arg-type]
    assert settle(board, "a", Standing(0, 0), 1, now=100.8, **told) == (0, False)  # type: ignore[arg-type]


@pytest.mark.parametrize("torn", [None, b"", b"{", b"\xff", b'{"shares": 1}'])
def test_what_cannot_be_read_is_an_empty_board(torn: bytes | None) -> None:
    assert read_board(torn) == Board()


def test_what_is_written_is_read_again() -> None:
    board = board_of(("a", Claim(1, "m", 2.5)), model="m", turned_at=3.5, a=2)
    assert read_board(write_board(board)) == board
