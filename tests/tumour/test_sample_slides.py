"""Slides with and without tumour become an index; what lacks truth or a place in the split is an
error."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog.data.patches.places import read_places
from midog.errors import DataError
from midog.tumour.sample import WindowRule
from midog.tumour.sample_slides import SamplingRule, sample_slides, table, truths_of
from tests.tumour.slides import write_asap, write_tumour_slide

WINDOW = WindowRule(side=32, mpp=1.0, stride=32, centre=16, per_slide=40)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four slides with tumour and their annotations, two without."""
    folder = tmp_path_factory.mktemp("home")
    names = [f"tumor_{number}" for number in range(4)] + ["normal_0", "normal_1"]
    for seed, name in enumerate(names):
        write_tumour_slide(folder, name, name.startswith("tumor"), seed)
    return folder


@pytest.fixture
def slides(home: Path) -> list[Path]:
    return sorted((home / "slides").glob("t*")) + sorted((home / "slides").glob("n*"))


@pytest.fixture
def rule(home: Path) -> SamplingRule:
    return SamplingRule(WINDOW, home / "annotations", "normal")


def test_slides_become_an_index(slides: list[Path], rule: SamplingRule, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    sampled = sample_slides(slides, tmp_path / "index", rule, lambda *done: seen.append(done))
    assert seen == [(number, 6) for number in range(1, 7)]
    data = read_places(tmp_path / "index")
    for name, patches in data.sets.items():
        where = patches.in_slides
        assert where is not None, name
        x, y = where.centres.T
        outlined = np.array([path.name[0] == "t" for path in where.paths])[where.slides]
        inside = (x > 184) & (x < 616) & (y > 184) & (y < 516) & outlined
        np.testing.assert_array_equal(patches.labels == 1, inside)
        assert ((x > 100) & (x < 900) & (y > 100) & (y < 700)).all()  # no glass
    header, rows = table(sampled)
    assert header[:5] == ["slide", "split", "truth", "normal", "tumour"]
    assert rows[0][2:5] == ["tumor_0.xml", "35", "35"]
    assert rows[4][2:5] == ["none", "40", "0"]
    assert rows[-1][3:5] == ["220", "140"]
    where = data.of("train").in_slides
    assert where is not None
    shares = [truth.share_in(np.array([[200, 200, 600, 500]]))[0] for truth in truths_of(where)]
    assert shares == [float(path.name[0] == "t") for path in where.paths]
    text = (tmp_path / "index" / "places.csv").read_text()
    sample_slides(slides, tmp_path / "index", rule)
    assert (tmp_path / "index" / "places.csv").read_text() == text


def test_a_split_says_patients_and_parts(
    slides: list[Path], rule: SamplingRule, tmp_path: Path
) -> None:
    parts = ["train", "train", "val", "unlabelled", "train", "val"]
    lines = [
        f"{own.name},p{n},{part}" for n, (own, part) in enumerate(zip(slides, parts, strict=True))
    ]
    split = tmp_path / "split.csv"
    split.write_text("\n".join(["file_name,patient,split", *lines]))
    sample_slides(slides, tmp_path / "index", replace(rule, split=split))
    data = read_places(tmp_path / "index")
    assert set(data.of("train").slides) == {"p0", "p1", "p4"}
    assert set(data.of("val").slides) == {"p2", "p5"}
    split.write_text("\n".join(["file_name,patient,split", *lines[1:]]))
    with pytest.raises(DataError, match=r"does not list 1 of 6 slides \(tumor_0\.tif\)"):
        sample_slides(slides, tmp_path / "index", replace(rule, split=split))


def test_slides_without_truth_are_no_silence(
    slides: list[Path], rule: SamplingRule, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"no file for 2 of 6 slides .*without_truth=normal"):
        sample_slides(slides, tmp_path / "index", replace(rule, without_truth="error"))
    with pytest.raises(DataError, match=r"no file for any of 2 slides"):
        sample_slides(slides[4:], tmp_path / "index", rule)
    with pytest.raises(DataError, match="there is no folder"):
        sample_slides(slides, tmp_path / "index", replace(rule, truth=tmp_path / "no"))
    with pytest.raises(DataError, match=r"two slides are named tumor_0\.tif"):
        sample_slides([slides[0], slides[0]], tmp_path / "index", rule)
    assert not (tmp_path / "index").exists()


def test_what_yields_nothing_is_said(
    slides: list[Path], rule: SamplingRule, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    glass = [(0, 0), (40, 0), (40, 40)]
    write_asap(tmp_path / "tumor_0.xml", [("_0", glass)])
    rule = replace(rule, truth=tmp_path)
    with caplog.at_level(logging.WARNING):
        sample_slides(slides[:1], tmp_path / "index", rule)
    assert "no window of it is tumour, though tumor_0.xml outlines some" in caplog.text
    large = replace(rule, window=replace(WINDOW, side=1024, mpp=1.0))
    with pytest.raises(DataError, match="no window of 1 slides is tumour, or normal"):
        sample_slides(slides[:1], tmp_path / "index", large)
