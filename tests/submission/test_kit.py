"""A kit: its folder, and its entry point run as the platform does, without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from torch.nn import Linear

from midog.config.load import load_config
from midog.errors import WeightsError
from midog.formats.challenge import read_challenge
from midog.inference.detector import Detector
from midog.inference.loaded_models import make_ensemble
from midog.inference.score_rule import ScoreRule
from midog.inference.verifier import save_verifier
from midog.submission import kit
from midog.submission.class_refusals import class_refusals_of
from midog.submission.container import Kit, Places, read_kit
from midog.submission.detection_job import load_detector
from midog.submission.job import run_job
from midog.submission.kit import REQUIREMENTS, make_kit, requirements
from midog.submission.refusals import refusals_of
from tests.drawn_patches import draw
from tests.images.test_open_mha import mha
from tests.submission.cases import pixels, write_input, write_stack
from tests.submission.confined import NOBODY, prefix, run_entry


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="midog-kit-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def closure(names: tuple[str, ...]) -> set[str]:
    """Packages, and what they need in turn."""
    done: set[str] = set()
    todo = list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in done:
            continue
        done.add(name)
        try:
            needs = [Requirement(line) for line in requires(name) or ()]
        except ModuleNotFoundError:  # of another platform
            continue
        todo += [own.name for own in needs if not own.marker or own.marker.evaluate({"extra": ""})]
    return done


def midogs_own() -> set[str]:
    """The packages that midog itself needs; others import what they like where it is installed."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    further = [line for lines in project["optional-dependencies"].values() for line in lines]
    names = {Requirement(line).name for line in (*project["dependencies"], *further)}
    return {name.lower() for name in names} - {"midog"}


@pytest.mark.slow
def test_the_entry_point_runs_offline_as_another_user_on_what_the_kit_pins(
    weights: Path, open_folder: Path
) -> None:
    kit, given, out = (open_folder / name for name in ("kit", "input", "output"))
    make_kit(weights, kit, Kit())
    image = write_input(given)
    out.mkdir()
    out.chmod(0o777)
    words = ["--input", given, "--output", out, "--device", "cpu"]
    ran = run_entry(kit / "inference.py", out / "report.json", *words)
    assert ran.returncode == 0, ran.stderr
    report = json.loads((out / "report.json").read_text())
    assert Path(report["midog"]).is_relative_to(kit), "the kit's own midog ran"
    if os.geteuid() == 0 and prefix():
        assert report["user"] == NOBODY
    path = out / "mitotic-figures.json"
    assert refusals_of(json.loads(path.read_text())) == []
    detections = Detector.load(weights, device="cpu")(image).figures()
    points = read_challenge(path)
    assert len(points.scores) == len(detections) > 0
    np.testing.assert_allclose(points.scores, detections.scores, atol=1e-6)
    np.testing.assert_allclose(points.points_mm, detections.centers * 0.25 / 1000, atol=1e-6)
    assert "180 x 160 px of 0.25 um" in ran.stderr
    of_module = packages_distributions()
    loaded = {
        re.sub(r"[-_.]+", "-", name).lower()
        for own in report["modules"]
        for name in of_module.get(own, ())
    }
    assert loaded & midogs_own() <= closure(REQUIREMENTS)
    assert {"torch", "tifffile", "pydantic"} <= loaded
    # a model that is uploaded by itself, on an image without one
    shutil.move(kit / "model", open_folder / "mounted")
    ran = run_entry(kit / "inference.py", out / "report.json", *words)
    assert (ran.returncode, "no model in" in ran.stderr) == (1, True)


@pytest.mark.slow
def test_the_entry_point_of_track_2_runs_offline_as_another_user(
    classifier: Path, open_folder: Path
) -> None:
    kit, given, out = (open_folder / name for name in ("kit", "input", "output"))
    words = make_kit(classifier, kit, Kit(track=2))
    assert words.startswith(f"{classifier}, threshold 0.")
    patches, labels = draw(16, 5)
    write_stack(given, patches)
    out.mkdir()
    out.chmod(0o777)
    words = ["--input", given, "--output", out, "--device", "cpu"]
    ran = run_entry(kit / "inference.py", out / "report.json", *words)
    assert ran.returncode == 0, ran.stderr
    report = json.loads((out / "report.json").read_text())
    assert Path(report["midog"]).is_relative_to(kit), "the kit's own midog ran"
    if os.geteuid() == 0 and prefix():
        assert report["user"] == NOBODY
    rows = json.loads((out / "multiple-mitotic-figure-classification.json").read_text())
    assert class_refusals_of(rows, 16) == []
    assert [row["class"] == "atypical" for row in rows] == (labels == 1).tolist()
    assert "16 crops, the first of 32 x 32 px of 0.25 um" in ran.stderr
    assert "track 2" in (kit / "Dockerfile").read_text()
    of_module = packages_distributions()
    loaded = {
        re.sub(r"[-_.]+", "-", name).lower()
        for own in report["modules"]
        for name in of_module.get(own, ())
    }
    assert loaded & midogs_own() <= closure(REQUIREMENTS)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    write_input(tmp_path / "input")
    return Places(tmp_path / "input", tmp_path / "output", (tmp_path / "kit" / "model",))


def test_an_mha_gives_what_the_tiff_gives(weights: Path, places: Places, tmp_path: Path) -> None:
    make_kit(weights, tmp_path / "kit", Kit())
    first = run_job(places, device="cpu").read_bytes()
    (image,) = (places.input / "images" / "histopathology-roi-cropout").iterdir()
    image.unlink()
    mha(image.with_suffix(".mha"), pixels(), deflated=True)
    assert run_job(places, device="cpu").read_bytes() == first


def test_settings_of_the_kit_hold(weights: Path, places: Places, tmp_path: Path) -> None:
    words = make_kit(weights, tmp_path / "kit", Kit(threshold=0.9, orientations=2, mpp=0.26))
    assert words.endswith("threshold 0.900 (given)")
    tree = json.loads(run_job(places, device="cpu").read_text())
    for point in tree["points"]:
        assert (point["name"] == "mitotic figure") == (point["probability"] >= 0.9)
    own = read_kit(tmp_path / "kit" / "model")
    assert (own.mpp, own.orientations) == (0.26, 2)
    points = np.array([point["point"][:2] for point in tree["points"]])
    assert points.max() > 0.16 * 0.25


def test_an_ensemble_is_packed(weights: Path, places: Places, tmp_path: Path) -> None:
    import torch

    other = Detector.load(weights, device="cpu")
    with torch.no_grad():
        other.model.head.classification_head.cls_logits.bias += 0.3
    other.save(tmp_path / "b" / "best")
    make_ensemble([weights, tmp_path / "b"], tmp_path / "both")
    make_kit(tmp_path / "both", tmp_path / "kit", Kit())
    run_job(places, device="cpu")
    detector = load_detector(tmp_path / "kit" / "model", Kit(), device="cpu")
    assert len(detector.members) == 2


def test_a_verifier_is_packed(planted: Path, dark_spots: None, tmp_path: Path) -> None:
    verifier = planted / "verifier"
    make_kit(planted / "detector", tmp_path / "kit", Kit(), verifier=verifier)
    places = Places(tmp_path / "input", tmp_path / "output", (tmp_path / "kit" / "model",))
    image = write_input(places.input)
    shutil.copy(planted / "data" / "images" / "007.tiff", image)
    points = read_challenge(run_job(places, device="cpu"))
    assert points.is_figure.sum() == 3, "three figures, and three look-alikes that it refuses"


def test_all_may_read_a_kit_and_it_is_replaced_whole(weights: Path, tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    for _ in range(2):
        make_kit(weights, kit, Kit())
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in kit.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o644, 0o755}
    assert modes[kit / "try.sh"] == 0o755
    assert not list(kit.rglob("__pycache__"))
    assert (kit / "midog" / "submission" / "job.py").is_file()


def test_other_folders_and_models_are_refused_and_nothing_is_left(
    weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(WeightsError, match="mine exists and is no kit of midog"):
        make_kit(weights, tmp_path / "mine", Kit())
    (tmp_path / "m.onnx").touch()
    with pytest.raises(WeightsError, match="is an ONNX file"):
        make_kit(tmp_path / "m.onnx", tmp_path / "kit", Kit())
    shutil.copytree(weights, tmp_path / "bad")
    (tmp_path / "bad" / "model.safetensors").write_bytes(b"\0" * 90)
    with pytest.raises(WeightsError, match="safetensors"):
        make_kit(tmp_path / "bad", tmp_path / "kit", Kit())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "m.onnx", "mine"]


def test_requirements_are_pinned_without_local_versions() -> None:
    lines = requirements().splitlines()
    assert len(lines) == len(REQUIREMENTS)
    assert all(re.fullmatch(r"[a-z-]+==[0-9][0-9a-z.]*", line) for line in lines), lines
    assert any(line.startswith("timm==") for line in requirements(["timm"]).splitlines())


def test_what_a_verifier_of_patches_needs_is_pinned(tmp_path) -> None:
    words = ["task.kind=verify", "task.body=patches"]
    for folder, network, needs in (
        ("plain", "all_cnn", set()),
        ("timm", "{kind: timm, name: mobilenetv3_small_050}", {"timm"}),
    ):
        config = load_config(None, [*words, f"task.network={network}"])
        rule = ScoreRule(0.0, 1.0, 1.0)
        save_verifier(
            tmp_path / folder, Linear(1, 1), config, rule, threshold=0.5, detector="d", info={}
        )
        assert kit._packages_of_verifier(tmp_path / folder) == needs
