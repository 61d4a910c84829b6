"""Ray: what a cluster must have, and two nodes of which one is removed half-way."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from midog.errors import DeviceError, MidogError
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import find_jobs
from midog.scale.ray_cluster import _needs, require_ray
from tests.inference.test_killed_shards import contents
from tests.scale.conftest import IMAGES

ROOT = Path(__file__).resolve().parents[2]


def test_without_ray_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MidogError) as error:
        require_ray()
    assert str(error.value).endswith("not installed; pip install 'midog[scale]'")


def cluster(*resources: dict[str, float]) -> SimpleNamespace:
    nodes = [{"Alive": True, "Resources": own} for own in resources]
    nodes.append({"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}})
    return SimpleNamespace(nodes=lambda: nodes)


@pytest.mark.parametrize(
    ("resources", "device", "needs", "line"),
    [
        (
            [{"CPU": 8.0}, {"CPU": 9.0}],
            "auto",
            {"CPU": 4},
            "4 workers with 4 CPU threads on 2 nodes",
        ),
        ([{"CPU": 8.0}, {"CPU": 2.0}], "cpu", {"CPU": 4}, "1 nodes have no room for a worker"),
        (
            [{"CPU": 8.0, "GPU": 4.0}],
            "auto",
            {"CPU": 1, "GPU": 1},
            "4 workers with a GPU",
        ),
        ([{"CPU": 8.0, "GPU": 1.0}, {"CPU": 8.0}], "cuda", {"CPU": 1, "GPU": 1}, "1 nodes have"),
        ([{"CPU": 8.0, "GPU": 4.0}], "cpu", {"CPU": 4}, "2 workers with 4 CPU threads"),
    ],
)
def test_a_worker_needs_a_gpu_or_as_many_cpus_as_threads(resources, device, needs, line, caplog):
    caplog.set_level(logging.INFO, "midog")
    assert _needs(cluster(*resources), device, 4) == needs
    assert line in caplog.text


@pytest.mark.parametrize(
    ("resources", "device", "words"),
    [
        ([{"CPU": 2.0}, {"CPU": 3.0}], "auto", "the most is 3; set OMP_NUM_THREADS=3"),
        ([{"memory": 1.0}], "auto", "the most is 0; set OMP_NUM_THREADS=1"),
        ([{"CPU": 8.0}], "cuda", "no node of the Ray cluster has a GPU; use device=cpu"),
        ([{"CPU": 8.0}], "cuda:1", "cuda:1 cannot be asked for; use auto, cuda or cpu"),
        ([{"CPU": 8.0}], "mps", "mps cannot be asked for"),
    ],
)
def test_a_cluster_without_room_is_one_line(resources, device, words):
    with pytest.raises(DeviceError) as error:
        _needs(cluster(*resources), device, 4)
    assert words in str(error.value)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.skipif(
    "MIDOG_TEST_RAY" not in os.environ, reason="starts a Ray cluster: MIDOG_TEST_RAY=1 runs it"
)
def test_a_node_that_is_removed_half_way_changes_no_byte(
    tiny_model: Path, small_images: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(tiny_model, tmp_path / "model")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.scale.two_nodes", str(copied), str(small_images), "ray"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stderr.count("a worker was lost with") == 1
    told = json.loads(ran.stdout)
    names = [f"{number:02d}.tif" for number in range(IMAGES)]
    assert sorted(told["names"]) == sorted(told["done"]) == names
    assert told["failed"] == told["again"] == []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        detector = Detector.load(tiny_model, device="cpu")
        jobs = find_jobs([small_images])
        infer(jobs, detector, tmp_path / "one", formats=("challenge", "csv"))
    finally:
        torch.set_num_threads(threads)
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
