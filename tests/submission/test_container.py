"""What a container finds: its image, its model, its settings, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from midog.errors import DetectionsError, ImageError, WeightsError
from midog.submission.container import KIT_NAME, Kit, Places, find_image, find_model, read_kit
from midog.submission.contract import CLASSIFICATION, DETECTION
from tests.submission.cases import INPUTS, write_input


@pytest.mark.parametrize("name", ["350.tiff", "a.TIF", "b.mha"])
def test_the_one_image_is_taken_whatever_its_name(tmp_path: Path, name: str) -> None:
    image = write_input(tmp_path, name)
    (image.parent / "._350.tiff").touch()
    (image.parent / "notes.txt").touch()
    assert find_image(tmp_path, DETECTION) == image


def test_newer_files_name_a_socket(tmp_path: Path) -> None:
    image = write_input(tmp_path)
    inputs = [{"image": {"name": "x"}, "socket": {"slug": DETECTION.slug}}]
    (tmp_path / "inputs.json").write_text(json.dumps(inputs))
    assert find_image(tmp_path, DETECTION) == image


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], r"has the inputs \(none\), not histopathology-region"),
        ([{"interface": {"slug": "wsi"}}], "has the inputs wsi"),
        (INPUTS * 2, "has the inputs histopathology-region-of-interest-cropout, histo"),
        ([{"interface": {}}], "without a slug"),
        ([3], "without a slug"),
        ({"slug": DETECTION.slug}, "is no list"),
    ],
)
def test_other_inputs_than_this_challenges_are_refused(
    tmp_path: Path, inputs: Any, words: str
) -> None:
    write_input(tmp_path)
    (tmp_path / "inputs.json").write_text(json.dumps(inputs))
    with pytest.raises(DetectionsError, match=words):
        find_image(tmp_path, DETECTION)


def test_no_list_no_image_and_two_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectionsError, match=r"inputs\.json cannot be read"):
        find_image(tmp_path, DETECTION)
    image = write_input(tmp_path)
    shutil.copy(image, image.with_name("2.mha"))
    with pytest.raises(ImageError, match=r"it holds 2\.mha, 350\.tiff"):
        find_image(tmp_path, DETECTION)
    shutil.rmtree(image.parent)
    with pytest.raises(ImageError, match="it holds none"):
        find_image(tmp_path, DETECTION)


def test_the_platforms_model_comes_before_the_images_own(tmp_path: Path) -> None:
    mounted, own = tmp_path / "mounted", tmp_path / "own"
    with pytest.raises(WeightsError, match="no model in"):
        find_model([mounted, own])
    own.mkdir()
    (own / KIT_NAME).write_text("{}")
    assert find_model([mounted, own]) == own
    mounted.mkdir()
    assert find_model([mounted, own]) == own, "an empty folder is passed over"
    (mounted / "weights.pth").touch()
    with pytest.raises(WeightsError, match=r"mounted holds no kit\.json"):
        find_model([mounted, own])
    (mounted / KIT_NAME).write_text("{}")
    assert find_model([mounted, own]) == mounted


@pytest.mark.parametrize(
    "tree",
    [
        {"format": 2},
        {"track": 3},
        {"threshold": 2},
        {"orientations": 3},
        {"mpp": 25},
        {"other": 1},
        [],
    ],
)
def test_a_damaged_kit_is_refused(tmp_path: Path, tree: Any) -> None:
    (tmp_path / KIT_NAME).write_text(json.dumps(tree))
    with pytest.raises(WeightsError, match=r"kit\.json"):
        read_kit(tmp_path)


def test_the_places_of_a_container_need_no_arguments() -> None:
    assert Places().input == Path("/input")
    assert Places().models == (Path("/opt/ml/model"), Path("/opt/app/model"))
    assert Kit() == Kit(track=1, threshold=None, orientations=1, mpp=None)


def test_the_input_of_one_track_is_refused_in_the_other(tmp_path: Path) -> None:
    write_input(tmp_path)
    with pytest.raises(DetectionsError, match=r"not stacked-.*MIDOG 2025, track 2"):
        find_image(tmp_path, CLASSIFICATION)


def test_a_kit_of_before_is_of_track_1(tmp_path: Path) -> None:
    (tmp_path / KIT_NAME).write_text('{"format": 1, "threshold": 0.5}')
    assert read_kit(tmp_path) == Kit(track=1, threshold=0.5)
