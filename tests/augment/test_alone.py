"""One op at a time: as it is set or at a usual setting, on every patch."""

from __future__ import annotations

import pytest

from midog.augment.alone import alone, none, setting_words
from midog.augment.fda import FdaSettings
from midog.augment.ops import OPS
from midog.config.schema import augment_settings


@pytest.mark.parametrize("name", OPS)
def test_one_op_is_on_and_all_others_are_off(name):
    own = alone(name, augment_settings()())
    assert [other for other in OPS if getattr(own, other)] == [name]
    assert not any(getattr(none(), other) for other in OPS)


def test_an_op_is_as_it_is_set_but_on_every_patch():
    augment = augment_settings()(hed=0.07, fda=FdaSettings(share=0.1, beta=0.05), blur=0.2)
    assert alone("hed", augment).hed == 0.07
    assert alone("fda", augment).fda == FdaSettings(share=1.0, beta=0.05)
    assert alone("blur", augment).blur == 1
    assert alone("jpeg", augment).jpeg == OPS["jpeg"].example


def test_a_setting_in_words():
    assert setting_words(0.2) == "0.2"
    assert setting_words(True) == "true"
    assert setting_words(FdaSettings(share=1.0)) == "share 1.0, beta 0.01"
