"""Slides dealt to parts: none is cut, each part has its share of both classes, a seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.data.patches.deal import deal_slides
from midog.errors import ConfigError

SLIDES = [f"s{number:02d}" for number in range(40) for _ in range(5 + number % 7)]
LABELS = np.random.default_rng(0).integers(0, 2, len(SLIDES))


@given(st.integers(0, 50))
def test_each_part_gets_about_its_share_of_both_classes(seed):
    parts = deal_slides(SLIDES, LABELS, val=0.2, test=0.3, seed=seed)
    assert set(parts) == set(SLIDES)
    for label in (0, 1):
        own = [parts[slide] for slide, one in zip(SLIDES, LABELS, strict=True) if one == label]
        for part, share in (("train", 0.5), ("val", 0.2), ("test", 0.3)):
            assert own.count(part) / len(own) == pytest.approx(share, abs=0.06)


def test_a_class_of_few_slides_is_in_every_part():
    slides = ["a"] * 60 + ["b"] * 20 + ["c"] * 40 + [f"m{number}" for number in range(300)]
    labels = np.array([1] * 120 + [0] * 300)
    parts = deal_slides(slides, labels, val=0.15, test=0.25, seed=0)
    assert {parts[slide] for slide in "abc"} == {"train", "val", "test"}


def test_the_seed_alone_decides():
    def parts(seed: int, order=slice(None)) -> dict[str, str]:
        return deal_slides(SLIDES[order], LABELS[order], val=0.2, test=0.2, seed=seed)

    assert parts(1) == parts(1, slice(None, None, -1))
    assert parts(1) != parts(2)


@pytest.mark.parametrize(("val", "test"), [(0.5, 0.5), (0.0, 0.2), (0.7, 0.6)])
def test_shares_that_leave_a_part_empty_are_an_error(val, test):
    with pytest.raises(ConfigError, match="leave a part without patches"):
        deal_slides(SLIDES, LABELS, val=val, test=test, seed=0)
