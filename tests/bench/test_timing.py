"""Turns: their order, warm-up and clock."""

from __future__ import annotations

import itertools

import pytest
import torch

from midog.bench.timing import best_rate, fits, take_turns

CPU = torch.device("cpu")


def test_things_take_turns_after_one_round_that_does_not_count():
    order: list[str] = []
    things = {name: (lambda name=name: order.append(name)) for name in ("a", "b")}
    taken = take_turns(things, rounds=3, device=CPU)
    assert order == ["a", "b"] * 4
    assert {name: len(each) for name, each in taken.items()} == {"a": 3, "b": 3}


def test_without_warm_up_every_round_counts():
    order: list[str] = []
    take_turns({"a": lambda: order.append("a")}, rounds=2, device=CPU, warm_up=False)
    assert order == ["a", "a"]


def test_each_thing_is_timed_alone():
    ticks = itertools.count()
    now = [0.0]

    def clock() -> float:
        next(ticks)
        return now[0]

    def spend(seconds: float) -> None:
        now[0] += seconds

    things = {"slow": lambda: spend(3.0), "quick": lambda: spend(0.5)}
    taken = take_turns(things, rounds=4, device=CPU, enough_s=1e9, clock=clock)
    assert taken["slow"].tolist() == [3.0] * 4
    assert taken["quick"].tolist() == [0.5] * 4


def test_what_takes_long_gets_fewer_rounds_but_one():
    now = [0.0]

    def hour() -> None:
        now[0] += 3600.0

    taken = take_turns({"a": hour}, rounds=9, device=CPU, enough_s=60, clock=lambda: now[0])
    assert len(taken["a"]) == 1


@pytest.mark.parametrize("work", [1.0, 7.0])
def test_the_best_rate_is_work_over_the_quickest_call(work, monkeypatch):
    seconds = iter([0.0, *[0.2, 0.1, 0.4, 0.4, 0.4]])
    monkeypatch.setattr("midog.bench.timing.seconds_of", lambda run, device: next(seconds) or 1.0)
    assert best_rate(lambda: None, work, CPU, at_least_s=1.0) == pytest.approx(work / 0.1)


@pytest.mark.parametrize("warm_up", [True, False])
def test_what_runs_out_of_memory_gets_no_further_turn_and_the_others_go_on(warm_up):
    order: list[str] = []

    def hungry() -> None:
        order.append("hungry")
        raise torch.OutOfMemoryError("CUDA out of memory")

    runs = {"hungry": hungry, "small": lambda: order.append("small")}
    taken = take_turns(runs, rounds=3, device=CPU, warm_up=warm_up)
    assert order.count("hungry") == 1
    assert not fits(taken["hungry"])
    assert fits(taken["small"])
    assert len(taken["hungry"]) == len(taken["small"]) == 3


def test_another_error_ends_the_turns():
    def broken() -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        take_turns({"a": broken}, rounds=1, device=CPU)
