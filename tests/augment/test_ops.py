"""OPS: every op whole, in the order of every release."""

from __future__ import annotations

import numpy as np
import pytest

from midog.augment.ops import OPS
from midog.config.schema import augment_settings


def test_numbers_are_drawn_in_the_order_of_every_release():
    draws = [(name, op.draws) for name, op in OPS.items()]
    assert draws[:4] == [("flip", 1), ("stain", 3), ("brightness", 3), ("blur", 2)]


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_whole(name):
    op = OPS[name]
    assert op.about
    assert getattr(augment_settings()(), name) == op.default
    numbers = np.full((3, op.draws), 0.5, np.float32)
    parameters = op.parameters(numbers, op.default)
    assert {len(values) for values in parameters.values()} == {3}
