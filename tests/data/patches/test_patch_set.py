"""Labelled patches: both classes, one size, no slide in two parts; and their fingerprint."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog.data.patches.patch_set import PatchSet, settled
from midog.errors import DataError

CLASSES = ("normal", "atypical")


def patches(role: str, slides: tuple[str, ...], labels=(0, 1, 0), side: int = 32) -> PatchSet:
    names = [f"{role}[{number}]" for number in range(len(labels))]
    return PatchSet(role, side, np.array(labels), slides, names, ())


TRAIN, VAL = patches("train", ("a", "a", "b")), patches("val", ("c", "c", "d"))


def test_parts_are_found_by_role():
    data = settled("d", CLASSES, [TRAIN, VAL])
    assert data.of("val") is VAL
    with pytest.raises(DataError, match="d has no patches of test, only of train, valid"):
        data.of("test")


def test_a_slide_in_two_parts_is_an_error():
    leaking = patches("test", ("d", "e", "e"))
    with pytest.raises(DataError, match=r"1 slides are in valid and in test \(d\)"):
        settled("d", CLASSES, [TRAIN, VAL, leaking])


def test_train_and_valid_need_both_classes_and_test_does_not():
    with pytest.raises(DataError, match="no patch of valid is of class atypical"):
        settled("d", CLASSES, [TRAIN, patches("val", ("c", "c", "d"), (0, 0, 0))])
    settled("d", CLASSES, [TRAIN, patches("test", ("c", "c", "d"), (0, 0, 0))])


def test_other_sizes_are_an_error():
    with pytest.raises(DataError, match="patches of 32 px and 64 px"):
        settled("d", CLASSES, [TRAIN, replace(VAL, side=64)])


def test_patches_of_unknown_slides_are_units_of_their_own_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING, "midog"):
        data = settled("d", CLASSES, [patches("train", ())])
    assert "nothing says which slides the patches of train are from" in caplog.text
    assert data.of("train").units == ("train[0]", "train[1]", "train[2]")


def test_the_fingerprint_changes_with_what_is_learned_not_with_the_place(tmp_path):
    def fingerprint(folder: str, size: int = 3, **changes) -> str:
        path = tmp_path / folder / "x.h5"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(size))
        own = replace(TRAIN, files=(Path(path),), **changes)
        return settled("d", CLASSES, [own, VAL]).fingerprint

    first = fingerprint("a")
    assert fingerprint("b") == first
    assert fingerprint("c", size=4) != first
    assert fingerprint("a", labels=np.array([1, 0, 0])) != first
    assert fingerprint("a", slides=("a", "b", "b")) != first
    assert settled("d", ("x", "y"), [TRAIN, VAL]).fingerprint != first
