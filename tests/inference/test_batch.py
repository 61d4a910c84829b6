"""A batch of images: what is done is skipped, what fails is reported, models are never mixed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from torch import nn

from midog.boxes import Detections
from midog.data.folder import read_rois, select_rois
from midog.errors import DetectionsError, DeviceError, ImageError
from midog.evaluation.scoring import evaluate
from midog.formats import overlay
from midog.formats.registry import FORMATS
from midog.inference.batch import count_figures, infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job, find_jobs
from midog.inference.output_entries import ENTRIES_NAME
from midog.inference.output_folder import RECORD_NAME
from midog.metrics.hotspot import HotspotSettings
from tests.inference.small import CONFIG


@pytest.fixture
def detector(retinanet: nn.Module) -> Detector:
    return Detector(retinanet, CONFIG, device="cpu", threshold=0.4, workers=0)


def test_every_format_is_written_and_done_images_are_skipped(images, detector, tmp_path):
    out, jobs = tmp_path / "out", find_jobs([images])
    first = infer(jobs, detector, out, formats=tuple(FORMATS))
    assert set(first.figures) == {"a.tiff", "b.tiff"}
    endings = [entry.ending for entry in FORMATS.values()]
    names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert names == {f"{stem}{suffix}" for stem in "ab" for suffix in endings}
    before = (out / "a.json").stat().st_mtime_ns
    (out / "b.csv").unlink()
    second = infer(jobs, detector, out, formats=tuple(FORMATS))
    assert second.skipped == ["a.tiff"]
    assert set(second.figures) == {"b.tiff"}
    assert (out / "a.json").stat().st_mtime_ns == before
    again = infer(jobs, detector, out, formats=("challenge",), overwrite=True)
    assert again.figures == first.figures
    assert again.skipped == []


def test_another_hotspot_is_not_taken_for_one_that_was_counted(images, detector, tmp_path):
    out, jobs, formats = tmp_path / "out", find_jobs([images]), ("challenge", "hotspot")
    infer(jobs, detector, out, formats=formats)
    found = json.loads((out / "a.hotspot.json").read_text())
    figures = [point["name"] for point in json.loads((out / "a.json").read_text())["points"]]
    assert found["count"] == found["figures"] == figures.count("mitotic figure")
    assert infer(jobs, detector, out, formats=formats).skipped == ["a.tiff", "b.tiff"]
    circle = HotspotSettings(0.0005 * 2, "circle")
    with pytest.raises(DetectionsError, match="hotspot"):
        infer(jobs, detector, out, formats=formats, hotspot=circle)
    infer(jobs, detector, out, formats=formats, hotspot=circle, overwrite=True)
    assert json.loads((out / "a.hotspot.json").read_text())["shape"] == "circle"


def test_a_path_that_is_not_there_fails_in_its_turn(images, detector, tmp_path):
    jobs = find_jobs([images / "c.tiff", images / "a.tiff"])
    outcome = infer(jobs, detector, tmp_path / "out")
    assert "c.tiff" in str(outcome.failed["c.tiff"])
    assert list(outcome.figures) == ["a.tiff"]


def test_one_bad_image_does_not_stop_the_others(images, detector, tmp_path):
    whole = (images / "a.tiff").read_bytes()
    (images / "a.tiff").write_bytes(whole[: len(whole) // 2])
    seen = []
    outcome = infer(
        find_jobs([images]), detector, tmp_path / "out", on_image=lambda *image: seen.append(image)
    )
    assert list(outcome.failed) == ["a.tiff"]
    assert "\n" not in str(outcome.failed["a.tiff"])
    assert list(outcome.figures) == ["b.tiff"]
    assert [name for name, _ in seen] == ["a.tiff", "b.tiff"]
    assert not (tmp_path / "out" / "a.json").exists()


class Odd(Exception):
    """What no library should raise."""


@pytest.mark.parametrize("error", [Odd("x"), ValueError("y"), MemoryError(), OSError(5, "I/O")])
@pytest.mark.parametrize("stage", ["open", "detect", "write"])
def test_whatever_an_image_does_the_others_are_done(
    stage, error, images, detector, tmp_path, monkeypatch
):
    def failing(real):
        def run(*arguments, **given):
            if "a.tiff" in f"{arguments} {[getattr(a, 'image', a) for a in arguments]}" or any(
                getattr(getattr(one, "image", None), "path", tmp_path).name == "a.tiff"
                for one in arguments
            ):
                raise error
            return real(*arguments, **given)

        return run

    if stage == "write":
        entry = FORMATS["challenge"]
        monkeypatch.setitem(FORMATS, "challenge", replace(entry, write=failing(entry.write)))
    else:
        monkeypatch.setattr(detector, stage, failing(getattr(detector, stage)))
    outcome = infer(find_jobs([images]), detector, tmp_path / "out")
    assert list(outcome.failed) == ["a.tiff"]
    assert list(outcome.figures) == ["b.tiff"]
    assert str(images / "a.tiff") in str(outcome.failed["a.tiff"])


def test_images_of_one_name_in_case_folders_have_files_of_their_own(
    images, detector, tmp_path, caplog
):
    for case in ("01", "02"):
        (images / case).mkdir()
        shutil.copy(images / "a.tiff", images / case / "01.tif")
    out, jobs = tmp_path / "out", find_jobs([images])
    first = infer(jobs, detector, out, formats=tuple(FORMATS))
    assert list(first.figures) == ["a.tiff", "b.tiff", "01/01.tif", "02/01.tif"]
    assert first.figures["01/01.tif"] == first.figures["a.tiff"]
    for case in ("01", "02"):
        written = {path.name for path in (out / case).iterdir()}
        assert written == {f"01{entry.ending}" for entry in FORMATS.values()}
    again = infer(find_jobs([images]), detector, out, formats=tuple(FORMATS))
    assert (again.skipped, again.failed) == (list(first.figures), {})


def test_two_images_of_one_file_are_refused_before_anything_is_made(images, detector, tmp_path):
    shutil.copy(images / "a.tiff", images / "a.coco.tiff")
    with pytest.raises(DetectionsError, match=r"would both be written as a\.coco\.json"):
        infer(find_jobs([images]), detector, tmp_path / "out", formats=["challenge", "coco"])
    assert not (tmp_path / "out").exists()
    assert len(infer(find_jobs([images]), detector, tmp_path / "out").figures) == 3
    outcome = infer(
        [Job(images / "a.tiff")], detector, tmp_path / "out", formats=["challenge", "coco"]
    )
    assert "a.coco.json holds detections of another image" in str(outcome.failed["a.tiff"])


def test_a_name_that_is_not_text_is_written_in_every_format(images, detector, tmp_path):
    name = os.fsdecode(b"b\xff.tiff")
    shutil.copy(images / "a.tiff", images / name)
    outcome = infer(find_jobs([images]), detector, tmp_path / "out", formats=tuple(FORMATS))
    assert outcome.failed == {}
    assert "b\\udcff.tiff" in (tmp_path / "out" / os.fsdecode(b"b\xff.csv")).read_text()
    again = infer(find_jobs([images]), detector, tmp_path / "out", formats=tuple(FORMATS))
    assert len(again.skipped) == 3


def test_the_size_of_an_overlay_is_said_before_detection(
    images, detector, tmp_path, caplog, monkeypatch
):
    caplog.set_level("INFO", "midog")
    monkeypatch.setattr(overlay, "_MOST_PX", 60 * 75)

    def detect(image, progress):
        assert "a.tiff: the overlay is made 2 times smaller than the image, 75 x 60 px" in (
            caplog.text
        )
        raise ImageError("enough")

    monkeypatch.setattr(detector, "detect", detect)
    infer([Job(images / "a.tiff")], detector, tmp_path / "out", formats=["overlay"])
    assert "times smaller" in caplog.text


def test_an_image_without_mpp_fails_with_what_to_do(tmp_path, detector):
    Image.new("RGB", (90, 90)).save(tmp_path / "plain.png")
    outcome = infer([Job(tmp_path / "plain.png")], detector, tmp_path / "out")
    assert "give mpp" in str(outcome.failed["plain.png"])
    assert infer([Job(tmp_path / "plain.png", mpp=0.25)], detector, tmp_path / "out").failed == {}


def test_the_threshold_decides_the_names_and_another_one_is_not_mixed_in(
    images, detector, retinanet, tmp_path
):
    out, jobs = tmp_path / "out", find_jobs([images])
    infer(jobs, detector, out)
    scores = sorted(
        point["probability"] for point in json.loads((out / "a.json").read_text())["points"]
    )
    middle = scores[len(scores) // 2]
    other = Detector(retinanet, CONFIG, device="cpu", threshold=middle, workers=0)
    with pytest.raises(
        DetectionsError, match="another threshold; choose another out, or overwrite=True"
    ):
        infer(jobs, other, out)
    infer(jobs, other, out, overwrite=True)
    points = json.loads((out / "a.json").read_text())["points"]
    assert [point["name"] == "mitotic figure" for point in points] == [
        point["probability"] >= middle for point in points
    ]
    assert {point["name"] for point in points} == {"mitotic figure", "non-mitotic figure"}


def test_an_unknown_format_is_named(images, detector, tmp_path):
    with pytest.raises(DetectionsError, match="unknown format jason; choose from challenge"):
        infer(find_jobs([images]), detector, tmp_path / "out", formats=("jason",))
    assert not (tmp_path / "out").exists()


def test_what_is_written_can_be_scored(phantom, detector, tmp_path):
    infer(find_jobs([phantom], subset="test"), detector, tmp_path / "out")
    result = evaluate(tmp_path / "out", select_rois(read_rois(phantom), "test"))
    groups = result.to_dict()["groups"]
    assert groups["all"]["rois"] == 4
    assert groups["all"]["figures"] == sum(
        group["figures"] for name, group in groups.items() if name != "all"
    )


def test_a_resampled_image_gets_the_points_of_its_own_pixels(images, retinanet, tmp_path):
    detector = Detector(retinanet, CONFIG, device="cpu", workers=0)
    shutil.copy(images / "a.tiff", tmp_path / "c.tiff")
    infer(
        [Job(tmp_path / "c.tiff", mpp=0.5)],
        detector,
        tmp_path / "out",
        formats=("challenge", "csv"),
    )
    points = json.loads((tmp_path / "out" / "c.json").read_text())["points"]
    with (tmp_path / "out" / "c.csv").open(newline="") as file:
        centres = [[float(row["x"]), float(row["y"])] for row in csv.DictReader(file)]
    assert len(points) == len(centres) > 0
    assert max(x for x, _ in centres) > 100, "they reach over the image of 150 px"
    written = sorted(point["point"][:2] for point in points)
    assert np.allclose(
        written, sorted([x * 0.5 / 1000, y * 0.5 / 1000] for x, y in centres), rtol=0, atol=1e-5
    )


def test_figures_are_counted_at_the_threshold():
    detections = Detections([[0, 0, 1, 1]] * 3, [0.4, 0.39, 0.9], [1, 1, 2])
    assert count_figures(detections, 0.4) == 1


def test_the_next_image_is_opened_before_this_one_is_done_and_no_further(
    images, detector, tmp_path, monkeypatch
):
    for name in ("c.tiff", "d.tiff"):
        shutil.copy(images / "a.tiff", images / name)
    opened, begun, real = [], [], detector.detect
    opener = detector.open
    monkeypatch.setattr(
        detector, "open", lambda path, **given: opened.append(path.name) or opener(path, **given)
    )

    def detect(image, progress):
        begun.append(image.image.path.name)
        wait_for(lambda: len(opened) >= min(len(begun) + 1, 4))
        assert len(opened) <= len(begun) + 1
        return real(image, progress)

    monkeypatch.setattr(detector, "detect", detect)
    outcome = infer(find_jobs([images]), detector, tmp_path / "out")
    assert list(outcome.figures) == begun == opened == ["a.tiff", "b.tiff", "c.tiff", "d.tiff"]


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_file_that_cannot_be_written_fails_its_image_alone(
    images, detector, tmp_path, monkeypatch
):
    (tmp_path / "out" / "a.json").mkdir(parents=True)  # where a file should go
    seen = []
    outcome = infer(
        find_jobs([images]), detector, tmp_path / "out", on_image=lambda *image: seen.append(image)
    )
    assert "cannot be written" in str(outcome.failed["a.tiff"])
    assert list(outcome.figures) == ["b.tiff"]
    assert [name for name, _ in seen] == ["a.tiff", "b.tiff"]
    assert [path.name for path in (tmp_path / "out" / ENTRIES_NAME).glob("*.json")] == ["b.json"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), DeviceError("cpu is out of memory", "use less")]
)
def test_what_was_done_before_a_stop_is_whole_and_not_done_again(
    error, images, detector, tmp_path, monkeypatch
):
    real, threads = detector.detect, threading.active_count()

    def detect(image, progress):
        if image.image.path.name == "b.tiff":
            raise error
        return real(image, progress)

    monkeypatch.setattr(detector, "detect", detect)
    with pytest.raises(type(error)):
        infer(find_jobs([images]), detector, tmp_path / "out")
    assert threading.active_count() == threads
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [ENTRIES_NAME, RECORD_NAME, "a.json"]
    monkeypatch.setattr(detector, "detect", real)
    again = infer(find_jobs([images]), detector, tmp_path / "out")
    assert (again.skipped, list(again.figures)) == (["a.tiff"], ["b.tiff"])


def test_detections_of_another_precision_are_not_mixed_in(images, detector, retinanet, tmp_path):
    infer(find_jobs([images]), detector, tmp_path / "out")
    half = Detector(retinanet, CONFIG, device="cpu", threshold=0.4, precision="bf16")
    with pytest.raises(DetectionsError, match="another precision"):
        infer(find_jobs([images]), half, tmp_path / "out")
