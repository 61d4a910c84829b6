"""A whole ROI from file to JSON, as `midog infer` runs it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from midog.bench.conditions import Conditions
from midog.bench.forward import best_precision
from midog.bench.measured import Measured, measured
from midog.bench.network_cost import gflop_of, peak_memory
from midog.bench.random_detector import random_detector
from midog.bench.timing import take_turns
from midog.boxes import Detections
from midog.formats.challenge import write_challenge
from midog.images.image import open_image
from midog.inference.detector import Detector
from midog.models.build import build_model
from midog.mpp import Mpp, as_mpp

THRESHOLD = 0.5


class RoiDetection:
    """Detection in the first ROI's file, with random weights that detect something in it.

    Attributes:
        model: The network, of the first config.
        path: The ROI's file, `width` x `height` px of `mpp` um.
        detections: Those of the last run.
    """

    def __init__(self, conditions: Conditions) -> None:
        roi, config = conditions.rois[0], conditions.config
        assert roi.path is not None
        with open_image(roi.path) as image:
            self.width, self.height = image.width, image.height
            self.mpp = as_mpp(roi.mpp) or image.mpp or Mpp.of(config.data.mpp)
        conditions.say(f"infer: {roi.path.name}, {self.width}x{self.height} px")
        corners = _two_corners(roi.path, config.sampling.patch_size)
        torch.manual_seed(0)
        network = build_model(config, pretrained=False)
        self.model = random_detector(network, config.model.kind, corners)
        self.path, self.folder = roi.path, conditions.folder
        self.detector = Detector(
            copy.deepcopy(self.model), config, threshold=THRESHOLD, device=str(conditions.device)
        )
        self.detections = Detections()

    @property
    def megapixels(self) -> float:
        """Of the ROI."""
        return self.width * self.height / 1e6

    def run(self) -> None:
        """Detect, from file to JSON."""
        self.detections = self.detector(self.path, mpp=self.mpp)
        self.write(self.detections)

    def write(self, detections: Detections) -> None:
        """Write detections as the challenge's JSON, into `folder`/detections.json."""
        path = self.folder / "detections.json"
        write_challenge(path, detections, mpp=self.mpp, threshold=THRESHOLD)


def infer_stage(conditions: Conditions) -> Measured:
    """Measure pixels per second of the first ROI's file."""
    work, device = RoiDetection(conditions), conditions.device
    slow = device.type == "cpu"  # too slow for a round that does not count
    peak = {} if slow else peak_of(work.run, device)
    taken = take_turns(
        {"infer": work.run}, rounds=conditions.rounds, device=device, warm_up=not slow
    )["infer"]
    what, limit = infer_row(conditions, work)
    detail: dict[str, Any] = {"seconds": float(np.median(taken)), **peak}
    detail |= {"figures": len(work.detections.figures().at_least(THRESHOLD))}
    return measured(what, "Mpx/s", work.megapixels / taken, limit=limit, detail=detail)


def infer_row(conditions: Conditions, work: RoiDetection) -> tuple[str, tuple[str, float]]:
    """The words and the limit of detection in a whole ROI."""
    name, config = next(iter(conditions.configs)), conditions.config
    precision = best_precision(conditions.device, config.inference.precision)
    side = config.sampling.patch_size
    gflop = gflop_of(work.model, side) * 1e6 / side**2
    return (
        f"{name}: {work.width}x{work.height} px from file to JSON, {precision}",
        conditions.convolution_limit(precision, gflop),
    )


def peak_of(run: Callable[[], object], device: torch.device) -> dict[str, float]:
    """The most of a GPU's memory that a call takes, GiB."""
    peak_memory(device)
    run()
    return peak_memory(device)


def _two_corners(path: Path, side: int) -> NDArray[np.uint8]:
    """Two patches (2, S, S, 3) of an image, which is white where it is smaller."""
    with open_image(path) as image:
        ends = (max(image.width - side, 0), max(image.height - side, 0))
        return np.stack([image.read(0, 0, side, side), image.read(*ends, side, side)])
