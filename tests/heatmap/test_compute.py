"""A map computed: right where tumour is, on tissue alone, resumed, averaged over turns."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor

from midog.errors import ConfigError, ImageError
from midog.heatmap.compute import MapJob, MapSettings, compute_map
from midog.heatmap.heat_map import HeatMap
from midog.heatmap.stored_rows import StoredRows
from midog.images.image import as_image
from midog.models.classifiers.views import View, views_in
from midog.mpp import Mpp
from midog.tissue.from_pixels import tissue_mask
from tests.heatmap.drawn import ISLAND, MPP, SIDE, TUMOUR, Purple, classifier, slide


def compute(tmp_path, network=None, *, settings=None, tissue=None, pixels=None, **rest) -> HeatMap:
    pixels = slide() if pixels is None else pixels
    mpp = Mpp.of(rest.pop("mpp", MPP))
    own = classifier(tmp_path / "model", network)
    job = MapJob.of(own, as_image(pixels, mpp), mpp, tissue, settings or MapSettings(16))
    return compute_map(job, StoredRows(tmp_path / "rows", "key"), **rest)


def at(heat_map: HeatMap, x: float, y: float) -> float:
    """The value at a point, level-0 px."""
    return float(heat_map.values[int(y * heat_map.scale[1]), int(x * heat_map.scale[0])])


def test_the_map_is_high_in_tumour_and_low_around_it_at_its_place(tmp_path):
    own = compute(tmp_path)
    assert own.values.shape == (57, 82)
    assert own.map_mpp == (8, 8)
    x1, y1, x2, y2 = TUMOUR
    for x in (x1 + 24, x2 - 24):
        for y in (y1 + 24, y2 - 24):
            assert at(own, x, y) > 0.95
    for x, y in [(x1 - 40, 300), (x2 + 40, 300), (500, y1 - 40), (500, y2 + 40), (20, 20)]:
        assert at(own, x, y) < 0.05
    # the edge lies where windows are half tumour, to half a px of the map
    row = own.values[int(350 / 16)]
    taken = np.flatnonzero(row >= 0.5) * 16
    assert abs(taken[0] - x1) <= 8
    assert abs(taken[-1] + 16 - x2) <= 8
    assert (own.name, own.threshold) == ("tumour", 0.5)


@pytest.mark.parametrize("mpp", [0.25, 1.0])
def test_a_slide_of_another_um_per_px_has_the_map_at_the_same_place(tmp_path, mpp):
    pixels = slide()
    pixels = pixels.repeat(2, axis=0).repeat(2, axis=1) if mpp < MPP else pixels[::2, ::2]
    own = compute(tmp_path, pixels=np.ascontiguousarray(pixels), mpp=mpp)
    scale = MPP / mpp
    x1, y1, x2, y2 = (side * scale for side in TUMOUR)
    assert at(own, x1 + 24 * scale, y1 + 24 * scale) > 0.95
    assert at(own, x2 - 24 * scale, y2 - 24 * scale) > 0.95
    assert at(own, x1 - 40 * scale, y1 + 80 * scale) < 0.05
    assert own.map_mpp == pytest.approx((8, 8))


def test_glass_is_not_looked_at(tmp_path):
    mask = tissue_mask(slide(), mpp=MPP)
    network = Purple()
    own = compute(tmp_path, network, tissue=mask)
    x1, y1, x2, y2 = ISLAND
    assert np.isnan(at(own, 20, 20))
    assert not np.isnan(at(own, x1 + 20, y1 + 20))
    inside = own.looked_at.sum()
    assert inside == pytest.approx((x2 - x1) * (y2 - y1) / 256, rel=0.12)
    assert network.seen < 57 * 82, "windows on glass cost nothing"
    fewer = compute(tmp_path / "b", tissue=mask, settings=MapSettings(16, min_tissue=0.99))
    assert fewer.looked_at.sum() < inside


class Stopped(Exception):
    pass


def test_what_is_done_is_not_done_again_and_the_map_is_the_same(tmp_path):
    pixels = np.tile(slide(700, 900), (3, 1, 1))
    network = Purple()
    whole = compute(tmp_path / "a", network, pixels=pixels)
    rest = Purple()

    def stop(done: int, total: int) -> None:
        assert total == 3
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        compute(tmp_path / "b", rest, pixels=pixels, on_step=stop)
    before = rest.seen
    again = Purple()
    resumed = compute(tmp_path / "b", again, pixels=pixels)
    assert np.array_equal(resumed.values, whole.values, equal_nan=True)
    assert before + again.seen == network.seen
    assert 0 < again.seen < before


@pytest.mark.parametrize("workers", [0, 3])
def test_the_number_of_readers_changes_nothing(tmp_path, workers):
    one = compute(tmp_path / "a", workers=1)
    assert np.array_equal(compute(tmp_path / "b", workers=workers).values, one.values)


class LeftHalf(Purple):
    """Sees the left half of a window alone."""

    def logits(self, images: Tensor) -> Tensor:
        return super().logits(images[..., : images.shape[-1] // 2])


def test_orientations_are_averaged(tmp_path):
    settings = MapSettings(SIDE, orientations=8)
    pixels = np.ascontiguousarray(slide()[144:784, 144:1168])  # windows that are half tumour
    own = compute(tmp_path / "a", LeftHalf(), settings=settings, pixels=pixels).values
    turned = np.ascontiguousarray(pixels.transpose(1, 0, 2)[::-1])
    other = compute(tmp_path / "b", LeftHalf(), settings=settings, pixels=turned).values
    assert other == pytest.approx(own.T[::-1], abs=1e-5)
    alone = compute(tmp_path / "c", LeftHalf(), settings=MapSettings(SIDE), pixels=pixels).values
    assert np.abs(alone - own).max() > 0.1


class TwoScales(Purple):
    """Sees the middle of a patch, and all of it half as large; the near view decides."""

    def views(self, side: int) -> tuple[View, ...]:
        return View(side // 2), View(side // 2, 2)

    def logits(self, images: Tensor) -> Tensor:
        near, far = views_in(images, self.views(images.shape[-1]))
        assert near.shape == far.shape
        return super().logits(near)


def test_what_a_network_of_two_magnifications_says_holds_for_its_near_view(tmp_path):
    own = compute(tmp_path / "a", TwoScales(), settings=MapSettings("auto"))
    assert own.map_mpp == (4, 4), "half of the near view of 16 px of 0.5 um"
    x1, y1, x2, y2 = TUMOUR
    for x, y in [(x1 + 24, y1 + 24), (x2 - 24, y2 - 24), (x1 + 24, y2 - 24)]:
        assert at(own, x, y) > 0.9
    assert at(own, x1 - 40, y1 + 40) < 0.05


@pytest.mark.parametrize("stride", [0, SIDE + 1])
def test_a_stride_that_leaves_tissue_out_is_refused(tmp_path, stride):
    with pytest.raises(ConfigError, match="give stride from 1 to 32"):
        compute(tmp_path, settings=MapSettings(stride))


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="1, 2, 4, 8"):
        MapSettings(orientations=3)
    with pytest.raises(ConfigError, match="least share of tissue of 1"):
        MapSettings(min_tissue=1)
    assert MapSettings().stride_for(33) == 16


def test_a_slide_at_an_absurd_mpp_is_refused(tmp_path):
    own = classifier(tmp_path / "model")
    image = as_image(np.broadcast_to(np.uint8(200), (40_000, 40_000, 3)), Mpp.of(5))
    with pytest.raises(ImageError, match="enlarged"):
        MapJob.of(own, image, Mpp.of(5), None, MapSettings())
