"""What a phantom slide holds lies where it belongs, whatever the seed."""

from __future__ import annotations

import numpy as np
import pytest

from midog.data.phantom.slide_plan import Ring, outlines, plan_slide
from midog.tissue.rings import fill_area

SIZE_UM = (2048.0, 1536.0)


def filled(*rings: Ring) -> np.ndarray:
    """Px of 4 um."""
    mask = np.zeros((384, 512), bool)
    for ring in rings:
        fill_area(mask, [ring / 4])
    return mask


@pytest.mark.parametrize("seed", range(6))
def test_metastases_lie_in_the_node_and_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plan = plan_slide(rng, SIZE_UM, with_tumour=True, with_pen=True)
    node = filled(plan.node)
    assert 0.2 < node.mean() < 0.6
    assert ((plan.node > 0) & (plan.node < SIZE_UM)).all()
    masks = [filled(ring) for ring in plan.tumours]
    assert masks
    assert (np.sum(masks, axis=0) <= 1).all()
    assert not np.any(masks, axis=0)[~node].any()
    (hole,) = plan.holes
    assert not filled(hole)[~masks[0]].any()
    assert [group for group, _ in outlines(plan)] == ["_0"] * len(masks) + ["_2"]
    assert plan.strokes
    assert plan.follicles


def test_a_slide_without_tumour_or_pen() -> None:
    plan = plan_slide(np.random.default_rng(0), SIZE_UM, with_tumour=False, with_pen=False)
    assert not outlines(plan)
    assert not plan.strokes
    assert plan.fat
