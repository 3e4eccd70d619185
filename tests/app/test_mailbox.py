from __future__ import annotations

import threading

from PyQt6.QtCore import Qt
from recorded import make_scene, make_state, moved

from app.mailbox import Mailbox
from refine_engine.state import Snapshot


def snapshot(iteration: int, state: object) -> Snapshot:
    return Snapshot(
        event="iteration",
        sub_stage="root",
        iteration=iteration,
        total_loss=1.0 / iteration,
        terms={"data": 1.0 / iteration},
        state=state,  # type: ignore[arg-type]
        alpha_sigma=None,
        seconds=0.01 * iteration,
    )


def test_newest_snapshot_wins_and_no_loss_is_lost() -> None:
    state = make_state(make_scene(10))
    box, ready = Mailbox(), []
    box.ready.connect(lambda: ready.append(1), Qt.ConnectionType.DirectConnection)
    for iteration in range(1, 101):
        box.put(snapshot(iteration, moved(state, iteration)))
    delivery = box.take()
    assert len(ready) == 1
    assert delivery.snapshot is not None
    assert delivery.snapshot.iteration == 100
    assert [r.iteration for r in delivery.records] == list(range(1, 101))
    assert box.take().snapshot is None
    box.put(snapshot(101, state))
    assert len(ready) == 2


def test_two_threads_lose_nothing() -> None:
    state = make_state(make_scene(10))
    box = Mailbox()
    got: list[int] = []

    def produce() -> None:
        for iteration in range(1, 2001):
            box.put(snapshot(iteration, state))

    worker = threading.Thread(target=produce)
    worker.start()
    while worker.is_alive():
        got += [r.iteration for r in box.take().records]
    got += [r.iteration for r in box.take().records]
    assert got == list(range(1, 2001))
