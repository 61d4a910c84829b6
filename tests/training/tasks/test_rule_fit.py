"""A classifier of patches, trained elsewhere, as the second look of a detector."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from midog.config.load import load_config
from midog.data.folder import read_rois
from midog.errors import DataError, WeightsError
from midog.inference.detector import Detector
from midog.inference.patch_classifier import PatchClassifier
from midog.inference.verified import VerifiedDetector, identity_of
from midog.inference.verifier import load_verifier
from midog.training.tasks.rule_fit import fit_rule
from midog.training.train import train
from tests.planted import GREEN, GROUND, PURPLE, save_detector
from tests.spoiled import one_line

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("dark_spots")]

SIDE = 40
SETTINGS = (
    "task.network={kind: group_cnn, group: z2, width: 4, stages: 2}",
    "task.patches_per_epoch=64",
    "train.epochs=6",
    "train.batch_size=16",
    "train.lr=0.01",
    "train.warmup_steps=0",
    "train.ema_decay=0",
    "machine.device=cpu",
    "machine.precision=32-true",
    "machine.workers=1",
)


def draw_patches(folder: Path, figure: tuple[int, int, int], other: tuple[int, int, int]) -> Path:
    """Class folders of spots of two colours, of twelve cases."""
    ys, xs = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    for name, colour in (("spot_mitotic", figure), ("spot_other", other)):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            rng = np.random.default_rng(number)
            pixels = np.array(GROUND) + rng.integers(-6, 7, (SIDE, SIDE, 3))
            pixels[xs**2 + ys**2 <= 10**2] = colour
            path = folder / name / f"C{number % 12:02d}_{number}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    """A run that tells purple spots from green ones."""
    folder = tmp_path_factory.mktemp("patches")
    values = {
        "data.dir": draw_patches(folder / "data", PURPLE, GREEN),
        "task.kind": "patches",
        "task.classes": ["spot_other", "spot_mitotic"],
        "task.slide_pattern": r"C\d+",
    }
    return train(load_config(None, SETTINGS, values), name="c", runs=folder)


def fit(planted: Path, classifier: Path, out: Path, **words):
    rois = read_rois(planted / "data")
    return fit_rule(planted / "detector", classifier, rois, out, device="cpu", **words)


def test_it_takes_look_alikes_out_and_leaves_the_weights(planted, classifier, tmp_path):
    fitted = fit(planted, classifier, tmp_path / "v")
    assert fitted.figure == "spot_mitotic"
    assert (fitted.alone.tp, fitted.alone.fp, fitted.alone.fn) == (6, 6, 0)
    assert (fitted.counts.tp, fitted.counts.fp, fitted.counts.fn) == (6, 0, 0)
    assert fitted.auc == 1
    assert fitted.rule.verifier > 0
    verifier, own = load_verifier(tmp_path / "v", device="cpu"), PatchClassifier.load(classifier)
    theirs = own.network.state_dict()
    assert verifier.network.state_dict().keys() == theirs.keys()
    for name, value in verifier.network.state_dict().items():
        assert torch.equal(value, theirs[name])
    assert (verifier.side, verifier.mpp) == (SIDE, 0.25)
    detector = Detector.load(planted / "detector", device="cpu")
    assert verifier.detector == identity_of(detector.settings())
    assert verifier.detector_folder == planted / "detector"
    both = VerifiedDetector(detector, verifier)
    found = both(planted / "data" / "images" / "007.tiff")
    assert (found.scores >= both.threshold).sum() == 3


def test_nothing_but_what_it_wrote_is_replaced(planted, classifier, tmp_path, caplog):
    fit(planted, classifier, tmp_path / "v")
    assert f"nothing states which images {classifier} was trained on" in caplog.text
    fit(planted, classifier, tmp_path / "v")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    taken = ["detector", "verifier", "verifier/best"]
    for out in [classifier, classifier / "best", *(planted / own for own in taken)]:
        before = sorted((file, file.stat().st_mtime_ns) for file in out.iterdir())
        with pytest.raises(WeightsError, match=r"is no verifier .* another folder with out"):
            fit(planted, classifier, out)
        assert sorted((file, file.stat().st_mtime_ns) for file in out.iterdir()) == before
    with pytest.raises(WeightsError, match="is no verifier"):
        fit(planted, classifier, tmp_path / "notes")


def test_a_verifier_of_another_detector_is_fitted_anew(planted, tmp_path, caplog):
    other = save_detector(tmp_path / "d", [f"{n:03d}.tiff" for n in range(1, 5)], weight=0.5)
    rois = read_rois(planted / "data")
    before = load_verifier(planted / "verifier", device="cpu")
    fitted = fit_rule(other, planted / "verifier", rois, tmp_path / "v", device="cpu")
    after = load_verifier(tmp_path / "v", device="cpu")
    assert fitted.figure == "mitotic figure"
    assert after.detector != before.detector
    assert after.detector_folder == other
    VerifiedDetector(Detector.load(other, device="cpu"), after)
    assert "fitted for another detector" not in caplog.text


def test_a_detector_that_trained_on_val_is_refused(planted, classifier, tmp_path):
    seen = save_detector(tmp_path / "d", ["001.tiff", "005.tiff"])
    with pytest.raises(DataError, match=r"was trained on 1 val ROIs \(005\.tiff\)"):
        fit_rule(seen, classifier, read_rois(planted / "data"), tmp_path / "v", device="cpu")
    assert not (tmp_path / "v").exists()


def test_it_is_fitted_and_used_from_the_command_line(midog, planted, classifier, tmp_path):
    words = ["--data", planted / "data", "--model", planted / "detector", "--device", "cpu"]
    ran = midog("tune", *words, "--verifier", classifier, "--out", classifier)
    assert "name another folder with --out" in one_line(ran)
    ran = midog("tune", *words, "--verifier", classifier, "--out", tmp_path / "v")
    assert ran.code == 0, ran.err
    assert f"spot_mitotic of {classifier} counts as mitotic figure; AUC 1.000" in ran.err
    assert ran.out.splitlines()[-1].split()[:8] == [
        "with", "the", "second", "look", "6", "0", "0", "1.000",
    ]  # fmt: skip
    card = json.loads((tmp_path / "v" / "model.json").read_text())
    assert (card["task"], card["config"]["task"]["body"]) == ("verify", "patches")
    out = tmp_path / "out"
    ran = midog(
        "infer", planted / "data", "--subset", "test", "--verifier", tmp_path / "v", "--out", out
    )
    assert ran.code == 0, ran.err
    assert f"model {planted / 'detector'}" in ran.err
    table = midog("evaluate", out, "--data", planted / "data", "--resamples", 0).out.splitlines()
    scores = dict(zip(table[0].split(), table[1].split(), strict=False))
    assert [scores[name] for name in ("TP", "FP", "FN")] == ["6", "0", "0"]


def test_infer_says_how_a_classifier_of_patches_becomes_a_verifier(midog, planted, classifier):
    ran = midog("infer", planted / "data", "--verifier", classifier)
    assert "midog tune --verifier" in one_line(ran)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--verifier", "RUN"], "--out"),
        (["--out", "v"], "goes with --verifier"),
        (["--verifier", "RUN", "--out", "v", "--precision", "0.9"], "leave other goals"),
        (["--verifier", "RUN", "--out", "v", "--calibrate"], "leave other goals"),
        (["--verifier", "RUN", "--out", "v", "--orientations", "8"], "leave other goals"),
    ],
)
def test_words_that_do_not_go_together_are_refused(midog, planted, words, said):
    ran = midog("tune", "--data", planted / "data", *words)
    assert ran.code == 2
    assert said in ran.err


def test_a_network_of_patches_learns_to_verify_from_a_classifiers_weights(
    midog, planted, classifier, tmp_path
):
    shutil.copy(planted / "alarms.csv", tmp_path / "alarms.csv")
    sets = [
        "task.body=patches",
        f"task.classifier={classifier}",
        "task.crop=40",
        "task.crops_per_epoch=16",
        "train.epochs=1",
        "train.lr=0.0001",
        "machine.device=cpu",
    ]
    words = [word for own in sets for word in ("--set", own)]
    ran = midog(
        "train", "--task", "verify", "--data", planted / "data", "--detector",
        planted / "detector", "--candidates", tmp_path / "alarms.csv", "--runs", tmp_path,
        "--name", "v", *words,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    verifier = load_verifier(tmp_path / "v", device="cpu")
    assert type(verifier.network).__name__ == "GroupCNN"
    theirs = PatchClassifier.load(classifier, device="cpu").network.state_dict()
    for name, value in verifier.network.state_dict().items():
        if value.dtype.is_floating_point and "running" not in name:
            torch.testing.assert_close(value, theirs[name], rtol=0, atol=0.05)
    assert "AUC 1.000" in ran.err
