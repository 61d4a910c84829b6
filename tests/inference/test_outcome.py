"""Outcomes of single images become one of all, in the images' order, wherever each was made."""

from __future__ import annotations

import math
import pickle

from midog.errors import ImageError
from midog.inference.outcome import Counted, Outcome, Spent
from midog.inference.stage_times import StageTimes


def test_outcomes_are_joined_in_the_order_of_the_images():
    times = StageTimes()
    with times.of("network"):
        pass
    parts = [
        Outcome(figures={"c": 2}, spent={"c": Spent(2.0, 1_000_000, times)}),
        Outcome(failed={"d": ImageError("bad")}),
        Outcome(skipped=["b"]),
        Outcome(figures={"a": 1}, spent={"a": Spent(1.0, 2_000_000, StageTimes())}),
    ]
    whole = Outcome.joined(pickle.loads(pickle.dumps(parts)), ["a", "b", "c", "d", "e"])
    assert list(whole.figures.items()) == [("a", 1), ("c", 2)]
    assert (whole.skipped, list(whole.failed), list(whole.spent)) == (["b"], ["d"], ["a", "c"])
    assert whole.ms_per_megapixel == 1000.0
    assert whole.spent["c"].times["network"] == times["network"]
    assert math.isnan(Outcome.joined([], ["a"]).ms_per_megapixel)


def test_atypical_figures_are_noted_where_they_are_told():
    own, other = Outcome(), Outcome()
    own.add("b", Counted(3))
    other.add("a", Counted(5, 2))
    whole = Outcome.joined([own, other], ["a", "b"])
    assert whole.figures == {"a": 5, "b": 3}
    assert whole.atypical == {"a": 2}
