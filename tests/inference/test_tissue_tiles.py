"""Tiles on tissue: glass is left out, figures at the mask's edge are not, no tissue is an error."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile

from midog.errors import ConfigError, DataError
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.inference.tissue_tiles import TissueSearch, tiles_on
from midog.tissue.from_pixels import tissue_mask
from tests.images.scn import write_scn
from tests.inference.small import CONFIG, same
from tests.inference.squares import Squares

WIDTH, HEIGHT = 2400, 1600
ISLAND = (300, 250, 1500, 1300)
"""x1 y1 x2 y2 of the tissue, px."""


def slide() -> np.ndarray:
    """Glass with an island of tissue, and figures on a lattice of 97 px all over the island."""
    rng = np.random.default_rng(0)
    pixels = np.full((HEIGHT, WIDTH, 3), 244, np.uint8)
    x1, y1, x2, y2 = ISLAND
    tissue = np.array([215, 165, 205]) + rng.integers(-12, 13, (y2 - y1, x2 - x1, 3))
    pixels[y1:y2, x1:x2] = tissue
    for y in range(y1 + 10, y2 - 50, 97):
        for x in range(x1 + 10, x2 - 50, 97):
            pixels[y : y + 20, x : x + 20] = rng.integers(20, 90)
    return pixels


def detector(**settings: object) -> Detector:
    return Detector(Squares(), CONFIG, device="cpu", **settings)


def write(path: Path, pixels: np.ndarray) -> Path:
    tifffile.imwrite(
        path, pixels, tile=(256, 256), resolution=(40000, 40000), resolutionunit="CENTIMETER"
    )
    return path


def test_glass_is_left_out_and_every_figure_is_reported_as_without_a_mask(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "midog.inference.tissue_tiles")
    path, picture = write(tmp_path / "a.tif", slide()), tmp_path / "out" / "a.tissue.png"
    own = detector()
    everywhere = own(path)
    search = TissueSearch("auto")
    with search.open(own, path, "a.tif", mpp=None, picture=picture) as opened:
        ((tiles, _),) = opened.groups
        assert 0 < len(tiles.places) < tiles.all_tiles * 0.75
        assert opened.tissue is not None
        assert same(own.detect(opened), everywhere)
    assert len(everywhere) > 100
    assert picture.is_file()
    (line,) = caplog.messages
    left_out = tiles.all_tiles - len(tiles.places)
    assert f"{len(tiles.places)} tiles looked at, {left_out} left out" in line
    assert "is tissue" in line


def test_a_tile_is_looked_at_if_more_of_it_than_the_share_is_tissue() -> None:
    own = detector()
    mask = tissue_mask(slide(), mpp=0.25)
    with own.open(slide(), mpp=0.25) as opened:
        plan = opened.groups[0][0].plan
    some, more, all_of_it = (int(tiles_on(mask, share, plan).sum()) for share in (0, 0.5, 0.99))
    assert some > more > all_of_it > 0
    assert not tiles_on(mask, 1.0, plan).any()


def test_small_images_are_looked_at_whole_and_slides_are_not(tmp_path: Path, monkeypatch) -> None:
    path, own = write(tmp_path / "a.tif", slide()), detector()
    for limit_mm2, is_masked in ((25.0, False), (0.1, True)):
        monkeypatch.setattr("midog.inference.tissue_tiles.SLIDE_MM2", limit_mm2)
        picture = tmp_path / f"{limit_mm2}.png"
        with TissueSearch().open(own, path, "a.tif", mpp=None, picture=picture) as opened:
            assert (opened.tissue is not None, picture.exists()) == (is_masked, is_masked)


def test_no_tissue_is_an_error_of_that_image_and_names_its_mask(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.tif", np.full((900, 900, 3), 245, np.uint8))
    full = write(tmp_path / "full.tif", slide())
    out = tmp_path / "out"
    outcome = infer([Job(empty), Job(full)], detector(), out, tissue=TissueSearch("auto"))
    assert list(outcome.figures) == ["full.tif"]
    message = outcome.failed["empty.tif"].what
    assert "no tissue" in message
    assert str(out / "empty.tissue.png") in message
    assert (out / "empty.tissue.png").is_file()
    assert not (out / "empty.json").exists()


def test_areas_that_somebody_drew_and_their_place_in_the_record(tmp_path: Path) -> None:
    path, areas = write(tmp_path / "a.tif", slide()), tmp_path / "areas.geojson"
    ring = [[300, 250], [700, 250], [700, 600], [300, 600], [300, 250]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {},
    }
    areas.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    search = TissueSearch(str(areas))
    outcome = infer([Job(path)], detector(), tmp_path / "out", tissue=search)
    assert 0 < outcome.figures["a.tif"] < infer_all(path, tmp_path / "all")
    before = search.settings()
    areas.write_text(areas.read_text().replace("700", "701"))
    assert TissueSearch(str(areas)).settings() != before


def infer_all(path: Path, out: Path) -> int:
    return infer([Job(path)], detector(), out, tissue=TissueSearch("all")).figures["a.tif"]


def test_the_default_adds_nothing_to_the_record_and_choices_are_checked() -> None:
    assert TissueSearch().settings() == {}
    assert TissueSearch("auto", 0.1).settings() == {"tissue": "auto", "min_tissue": 0.1}
    assert TissueSearch("all", 0.1).settings() == {"tissue": "all"}
    with pytest.raises(DataError, match="no choice and no file"):
        TissueSearch("tisue")
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="out of range"):
            TissueSearch(min_share=share)


def test_a_mask_is_no_image_of_a_later_run(tmp_path: Path) -> None:
    from midog.inference.given_images import find_images

    path = write(tmp_path / "a.tif", slide())
    infer([Job(path)], detector(), tmp_path, tissue=TissueSearch("auto"))
    assert (tmp_path / "a.tissue.png").is_file()
    assert [image.path for image in find_images([tmp_path])] == [path]


def test_figures_of_a_slide_with_bounds_are_in_px_of_the_glass_and_qupath_counts_from_the_bounds(
    tmp_path: Path,
) -> None:
    pixels = slide()[:1024, :1024]
    path = write_scn(tmp_path / "a.scn", pixels, corner=(1000, 600), size=(4000, 3000))
    x1, y1 = 1000 + ISLAND[0] + 10, 600 + ISLAND[1] + 10
    own, out = detector(floor=0.5), tmp_path / "out"
    formats, search = ("csv", "geojson"), TissueSearch("auto")
    outcome = infer([Job(path, mpp=0.25)], own, out, formats=formats, tissue=search)
    assert outcome.figures["a.scn"] > 40
    rows = [line.split(",") for line in (out / "a.csv").read_text().splitlines()[1:]]
    corner = min(((float(row[1]), float(row[2])) for row in rows), key=sum)
    assert corner == pytest.approx((x1, y1), abs=2)
    features = json.loads((out / "a.geojson").read_text())["features"]
    rings = [np.array(feature["geometry"]["coordinates"][0]) for feature in features]
    first = min((ring.min(axis=0).tolist() for ring in rings), key=sum)
    assert first == pytest.approx((x1 - 1000, y1 - 600), abs=2)


def test_a_slide_gives_what_its_quarters_give_seams_included(tmp_path: Path) -> None:
    pixels, own, margin = slide(), detector(), 64
    whole = own(write(tmp_path / "a.tif", pixels))
    middle, end = np.array([1200, 760]), np.array([WIDTH, HEIGHT])  # both cut figures
    parts = []
    for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
        low = np.maximum(middle * (right, below) - margin, 0)
        high = np.where((right, below), end, middle + margin)
        part = own(np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]), mpp=0.25)
        boxes = part.boxes + np.tile(low, 2)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        mine = ((centres >= middle) == (right, below)).all(axis=1)
        parts.append(np.column_stack([boxes, part.scores])[mine])
    expected = np.concatenate(parts)
    result = np.column_stack([whole.boxes, whole.scores])
    order = [np.lexsort(rows.T) for rows in (result, expected)]
    np.testing.assert_array_equal(result[order[0]], expected[order[1]])
    seam = (result[:, :2] < middle) & (result[:, 2:4] > middle)
    assert seam.any(axis=0).all(), "figures lie on both seams"
