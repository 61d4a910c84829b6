"""All stages as one tree."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from midog.bench.estimate import estimate_lines
from midog.bench.options import BenchOptions
from midog.bench.run import run_bench
from midog.bench.stages import STAGES
from midog.bench.step import TrainingStep
from midog.bench.tables import rows
from midog.config.load import load_config
from midog.errors import DeviceError
from midog.json_text import to_json
from tests.bench.small import SMALL

pytestmark = pytest.mark.usefixtures("hasty")
CONFIGS = {"small": load_config(None, [*SMALL, "model.weights=coco"])}


def run(stages, said=None, **more):
    options = BenchOptions(rounds=1, roi=(700, 600), **more)
    return run_bench(stages, CONFIGS, options, say=(said or []).append)


def test_only_what_is_asked_for_is_in_the_tree():
    said: list[str] = []
    tree = run(["sweep"], said, device="cpu", threads=2, detections=200)
    assert list(tree) == ["machine", "sweep", "estimate"]
    assert tree["machine"]["threads"] == 2
    assert not any("drawing" in line for line in said), "a sweep needs no ROIs"


def test_the_estimate_is_of_the_splits_rois_or_of_own_data(phantom):
    size = run(["sweep"], device="cpu", detections=200)["estimate"]["size"]
    assert size["source"] == "split midog21"
    assert size["train"] > 50
    own = load_config(None, [*SMALL, f"data.dir={str(phantom)!r}"])
    options = BenchOptions(device="cpu", rounds=1, detections=200, own_data=True)
    tree = run_bench(["sweep"], {"own": own}, options, say=print)
    assert tree["estimate"]["size"] == {"source": str(phantom), "train": 2, "val": 2}


def test_a_device_that_does_not_exist_is_an_error():
    with pytest.raises(DeviceError):
        run(["sweep"], device="cuda:99")


def test_a_network_that_does_not_fit_leaves_the_others_their_rows(monkeypatch):
    whole = TrainingStep.gradients

    def gradients(step: TrainingStep) -> None:
        if step.config.train.batch_size == 16:
            raise torch.AcceleratorError("CUDA error: out of memory")
        whole(step)

    monkeypatch.setattr(TrainingStep, "gradients", gradients)
    configs = {"large": CONFIGS["small"].with_values(train={"batch_size": 16}), **CONFIGS}
    options = BenchOptions(device="cpu", rounds=1, roi=(700, 600))
    tree = run_bench(["step"], configs, options, say=lambda line: None)
    table = list(rows("step", tree["step"]))
    assert [row[1] == "did not fit" for row in table] == [True, True, False, False]
    assert "large" in table[0][0]
    assert tree["estimate"]["training_hours"] is None
    assert '"rate": null' in to_json(tree)
    assert estimate_lines(tree["estimate"]) == []


def test_a_stage_that_does_not_fit_at_all_is_a_row(monkeypatch):
    def full(conditions: object) -> None:
        raise DeviceError("cuda is out of memory with 1 tiles of 64 px at a time")

    monkeypatch.setitem(STAGES, "infer", replace(STAGES["infer"], run=full))
    tree = run(["infer", "sweep"], device="cpu", detections=200)
    assert next(rows("infer", tree["infer"]))[:2] == [
        "infer  a whole ROI, from file to JSON",
        "did not fit",
    ]
    assert tree["estimate"]["infer_seconds"] is None
    assert tree["sweep"]["rate"] > 0
