"""Maps of slides made: whole files, done once, resumed after a kill, and what is refused."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog.errors import DetectionsError
from midog.heatmap.compute import MapSettings
from midog.heatmap.make_maps import MapMaker
from midog.heatmap.map_tiff import read_map
from midog.heatmap.truth_of_slides import TruthOfSlides
from midog.inference.given_images import find_images
from midog.inference.jobs import Job, find_jobs
from midog.inference.tissue_tiles import TissueSearch
from tests.heatmap.drawn import TUMOUR, Purple, classifier, slide, write, write_xml

ROOT = Path(__file__).resolve().parents[2]
FILES = ["a.heatmap.json", "a.heatmap.png", "a.heatmap.tif", "a.tissue.png"]


def maker(folder: Path, **settings: object) -> MapMaker:
    own = settings.pop("classifier", None) or classifier(folder / "model")
    settings.setdefault("tissue", TissueSearch("auto"))
    return MapMaker(own, folder / "out", MapSettings(16), **settings)


def names(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob("[!.]*"))


@pytest.fixture
def path(tmp_path) -> Path:
    return write(tmp_path / "slides" / "a.tif", slide())


def test_a_slide_has_its_map_its_picture_and_its_record(tmp_path, path, caplog):
    with caplog.at_level(logging.INFO, "midog"):
        outcome = maker(tmp_path).make([Job(path)])
    assert outcome.failed == {}
    out = tmp_path / "out"
    assert names(out) == FILES
    record = json.loads((out / "a.heatmap.json").read_text())
    assert record["slide_score"] > 0.99
    x1, y1, x2, y2 = TUMOUR
    assert record["area_mm2"] == pytest.approx((x2 - x1) * (y2 - y1) / 4e6, rel=0.1)
    assert record["looked_at_mm2"] > 4 * record["area_mm2"]
    assert x1 < record["highest"][0] < x2
    assert record["truth"] is None
    assert "windows looked at" in caplog.text
    assert read_map(out / "a.heatmap.tif").slide_score == pytest.approx(record["slide_score"])
    assert list((out / ".midog-heatmap").glob("*/")) == []


def test_what_is_done_is_skipped_and_a_missing_picture_alone_is_made(tmp_path, path):
    maker(tmp_path).make([Job(path)])
    out, network = tmp_path / "out", Purple()
    own = classifier(tmp_path / "model", network)
    again = maker(tmp_path, classifier=own).make([Job(path)])
    assert (list(again.skipped), again.done) == (["a.tif"], {})
    write_xml(tmp_path / "truth" / "a.xml", [TUMOUR])
    truth = TruthOfSlides.at(tmp_path / "truth", [path]).open
    with_truth = maker(tmp_path, classifier=own, truth_of=truth).make([Job(path)])
    assert list(with_truth.done) == ["a.tif"]
    assert (out / "a.triptych.png").is_file()
    rates = with_truth.done["a.tif"].truth
    assert rates is not None
    assert rates["tp_rate"] > 0.85
    assert rates["tn_rate"] > 0.97
    assert network.seen == 0, "nothing is looked at again"
    (out / "a.heatmap.tif").write_bytes(b"cut")
    third = maker(tmp_path, classifier=own).make([Job(path)])
    assert list(third.done) == ["a.tif"]
    assert network.seen > 0
    read_map(out / "a.heatmap.tif")


def test_maps_of_other_settings_or_slides_are_not_replaced_unasked(tmp_path, path):
    maker(tmp_path).make([Job(path)])
    other = replace(maker(tmp_path), settings=MapSettings(32, orientations=2))
    error = other.make([Job(path)]).failed["a.tif"]
    assert isinstance(error, DetectionsError)
    assert "made with another stride, orientations" in str(error)
    weights = classifier(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").write_bytes(b"others")
    error = maker(tmp_path, classifier=weights).make([Job(path)]).failed["a.tif"]
    assert "with another model" in str(error)
    assert list(replace(other, overwrite=True).make([Job(path)]).done) == ["a.tif"]
    write(path, slide(tumour=False))
    error = other.make([Job(path)]).failed["a.tif"]
    assert "of another slide" in str(error)


def test_one_slide_that_fails_does_not_end_the_others(tmp_path, path):
    empty = write(tmp_path / "slides" / "glass.tif", np.full((900, 900, 3), 245, np.uint8))
    broken = tmp_path / "slides" / "broken.tif"
    broken.write_bytes(path.read_bytes()[:300])
    outcome = maker(tmp_path).make(find_jobs([tmp_path / "slides"], out=tmp_path / "out"))
    assert sorted(outcome.failed) == ["broken.tif", "glass.tif"]
    assert list(outcome.done) == ["a.tif"]
    assert "no tissue" in str(outcome.failed["glass.tif"])
    assert not (tmp_path / "out" / "glass.heatmap.json").exists()
    assert empty.is_file()


def test_two_slides_of_one_name_are_refused(tmp_path, path):
    other = Path(shutil.copy(path, path.with_name("A.tiff")))
    with pytest.raises(DetectionsError, match=r"would both be written as A\.heatmap\.json"):
        maker(tmp_path).make([Job(path), Job(other)])


def test_files_of_maps_are_no_slides_of_a_later_run(tmp_path, path):
    own = replace(maker(tmp_path), out=path.parent)
    own.make([Job(path)])
    assert len(names(path.parent)) == 5
    assert [image.path for image in find_images([path.parent])] == [path]


def test_all_of_a_small_image_is_looked_at_unless_told_otherwise(tmp_path, path):
    own = maker(tmp_path, tissue=TissueSearch())
    record = own.make([Job(path)]).done["a.tif"]
    assert record.looked_at_mm2 == pytest.approx(1300 * 900 * 0.25 / 1e6)


KILLED = """
import os, signal, sys
from pathlib import Path
from midog.inference.jobs import Job
from tests.heatmap.test_make_maps import maker

def on_step(done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

maker(Path(sys.argv[1])).make([Job(Path(sys.argv[2]))], on_step=on_step)
"""


@pytest.mark.slow
def test_a_killed_map_is_resumed_and_equal(tmp_path):
    path = write(tmp_path / "slides" / "a.tif", np.tile(slide(700, 900), (3, 1, 1)))
    maker(tmp_path / "whole").make([Job(path)])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    out = tmp_path / "killed" / "out"
    assert len(list((out / ".midog-heatmap" / "a").iterdir())) == 2
    assert "a.heatmap.tif" not in names(out)
    network = Purple()
    own = maker(tmp_path / "killed", classifier=classifier(tmp_path / "killed" / "model", network))
    own.make([Job(path)])
    everything = Purple()
    fresh = classifier(tmp_path / "fresh" / "model", everything)
    maker(tmp_path / "fresh", classifier=fresh).make([Job(path)])
    assert 0 < network.seen < everything.seen
    for name in ("a.heatmap.tif", "a.heatmap.png", "a.tissue.png"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / "out" / name).read_bytes()
    assert not list(tmp_path.rglob("*.part"))
