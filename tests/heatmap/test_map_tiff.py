"""The TIFF of a map: what comes back, what others read, and damage."""

from __future__ import annotations

import json

import numpy as np
import openslide
import pytest
import tifffile

from midog.errors import DetectionsError
from midog.heatmap.map_tiff import read_map, write_map
from tests.heatmap.test_heat_map import heat_map


def large():
    values = np.random.default_rng(0).random((601, 700)).astype(np.float32)
    values[100:140, 50:90] = np.nan
    return heat_map(values=values, size=(7000, 6010))


def test_a_map_comes_back_as_it_was(tmp_path):
    path = tmp_path / "below" / "a.heatmap.tif"
    own = large()
    write_map(path, own)
    again = read_map(path)
    assert np.array_equal(again.values, own.values, equal_nan=True)
    for name in ("scale", "size", "mpp", "name", "threshold", "threshold_from"):
        assert getattr(again, name) == getattr(own, name)
    first = path.read_bytes()
    write_map(path, own)
    assert path.read_bytes() == first


def test_each_level_is_the_mean_of_what_was_looked_at_and_has_its_um_per_px(tmp_path):
    path, own = tmp_path / "a.tif", large()
    write_map(path, own)
    with tifffile.TiffFile(path) as tiff:
        pages = list(tiff.pages)
        assert [page.shape for page in pages] == [(601, 700), (301, 350), (151, 175)]
        assert [page.tilewidth for page in pages] == [256] * 3
        assert [page.tags["NewSubfileType"].value for page in pages] == [0, 1, 1]
        for number, page in enumerate(pages):
            top, below = page.tags["XResolution"].value
            assert 1e4 / (top / below) == pytest.approx(20 * 2**number, rel=1e-6)
        second = pages[1].asarray()
    assert second[0, 0] == pytest.approx(own.values[:2, :2].mean(), abs=1e-6)
    assert second[300, 0] == pytest.approx(own.values[600, :2].mean(), abs=1e-6)
    assert np.isnan(second[50:70, 25:45]).all()
    assert not np.isnan(second[49, 25:45]).any()


def test_openslide_knows_it_for_a_tiled_tiff(tmp_path):
    path = tmp_path / "a.tif"
    write_map(path, large())
    assert openslide.OpenSlide.detect_format(str(path)) == "generic-tiff"


def test_other_files_are_no_maps(tmp_path):
    path = tmp_path / "a.tif"
    for write in (
        lambda: path.write_bytes(b"no tiff"),
        lambda: tifffile.imwrite(path, np.zeros((20, 20), np.float32)),
        lambda: path.write_bytes(b""),
    ):
        write()
        with pytest.raises(DetectionsError, match="heat map"):
            read_map(path)
    with pytest.raises(DetectionsError, match="cannot be read"):
        read_map(tmp_path / "none.tif")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": [10, 10]}, "2 px, for a slide of"),
        ({"scale": [0, 1]}, "must be positive"),
        ({"threshold": 2}, "is no probability"),
        ({"threshold": "x"}, "threshold"),
        ({"mpp": None}, "mpp"),
    ],
)
def test_facts_that_do_not_fit_are_refused(tmp_path, change, expected):
    path = tmp_path / "a.tif"
    write_map(path, heat_map())
    with tifffile.TiffFile(path) as tiff:
        facts = json.loads(tiff.pages.first.description) | change
    tifffile.imwrite(path, heat_map().values, description=json.dumps(facts), metadata=None)
    with pytest.raises(DetectionsError, match=expected):
        read_map(path)


def test_values_outside_of_0_to_1_are_damage(tmp_path):
    path = tmp_path / "a.tif"
    write_map(path, heat_map(values=np.array([[0.5, 1.5, 0], [0, 0, 0]], np.float32)))
    with pytest.raises(DetectionsError, match="not from 0 to 1"):
        read_map(path)


def test_a_file_that_is_cut_short_is_damage(tmp_path):
    path = tmp_path / "a.tif"
    write_map(path, large())
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(DetectionsError, match=r"damaged|no heat map"):
        read_map(path)
