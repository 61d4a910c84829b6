"""Backbones and detectors by name: settings that are in range, words for each."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from midog.models.registry import BACKBONES, DETECTORS, RetinaNetSettings


@pytest.mark.parametrize(("name", "entry"), [*BACKBONES.items(), *DETECTORS.items()])
def test_every_entry_has_words_and_settings_that_name_it(name, entry):
    assert entry.about
    assert entry.settings(kind=name).kind == name


def test_the_network_sees_images_as_much_larger_as_the_patches_that_it_was_trained_on():
    assert RetinaNetSettings().magnification(512) == 1
    assert RetinaNetSettings(resize=800).magnification(512) == 800 / 512


@pytest.mark.parametrize("sizes", [(), ((40,), (40, 50)), ((),), ((-1,),)])
def test_anchor_sizes_are_positive_and_of_one_length(sizes):
    with pytest.raises(ValidationError, match="anchor_sizes"):
        RetinaNetSettings(anchor_sizes=sizes)
