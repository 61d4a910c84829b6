"""All stages as one tree."""

from __future__ import annotations

import pytest

from midog.bench.options import BenchOptions
from midog.bench.run import run_bench
from midog.config.load import load_config
from midog.errors import DeviceError
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
