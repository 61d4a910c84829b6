"""Copy-paste: figures of other places of the training data, where a patch has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    from midog.augment.op import Numbers, Parameters, ReferencePixels
    from midog.augment.pasted import Figures

PLACES = 8
"""Places that are tried in a patch."""


def drawn_pastes(numbers: Numbers, share: float, figures: Figures) -> Parameters:
    """Return which patches get a figure, which one, how it is turned, and the places to try.

    After Ghiasi et al., 'Simple copy-paste is a strong data augmentation method for instance
    segmentation', CVPR 2021. What is pasted where depends on the boxes of the patches, see
    `pasted.pastes_of`.

    Args:
        numbers: (B, 3 + 2 * PLACES) float32 in [0, 1).
        share: Of the patches.
        figures: To choose from.

    Returns:
        pasted: (B,) bool. choices: (B,) float32 in [0, 1). turns: (B,) int64, 0 to 7, as of
        `flip.turn_boxes`. places: (B, PLACES, 2) float32 in [0, 1), x y.
    """
    import numpy as np

    assert len(figures.crops) == len(figures.boxes)
    return {
        "pasted": numbers[:, 0] < share,
        "choices": numbers[:, 1],
        "turns": (numbers[:, 2] * 8).astype(np.int64).clip(max=7),
        "places": numbers[:, 3:].reshape(-1, PLACES, 2),
    }


def _figures(pixels: ReferencePixels, share: float) -> Figures:
    from midog.augment.pasted import figures_of

    assert share
    return figures_of(pixels.figures())


def _described(figures: Figures) -> dict[str, Any]:
    return {"figures": {scanner: len(own) for scanner, own in figures.by_scanner.items()}}


COPY_PASTE = Op(
    about="share of patches into which a figure of the same scanner is pasted",
    setting=Annotated[float, Field(ge=0, le=1)],
    default=0.0,
    draws=3 + 2 * PLACES,
    parameters=drawn_pastes,
    references=_figures,
    describe=_described,
    is_share=True,
    example=1.0,
)
