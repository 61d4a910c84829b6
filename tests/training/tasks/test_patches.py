"""A classifier of patches through `midog`: it learns, says what it is, and resumes to the bit."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from midog.augment.on_device import to_float
from midog.config.load import load_config
from midog.models.classifiers.registry import CLASSIFIERS
from midog.training.log import read_metrics
from midog.training.runs import read_state
from midog.training.tasks.patches import PatchesTask, class_weights
from midog.training.tasks.patches_data import read_patches_data
from tests.drawn_patches import SETTINGS, SIZES, draw, write_hdf5, write_masks
from tests.spoiled import settings
from tests.tumour.slides import write_index

pytestmark = pytest.mark.slow


def task(folder: Path, *overrides: str) -> PatchesTask:
    config = load_config(None, [*SETTINGS, f"data.dir={folder}", *overrides])
    return read_patches_data(config).open(torch.device("cpu"))


def test_it_learns_and_says_what_it_is(midog, classifier):
    card = json.loads((classifier / "best" / "model.json").read_text())
    assert (card["task"], card["class_names"], card["side"]) == ("patches", ["0", "1"], 32)
    assert 0 < card["threshold"] < 1
    rows = read_metrics(classifier / "metrics.csv")
    assert float(rows[-1]["val/auc"]) == 1
    assert float(rows[-1]["val/loss"]) < float(rows[0]["val/loss"])
    assert read_state(classifier)["score_name"] == "AUC"


def test_it_resumes_to_the_same_weights(midog, classifier, tmp_path, monkeypatch):
    losses, calls = PatchesTask.losses, []
    words = ["--data", classifier.parent / "data", "--runs", tmp_path, "--name", "a"]
    words += settings(SETTINGS)

    def interrupted(self, network, batch):
        calls.append(len(batch))
        if len(calls) == 6:  # between two batches of the second epoch
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(self, network, batch)

    monkeypatch.setattr(PatchesTask, "losses", interrupted)
    assert midog("patches", "train", *words).code == 128 + signal.SIGTERM
    monkeypatch.setattr(PatchesTask, "losses", losses)
    ran = midog("train", "--task", "patches", *words)
    assert ran.code == 0, ran.err
    whole, broken = (
        torch.load(folder / "last.ckpt", weights_only=True)["model"]
        for folder in (classifier, tmp_path / "a")
    )
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_a_small_network_learns_a_small_batch_by_heart(tmp_path, loss):
    torch.manual_seed(0)
    own = task(write_hdf5(tmp_path), f"task.loss={loss}", "train.batch_size=8")
    network = own.build(pretrained=False)
    patches, labels = draw(8, 5, noise=60)
    labels = torch.from_numpy(np.random.default_rng(1).permutation(labels))
    images = to_float(torch.from_numpy(patches))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        sum(network(images, labels, own.loss).values()).backward()
        optimizer.step()
    with torch.no_grad():
        assert network.logits(images).argmax(1).tolist() == labels.tolist()


def test_batches_are_those_that_it_names(tmp_path):
    own = task(write_hdf5(tmp_path), "task.jitter=2", "augment.flip=false")
    (batch, *_) = own.batches(1, start=2, rank=0, world=1)
    named = own.locations(1, 2, rank=0, world=1)
    numbers = [int(one["patch"].split("[")[1][:-1]) for one in named]
    assert batch.targets["numbers"].tolist() == numbers
    assert max(abs(one[axis]) for one in named for axis in "xy") <= 2.5


def test_the_rarer_class_weighs_more():
    weights = class_weights(np.array([0, 0, 0, 1]), torch.device("cpu"))
    assert weights.tolist() == pytest.approx([4 / 6, 2])


@pytest.mark.parametrize("kind", ["resnet10", "resnet18", "all_cnn", "group_densenet"])
def test_a_classifier_of_the_registry_is_trained_by_its_name(tmp_path, kind):
    assert kind in CLASSIFIERS
    folder = write_hdf5(tmp_path, sizes=dict.fromkeys(SIZES, 4), scale=3)
    own = task(folder, f"task.network={kind}", "train.batch_size=2", "task.balance=loss")
    network = own.build(pretrained=True)
    (batch, *_) = own.batches(0, start=0, rank=0, world=1)
    loss = sum(own.losses(network, batch).values())
    loss.backward()
    assert loss.isfinite()
    assert any(one.grad is not None and one.grad.any() for one in network.parameters())


@pytest.mark.parametrize(
    ("network", "parts"),
    [
        (
            "{kind: two_towers, features: 8, tower: {kind: all_cnn, width: 4, stages: 1}}",
            {"classification"},
        ),
        ("{kind: unet, width: 4}", {"classification", *(f"mask_{s}px" for s in (32, 8, 2))}),
    ],
    ids=["two towers", "U-Net"],
)
def test_networks_of_several_views_learn_are_saved_and_score(midog, tmp_path, network, parts):
    from midog import PatchClassifier
    from midog.errors import DataError
    from midog.training.train import train

    write_masks(write_hdf5(tmp_path))
    overrides = [*SETTINGS, f"data.dir={tmp_path}", f"task.network={network}", "train.epochs=6"]
    run = train(load_config(None, overrides), runs=tmp_path, name="run")
    rows = read_metrics(run / "metrics.csv")
    assert {f"train/loss_{part}" for part in parts} <= set(rows[-1])
    assert float(rows[-1]["val/auc"]) > 0.9
    own = PatchClassifier.load(run, device="cpu")
    patches, labels = draw(40, 7)
    assert ((own.predict(patches)[:, 1] >= own.threshold) == (labels == 1)).mean() > 0.8
    if network.startswith("{kind: unet"):
        masks = own.masks(patches)
        assert masks.shape == (40, 32, 32)
        light = to_float(torch.from_numpy(patches[3:4]))
        expected = own.network.maps(light)[0][0, 0].sigmoid().numpy()
        np.testing.assert_allclose(masks[3], expected, atol=1e-5)
    else:
        with pytest.raises(DataError, match="scores whole patches, and none of their px"):
            own.masks(patches)


def test_it_learns_from_places_of_slides_and_is_scored_on_them(midog, tmp_path):
    folder = write_index(tmp_path)
    words = ["--data", folder, "--runs", tmp_path / "runs", "--name", "a"]
    words += settings([*SETTINGS, "data.mpp=1", "train.epochs=2"])
    ran = midog("patches", "train", *words)
    assert ran.code == 0, ran.err
    card = json.loads((tmp_path / "runs" / "a" / "best" / "model.json").read_text())
    assert (card["class_names"], card["side"], card["mpp"]) == (["normal", "tumour"], 32, 1)
    ran = midog("patches", "evaluate", tmp_path / "runs" / "a", "--json", "--resamples", 0)
    assert ran.code == 0, ran.err
    result = json.loads(ran.out)
    assert result["groups"]["all"]["auc"] == 1
