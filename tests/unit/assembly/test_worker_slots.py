"""Workers never send a host more than its slots together, whatever happens to any of them."""

from __future__ import annotations

import fcntl
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.assembly.slot_desk import board_name
from pointsman.assembly.worker_slots import WorkerSlots
from pointsman.lifecycle.calling import enter, leave
from pointsman.routing.hosts import Fleet, Host
from pointsman.routing.queue import QueueRules, Ticket
from pointsman.stores.slot_files import SlotFiles
from tests.unit.policies.desk import FakeClock

URL = "http://gpu1:11434"


class Worker:
    """One process, as far as its slots are concerned."""

    def __init__(self, directory: Path, clock: FakeClock, slots: int, workers: int) -> None:
        self.clock = clock
        self.fleet = Fleet()
        self.fleet.queue_rules = QueueRules()
        self.host: Host = self.fleet.at(URL)
        self.fleet.resize(self.host, slots, 0.0)
        self.slots = WorkerSlots(self.fleet, directory, workers, clock)
        self.fleet.share_slots(self.slots)

    @property
    def running(self) -> list[Ticket]:
        return list(self.fleet.queue_of(self.host).started())

    @property
    def waiting(self) -> int:
        return self.fleet.queue_of(self.host).depth

    def come(self, model: str = "m", key: str = "k", **more: int) -> Ticket:
        ticket = Ticket(model, model, key, self.clock.monotonic(), **more)  # type: ignore[arg-type]
        enter(self.fleet, self.host, ticket)
        return ticket

    def go(self, ticket: Ticket) -> None:
        leave(self.fleet, self.host, ticket, self.clock.monotonic())


class Machine:
    def __init__(self, directory: Path, workers: int, slots: int) -> None:
        self.clock = FakeClock()
        self.directory, self.count, self.limit = directory, workers, slots
        self.workers = [self.start() for _ in range(workers)]

    def start(self) -> Worker:
        return Worker(self.directory, self.clock, self.limit, self.count)

    def kill(self, number: int) -> None:
        """The kernel closes its files; nothing else is done."""
        self.workers[number].slots.close()
        self.workers[number] = self.start()

    def pass_time(self, seconds: float = 0.6) -> None:
        self.clock.now += seconds
        for worker in self.workers:
            worker.slots.look()

    @property
    def running(self) -> int:
        return sum(len(worker.running) for worker in self.workers)

    def close(self) -> None:
        for worker in self.workers:
            worker.slots.close()


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    return lambda workers=2, slots=1: Machine(tmp_path, workers, slots)


def test_a_slot_that_another_worker_has_is_waited_for(machine: Callable[..., Machine]) -> None:
    both = machine()
    one, two = both.workers
    first, second = one.come(), two.come()
    assert one.running == [first] and two.running == [] and two.waiting == 1
    one.go(first)
    assert both.running == 0
    both.pass_time(0.01)
    assert two.running == [second]
    two.go(second)
    both.pass_time()
    assert SlotFiles(both.directory, "looker").peek(board_name(one.host)).startswith(b'{"shares":{},')


def test_with_room_everybody_runs_at_once(machine: Callable[..., Machine]) -> None:
    both = machine(slots=4)
    for worker in (*both.workers, *both.workers):
        worker.come()
    assert both.running == 4
    both.workers[0].come()
    assert both.running == 4


def test_the_slot_of_a_killed_worker_is_free_at_the_next_look(machine: Callable[..., Machine]) -> None:
    both = machine()
    both.workers[0].come()
    waiting = both.workers[1].come()
    both.kill(0)
    both.pass_time(0.51)
    assert both.workers[1].running == [waiting]


def test_one_workers_crowd_delays_anothers_request_by_one(machine: Callable[..., Machine]) -> None:
    both = machine()
    crowd, other = both.workers
    running = crowd.come(key="many")
    for _ in range(50):
        crowd.come(key="many")
    single = other.come(key="one")
    both.pass_time(0.01)
    crowd.go(running)
    both.pass_time(0.01)
    assert other.running == [single] or len(crowd.running) == 1
    for ticket in crowd.running:
        crowd.go(ticket)
    both.pass_time(0.01)
    assert other.running == [single]


def test_workers_do_not_swap_models_against_each_other(machine: Callable[..., Machine]) -> None:
    both = machine()
    one, two = both.workers
    one.come("x")
    for _ in range(3):
        one.come("x")
        two.come("y")
    order = "x"
    while both.running:
        worker = one if one.running else two
        both.clock.now += 1.0
        worker.go(worker.running[0])
        both.pass_time(0.01)
        order += "".join(ticket.model for each in both.workers for ticket in each.running)
    assert order == "xxxxyyy"


def test_who_is_passed_over_for_the_bounded_time_has_its_turn(machine: Callable[..., Machine]) -> None:
    both = machine()
    one, two = both.workers
    one.come("x")
    for _ in range(5):
        one.come("x")
    two.come("y")
    order = "x"
    while both.running:
        worker = one if one.running else two
        both.pass_time(12.0)
        worker.go(worker.running[0])
        both.pass_time(0.01)
        order += "".join(ticket.model for each in both.workers for ticket in each.running)
    assert order == "xxxyxxx"


def test_a_worker_that_stopped_in_the_midst_of_it_leaves_the_others_their_parts(
    machine: Callable[..., Machine], caplog: pytest.LogCaptureFixture
) -> None:
    both = machine(workers=2, slots=3)
    one = both.workers[0]
    path = both.directory / f"slots-{board_name(one.host)}.json"
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for _ in range(4):
            one.come()
        assert one.running == []
        both.pass_time(1.0)
        assert one.running == []
        both.pass_time(1.1)
        assert len(one.running) == 2
    both.pass_time()
    assert len(one.running) == 3, "it goes on: all three are free, as the other one says"
    assert caplog.text.count("keeps to its part") == 1


def test_where_the_files_cannot_be_used_each_keeps_to_its_part(machine: Callable[..., Machine]) -> None:
    both = machine(workers=2, slots=4)
    (both.directory / f"slots-{board_name(both.workers[0].host)}.json").mkdir()
    for _ in range(4):
        for worker in both.workers:
            worker.come()
    assert [len(worker.running) for worker in both.workers] == [2, 2]


def test_a_host_without_slots_asks_nobody(machine: Callable[..., Machine]) -> None:
    both = machine()
    worker = both.workers[0]
    worker.fleet.resize(worker.host, None, 0.0)
    tickets = [worker.come() for _ in range(20)]
    assert len(worker.running) == 20
    for ticket in tickets:
        worker.go(ticket)
    assert not list(both.directory.glob("slots-*"))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 4), slots=st.integers(1, 3))
def test_whatever_happens_there_are_never_more_than_the_slots_and_everybody_has_a_turn(
    tmp_path_factory: pytest.TempPathFactory, seed: int, workers: int, slots: int
) -> None:
    chance = random.Random(seed)
    machine = Machine(tmp_path_factory.mktemp("slots"), workers, slots)
    left: list[tuple[Worker, Ticket]] = []
    for _ in range(60):
        match chance.randrange(10):
            case 0 | 1 | 2 | 3:
                worker = chance.choice(machine.workers)
                ticket = worker.come(chance.choice("xy"), chance.choice("kl"), priority=chance.randrange(3))
                left.append((worker, ticket))
            case 4 | 5 | 6 if left:
                worker, ticket = left.pop(chance.randrange(len(left)))
                worker.go(ticket)
            case 7 if chance.random() < 0.3:
                number = chance.randrange(workers)
                left = [(worker, ticket) for worker, ticket in left if worker is not machine.workers[number]]
                machine.kill(number)
            case _:
                machine.pass_time(chance.choice([0.01, 0.6]))
        assert machine.running <= slots
    for _ in range(2 * len(left) + 4):
        machine.pass_time(2.0)
        for worker, ticket in [each for each in left if each[1] in each[0].running]:
            worker.go(ticket)
            left.remove((worker, ticket))
        assert machine.running <= slots
    assert not left
    machine.close()
