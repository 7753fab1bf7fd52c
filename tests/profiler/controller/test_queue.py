"""The work queue, with a clock that only moves when a test says so."""

from __future__ import annotations

import threading

from profiler.controller.queue import WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drain(queue: WorkQueue[str]) -> list[str]:
    """Take and finish what is due now."""
    taken = []
    while (key := queue._next()) is not None:
        taken.append(key)
    return taken


def test_a_key_that_is_added_twice_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    queue.add("a")
    assert drain(queue) == ["a"]


def test_a_change_while_a_key_is_worked_on_runs_it_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    assert queue.take() == "a"
    queue.add("a")
    assert drain(queue) == []
    queue.done("a")
    assert queue.take() == "a"


def test_an_earlier_time_wins_over_a_later_one() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a", after=10)
    queue.add("a", after=1)
    clock.now = 1
    assert drain(queue) == ["a"]
    clock.now = 10
    assert drain(queue) == []


def test_failures_back_off_and_success_forgets_them() -> None:
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    waits = []
    for _ in range(4):
        queue.add("a")
        assert queue.take() == "a"
        queue.done("a", failed=True)
        before = clock.now
        while not (taken := drain(queue)):
            clock.now += 0.5
        assert taken == ["a"]
        waits.append(clock.now - before)
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_closing_lets_waiting_workers_go() -> None:
    queue: WorkQueue[str] = WorkQueue()
    got: list[str | None] = []
    worker = threading.Thread(target=lambda: got.append(queue.take()))
    worker.start()
    queue.close()
    worker.join(5)
    assert got == [None]
