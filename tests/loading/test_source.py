"""A source of two views and two streams, labelled and unlabelled, goes through the loader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple, TypedDict

import pytest
import torch
from torch import Tensor

from midog.augment.draw import Augmentation
from midog.loading.batches import Loader
from midog.loading.source import Batch
from midog.random_streams import generators


class Place(NamedTuple):
    """A place in one of two streams of slides."""

    labelled: bool
    slide: int
    x: int


class Classes(TypedDict):
    """label: (B,) int64, -1 where the stream is unlabelled. labelled: (B,) bool."""

    label: Tensor
    labelled: Tensor


class TwoStreams:
    """40 draws an epoch, a quarter of them from unlabelled slides, seen at two magnifications."""

    view_shapes = ((8, 8, 3), (4, 4, 3))

    def __len__(self) -> int:
        return 40

    def locations(self, seed: int, epoch: int) -> Callable[[Sequence[int]], list[Place]]:
        def at(indices: Sequence[int]) -> list[Place]:
            draws = generators(seed, "train", epoch, indices)
            return [
                Place(rng.random() < 0.75, int(rng.integers(5)), int(rng.integers(100)))
                for rng in draws
            ]

        return at

    def augmentation(
        self, seed: int, epoch: int, indices: Sequence[int], locations: object
    ) -> None:
        return None

    def pixels(
        self, locations: Sequence[Place], augmentation: Augmentation | None, out: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], None]:
        near, far = out
        for number, place in enumerate(locations):
            near[number], far[number] = place.x, 100 + place.slide
        return (near, far), None

    def targets(self, locations: Sequence[Place], augmentation: Augmentation | None) -> Classes:
        labels = [place.slide % 2 if place.labelled else -1 for place in locations]
        labelled = torch.tensor([place.labelled for place in locations])
        return Classes(label=torch.tensor(labels), labelled=labelled)

    def cutting(self) -> nullcontext[None]:
        return nullcontext()


def loader(batch_size: int = 4, workers: int = 0) -> Loader[Place, Classes]:
    return Loader(TwoStreams(), batch_size, workers, seed=3)


def rows(batches) -> list[tuple[int, int, int, int, bool]]:
    """Index, both views, label and stream of every patch, taken while each batch is valid."""
    return [
        (index, int(near[0, 0, 0]), int(far[0, 0, 0]), int(label), bool(labelled))
        for batch in batches
        for index, near, far, label, labelled in zip(
            batch.indices, *batch.views, *batch.targets.values(), strict=True
        )
    ]


def test_both_views_and_both_streams_come_through():
    batches = list(loader(workers=1).batches(0, start=9))
    assert [view.shape for view in batches[0].views] == [(4, 8, 8, 3), (4, 4, 4, 3)]
    seen = rows(loader(workers=2).batches(1))
    places = TwoStreams().locations(3, 1)(range(40))
    assert [(row[1], row[2] - 100, row[4]) for row in seen] == [
        (place.x, place.slide, place.labelled) for place in places
    ]
    assert {labelled for *_, labelled in seen} == {True, False}
    assert all((label == -1) != labelled for *_, label, labelled in seen)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_are_the_same_for_any_workers_ranks_and_start(workers):
    whole = rows(loader().batches(2))
    assert [row[0] for row in whole] == list(range(40))
    assert rows(loader(workers=workers).batches(2, start=3)) == whole[12:]
    ranks = [rows(loader(2, workers).batches(2, rank=rank, world=2)) for rank in (0, 1)]
    assert sorted(ranks[0] + ranks[1]) == whole
    assert rows(loader(workers=workers).batches(3)) != whole


def test_memory_of_every_view_is_reused():
    batches = loader(workers=1)
    for view in (0, 1):
        places = [
            {batch.views[view].data_ptr() for batch in batches.batches(epoch)} for epoch in (0, 1)
        ]
        assert len(places[0]) == 3
        assert places[0] == places[1]


def test_a_batch_of_two_views_has_no_only_one():
    batch: Batch[Classes] = next(loader().batches())
    assert len(batch) == 4
    with pytest.raises(ValueError, match="too many values"):
        _ = batch.images
