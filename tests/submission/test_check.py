"""Folders of detections that are checked file by file, in the layouts that there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from midog.errors import DetectionsError
from midog.submission.check import check_folder
from midog.submission.contract import CLASSIFICATION, DETECTION
from tests.submission.cases import document, point


def write(path: Path, tree: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree))


def refused(folder: Path, images: list[str] | None = None) -> dict[str, tuple[str, ...]]:
    return {file.name: file.refusals for file in check_folder(folder, images) if file.refusals}


def job(
    pk: str, image: str, slug: str = DETECTION.slug, place: str = "mitotic-figures.json"
) -> dict:
    return {
        "pk": pk,
        "inputs": [{"image": {"name": image}, "interface": {"slug": slug}}],
        "outputs": [{"interface": {"slug": "mitotic-figures", "relative_path": place}}],
    }


def test_every_file_is_looked_at_and_only_files_of_detections(tmp_path: Path) -> None:
    write(tmp_path / "001.json", document(point(), point()))
    write(tmp_path / "002.json", document(point(name=None)))
    write(tmp_path / "case" / "003.json", "{")
    write(tmp_path / "004" / "mitotic-figures.json", document())
    write(tmp_path / "001.coco.json", {"images": []})
    write(tmp_path / ".midog-infer.json", {"settings": {}})
    (tmp_path / "001.csv").touch()
    files = check_folder(tmp_path)
    points = {file.name: file.count for file in files}
    expected = {"001.json": 2, "002.json": 1, "case/003.json": 0, "004/mitotic-figures.json": 0}
    assert points == expected
    refusals = refused(tmp_path)
    assert set(refusals) == {"002.json", "case/003.json"}
    assert refusals["002.json"] == ("point 1 has no `name`",)
    assert "is not JSON" in refusals["case/003.json"][0]


def test_images_are_held_against_those_that_the_scorer_knows(tmp_path: Path) -> None:
    images = ["001.tiff", "a.b.tiff", "003.tiff", "c/004.tiff"]
    for name in ("001.json", "a.b.json", "009.json", "c/004.tiff.json"):
        write(tmp_path / name, document())
    write(tmp_path / "001" / "mitotic-figures.json", document())
    assert refused(tmp_path, images) == {
        "001.json": ("2 files are of 001.tiff",),
        "001/mitotic-figures.json": ("2 files are of 001.tiff",),
        "009.json": ("it is of 009, an image that the scorer does not know",),
        "003.tiff": ("no file is of this image",),
    }


def test_jobs_of_the_platform_are_followed_as_the_scorer_does(tmp_path: Path) -> None:
    jobs = [
        job("j1", "001.tiff"),
        job("j2", "002.tiff", slug="wsi"),
        job("j3", "003.tiff"),
        job("j4", ""),
        job("..", "005.tiff", place="../../006.json"),
        7,
    ]
    write(tmp_path / "predictions.json", jobs)
    write(tmp_path / "j1" / "output" / "mitotic-figures.json", document(point(point=[11, 0, 0])))
    refusals = refused(tmp_path, ["001.tiff", "003.tiff", "005.tiff"])
    assert refusals.pop("j1/output/mitotic-figures.json") == (
        "point 1 is at x 11 mm, over 10: is that px?",
    )
    (words,) = refusals.pop("j3/output/mitotic-figures.json")
    assert "cannot be read" in words
    outside = ("its output ../../006.json is outside the folder",)
    assert refusals.pop("predictions.json job 5") == outside
    assert refusals.pop("predictions.json job 2") == (f"its inputs are not {DETECTION.slug} alone",)
    assert set(refusals) == {"predictions.json job 4", "predictions.json job 6"}


def test_no_folder_and_a_folder_without_detections_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DetectionsError, match="is not a folder"):
        check_folder(tmp_path / "none")
    with pytest.raises(DetectionsError, match="holds no file of detections"):
        check_folder(tmp_path)
    write(tmp_path / "predictions.json", {"a": 1})
    with pytest.raises(DetectionsError, match="is no list of jobs"):
        check_folder(tmp_path)


NORMAL = {"class": "normal", "confidence": 0.25}


def test_files_of_track_2_are_held_against_the_crops_of_their_stacks(tmp_path: Path) -> None:
    name = CLASSIFICATION.output_name
    write(tmp_path / "stack_1.json", [NORMAL] * 3)
    write(tmp_path / "stack_2" / name, [NORMAL] * 2)
    write(tmp_path / "stack_3" / "output" / name, [NORMAL, {"class": "normal"}])
    write(tmp_path / "stack_9.json", [])
    stacks = {"stack_1.tiff": 3, "stack_2.tiff": 3, "stack_3.tiff": 2, "stack_4.tiff": 1}
    files = check_folder(tmp_path, stacks, track=CLASSIFICATION)
    assert {file.name: file.count for file in files if file.count} == {
        "stack_1.json": 3,
        f"stack_2/{name}": 2,
        f"stack_3/output/{name}": 2,
    }
    assert {file.name: file.refusals for file in files if file.refusals} == {
        f"stack_2/{name}": ("it classifies 2 crops of a stack of 3",),
        f"stack_3/output/{name}": ("crop 2 has no `confidence`",),
        "stack_9.json": ("it is of stack_9, an image that the scorer does not know",),
        "stack_4.tiff": ("no file is of this image",),
    }


def test_jobs_of_track_2_are_followed(tmp_path: Path) -> None:
    own = job("j1", "stack_1.tiff", slug=CLASSIFICATION.slug)
    place = CLASSIFICATION.output_name
    own["outputs"] = [{"interface": {"slug": CLASSIFICATION.output_slug, "relative_path": place}}]
    write(tmp_path / "predictions.json", [own, job("j2", "001.tiff")])
    write(tmp_path / "j1" / "output" / place, [NORMAL])
    first, second = check_folder(tmp_path, {"stack_1.tiff": 1}, track=CLASSIFICATION)
    assert (first.count, first.refusals) == (1, ())
    assert second.refusals == (f"its inputs are not {CLASSIFICATION.slug} alone",)
