"""A pool of workers does every image once, whatever becomes of workers and nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import DeviceError, MidogError
from midog.inference.outcome import Outcome
from midog.scale.pool import MOST_LOSSES, Event, do_all
from midog.scale.worker import Report


class Nodes:
    """A cluster whose workers answer in a random order, and die at random or with an image."""

    def __init__(
        self, names: Sequence[str], room: int, *, deaths: int = 0, seed: int = 0, deadly: str = ""
    ) -> None:
        self.names, self.room, self.deaths, self.deadly = names, room, deaths, deadly
        self.rng, self.always = np.random.default_rng(seed), False
        self.asked: dict[int, int | None] = {}
        self.dead: set[int] = set()
        self.workers, self.did = 0, list[str]()

    def capacity(self) -> int:
        return self.room

    def start(self) -> int:
        self.workers += 1
        self.asked[self.workers] = None
        return self.workers

    def ask(self, worker: int, image: int | None) -> None:
        assert worker not in self.asked, "it has one thing to answer at a time"
        self.asked[worker] = image

    def end(self, worker: int) -> None:
        assert worker in self.dead

    def wait(self, seconds: float) -> list[Event]:
        worker = int(self.rng.choice(list(self.asked)))
        image = self.asked.pop(worker)
        name = "" if image is None else self.names[image]
        if worker not in self.dead and self.deaths and (self.always or self.rng.random() < 0.3):
            self.deaths -= 1
            self.dead.add(worker)
        if worker in self.dead or (name and name == self.deadly):
            self.dead.add(worker)
            return [Event(worker, None)]
        if image is None:
            return [Event(worker, Report())]
        self.did.append(name)
        return [Event(worker, Report(Outcome(figures={name: image})))]


@given(st.integers(0, 20), st.integers(1, 5), st.integers(0, 2), st.integers(0, 10_000))
def test_every_image_is_done_once_and_told_in_order(images, room, deaths, seed):
    names = [f"{number}.tif" for number in range(images)]
    nodes, told = Nodes(names, room, deaths=deaths, seed=seed), list[str]()
    outcome = do_all(nodes, names, lambda name, figures: told.append(name))
    assert list(outcome.figures.items()) == [(name, number) for number, name in enumerate(names)]
    assert sorted(nodes.did) == sorted(told) == sorted(names)
    assert not outcome.failed
    assert nodes.workers <= min(room, images) + deaths


def test_an_image_that_ends_its_workers_is_given_up_and_the_others_are_done(caplog):
    names = ["a", "b", "deadly", "c"]
    nodes = Nodes(names, 2, deadly="deadly")
    outcome = do_all(nodes, names)
    assert list(outcome.figures) == ["a", "b", "c"]
    assert str(outcome.failed["deadly"]).startswith("deadly: 3 workers ended while they did it;")
    assert caplog.text.count("a worker was lost with deadly") == MOST_LOSSES - 1


def test_workers_that_never_become_ready_end_the_work():
    nodes = Nodes(["a"], 1, deaths=1000)
    nodes.always = True
    with pytest.raises(MidogError, match="5 workers ended before they were ready; look into"):
        do_all(nodes, ["a"])


def test_what_is_wrong_with_a_device_ends_the_work_and_lines_are_logged(caplog):
    class Full(Nodes):
        def wait(self, seconds: float) -> list[Event]:
            worker, _ = self.asked.popitem()
            return [Event(worker, Report(None, DeviceError("full"), ((30, "a.tif: odd"),)))]

    with pytest.raises(DeviceError, match="full"):
        do_all(Full(["a"], 1), ["a"])
    assert "a.tif: odd" in caplog.text


def test_an_idle_worker_that_died_costs_a_lost_image_nothing():
    """The last image is lost with its worker, and all idle ones died meanwhile."""
    names = ["a", "b", "c", "last"]
    nodes = Nodes(names, 4)

    def wait(seconds: float) -> list[Event]:
        for worker, image in list(nodes.asked.items()):
            if image == 3 and len(nodes.did) < 3:
                continue
            if image == 3 and not nodes.dead:
                nodes.dead |= set(range(1, 5))
            del nodes.asked[worker]
            if worker in nodes.dead:
                return [Event(worker, None)]
            if image is not None:
                nodes.did.append(names[image])
                return [Event(worker, Report(Outcome(figures={names[image]: 1})))]
            return [Event(worker, Report())]
        return []

    nodes.wait = wait  # type: ignore[method-assign]
    outcome = do_all(nodes, names)
    assert list(outcome.figures) == names
    assert nodes.workers > 4
