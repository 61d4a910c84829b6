"""Colours of ink, debris and shadow are left out; those of stained tissue are not."""

from __future__ import annotations

import numpy as np
import pytest

from midog.tissue.kinds import BLACK, GLASS, GREY, LINE, PEN, SPECK, TISSUE
from midog.tissue.left_out import colours_left_out, shapes_left_out, whole_strokes
from tests.tissue.slides import EOSIN, INK, NUCLEI

HAEMATOXYLIN, EOSIN_OD = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])


def kind_of(colour: tuple[float, ...]) -> int:
    return int(colours_left_out(np.array([[colour]], np.float32) / 255)[0, 0])


@pytest.mark.parametrize("amount", [0.1, 0.3, 0.6, 0.8])
@pytest.mark.parametrize("haematoxylin", [0.0, 0.3, 0.7, 1.0])
def test_no_mixture_of_the_stains_is_left_out(amount: float, haematoxylin: float) -> None:
    density = amount * (haematoxylin * HAEMATOXYLIN + (1 - haematoxylin) * EOSIN_OD)
    assert kind_of(tuple(255 * 10**-density)) == GLASS


@pytest.mark.parametrize("colour", [EOSIN, NUCLEI, (243, 242, 244), (170, 180, 210), (95, 60, 40)])
def test_tissue_glass_mucin_and_melanin_are_not_left_out_for_their_colour(
    colour: tuple[int, int, int],
) -> None:
    assert kind_of(colour) == GLASS


@pytest.mark.parametrize("ink", INK)
def test_ink_is_left_out(ink: str) -> None:
    assert kind_of(INK[ink]) == (BLACK if ink == "black" else PEN)


@pytest.mark.parametrize(
    ("colour", "kind"),
    [((5, 2, 8), BLACK), ((30, 0, 0), BLACK), ((120, 120, 120), GREY), ((180, 178, 175), GREY)],
)
def test_what_absorbs_all_colours_alike_is_left_out(
    colour: tuple[int, int, int], kind: int
) -> None:
    assert kind_of(colour) == kind


def test_a_small_patch_of_ink_is_none_and_a_stroke_has_its_rim() -> None:
    kinds = np.full((60, 60), GLASS, np.uint8)
    kinds[5:10, 5:10] = PEN
    kinds[30:50, 30:50] = PEN
    kinds = whole_strokes(kinds, 0.008**2)
    assert (kinds[:20, :20] == GLASS).all()
    assert (kinds[27:53, 27:53] == PEN).all()
    assert (kinds == PEN).sum() == 26**2


def test_shapes_are_told_in_millimetres() -> None:
    tissue = np.zeros((200, 300), bool)
    tissue[20:90, 20:200] = True
    tissue[40:45, 40:45] = False  # a hole of 0.0016 mm2
    tissue[60:80, 60:80] = False  # one of 0.026 mm2
    tissue[150:155, 10:290] = True  # 2.2 mm long, 0.04 mm wide
    tissue[120:125, 120:125] = True
    tissue[195:, 295:] = True  # a speck that may continue beyond the image
    kinds = shapes_left_out(tissue, (0.008, 0.008))
    assert (kinds[40:45, 40:45] == TISSUE).all()
    assert (kinds[60:80, 60:80] == GLASS).all()
    assert (kinds[150:155, 10:290] == LINE).all()
    assert (kinds[120:125, 120:125] == SPECK).all()
    assert (kinds[195:, 295:] == TISSUE).all()
    assert (kinds == LINE).sum() == 5 * 280
    coarse = shapes_left_out(tissue, (0.1, 0.1))
    assert not np.isin(coarse, (LINE, SPECK)).any()
    assert (coarse[40:45, 40:45] == GLASS).all()
