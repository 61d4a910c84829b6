"""A worker loads once, does what it is told, and answers with whatever is wrong."""

from __future__ import annotations

import logging
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from midog.inference.detector_choice import DetectorChoice
from midog.inference.jobs import find_jobs
from midog.inference.order import Order
from midog.scale.worker import Setting, Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker in this process, which then logs and computes as before."""
    log = logging.getLogger("midog")
    before = log.handlers[:], log.level, log.propagate
    threads = torch.get_num_threads()
    yield Worker()
    log.handlers[:], log.level, log.propagate = before
    torch.set_num_threads(threads)


@pytest.fixture
def order(tiny_model: Path, small_images: Path, tmp_path: Path) -> Order:
    """Of two images."""
    images = tmp_path / "images"
    images.mkdir()
    for name in ("00.tif", "01.tif"):
        shutil.copy(small_images / name, images / name)
    choice = DetectorChoice((tiny_model,), device="cpu")
    return Order(choice, find_jobs([images]), tmp_path / "out", ("challenge", "csv"))


def test_a_worker_does_the_images_that_it_is_told(worker, order):
    order.jobs[1].path.write_bytes(b"no image")
    sent, setting = pickle.loads(pickle.dumps((order, Setting.here())))
    assert worker.prepare(sent, sent.jobs, setting).error is None
    assert worker.check().outcome is None
    first = pickle.loads(pickle.dumps(worker.do(0)))
    assert list(first.outcome.figures) == ["00.tif"]
    assert list(worker.do(1).outcome.failed) == ["01.tif"]
    assert worker.do(0).outcome.skipped == ["00.tif"]
    assert sorted(path.name for path in order.out.glob("[!.]*")) == ["00.csv", "00.json"]


def test_what_was_logged_is_in_the_answer(worker, order):
    worker.prepare(order, order.jobs, Setting.here())
    worker.do(0)
    path = order.out / "00.json"
    path.write_text("{")
    assert (logging.WARNING, f"{path} is damaged: the image is detected in again") in worker.do(
        0
    ).lines
    assert worker.do(0).lines == ()


def test_what_a_node_lacks_is_one_line_that_names_it(worker, order, tmp_path):
    setting = Setting.here()
    nowhere = replace(setting, folder=tmp_path / "nowhere")
    error = worker.prepare(order, order.jobs, nowhere).error
    assert f"{tmp_path / 'nowhere'} cannot be used here: No such file" in str(error)
    assert "(on node " in str(error)
    other = replace(setting, versions={**setting.versions, "torch": "1.0"})
    error = worker.prepare(order, order.jobs, other).error
    assert str(error).startswith(f"torch is {torch.__version__} here and 1.0 where the command")
    lost = replace(order, choice=DetectorChoice((tmp_path / "no-model",), device="cpu"))
    assert "no model folder" in str(worker.prepare(lost, order.jobs, setting).error)
    assert "unexpected AssertionError" in str(worker.do(0).error)
