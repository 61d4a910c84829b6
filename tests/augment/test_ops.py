"""Augmentation ops by name: each has words and a setting whose default is in range."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from midog.augment.ops import OPS


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_words_and_a_default_in_range(name):
    assert OPS[name].about
    assert TypeAdapter(OPS[name].setting).validate_python(OPS[name].default) == OPS[name].default
