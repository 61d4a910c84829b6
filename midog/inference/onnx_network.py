"""A detector's network in an ONNX file: what stands beside it, and what runs it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from midog.config.schema import InferenceSettings, RunConfig
from midog.errors import ConfigError, DeviceError, WeightsError
from midog.files import read_bytes
from midog.inference.model_card import Card, read_card
from midog.inference.network import pixels_per_step
from midog.json_text import checked
from midog.models.backbone_registry import require
from midog.models.frame import Frame
from midog.models.protocol import BoxTargets, Candidates, DetectionNetwork, ImageDetections

SUFFIX = ".onnx"
FACTS = "onnx"
"""Key of OnnxFacts in the card."""
RUNTIME = "onnxruntime"
INPUT, OUTPUTS = "images", ("boxes", "scores", "labels")
_AGAIN = "write both files again by `midog export onnx`"


class OnnxFacts(BaseModel):
    """What a card states of its ONNX file.

    weights: digest of the network's weights, as its model folder has them. tile: side of the tiles
    that the file takes, px.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    weights: str = Field(pattern="[0-9a-f]{16}")
    tile: int = Field(ge=64, le=8192)


class OnnxBackend:
    """Runs an ONNX file on the CPU with onnxruntime.

    Args:
        path: The file.
        threads: That it may use.

    Raises:
        WeightsError: onnxruntime does not read the file, or it is of something else.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # damaged files raise whatever the damage leads to
            raise WeightsError(f"{path} is not read by {RUNTIME}: {error}", _AGAIN) from None
        names = [one.name for one in self._session.get_inputs()]
        if names != [INPUT]:
            raise WeightsError(f"{path} is no detector of midog: its inputs are {names}", _AGAIN)

    def start(self, images: Tensor, floor: float) -> Callable[[], Candidates]:
        """Detect in tiles; see `midog.inference.network.Backend.start`."""
        shown = np.ascontiguousarray(images.numpy())
        boxes, scores, labels = self._session.run(list(OUTPUTS), {INPUT: shown})
        scores = np.where(scores > np.float32(floor), scores, np.float32(0))
        candidates = Candidates(*map(torch.from_numpy, (boxes, scores, labels)))
        return lambda: candidates

    def pixels_per_step(self) -> int:
        """Most px at a time; see `midog.inference.network.Backend.pixels_per_step`."""
        return pixels_per_step(torch.device("cpu"))


class OnnxNetwork(DetectionNetwork):
    """Stands where a network stands in a detector; it detects in tiles of one side, and no more.

    Args:
        path: The file.
        facts: Of it.
    """

    def __init__(self, path: Path, facts: OnnxFacts) -> None:
        super().__init__()
        self.frame = Frame()
        self.path, self.facts = path, facts

    def backend(self) -> OnnxBackend:
        """What runs it, with as many threads as torch has."""
        return OnnxBackend(self.path, torch.get_num_threads())

    def check(self, inference: InferenceSettings, precision: str, device: torch.device) -> None:
        """Check that it can run like this.

        Raises:
            ConfigError: It was written for tiles of another side, or another precision is asked
                for.
            DeviceError: The device is not the CPU.
        """
        if device.type != "cpu":
            what = f"{self.path} runs on the CPU, not on {device}"
            raise DeviceError(what, settings={"device": "cpu"})
        if inference.tile != self.facts.tile:
            raise ConfigError(
                f"{self.path} takes tiles of {self.facts.tile} px, not {inference.tile}",
                "write it for these by `midog export onnx --tile`",
                {"inference.tile": self.facts.tile},
            )
        if precision != "32-true":
            what = f"{self.path} computes in float32, not {precision}"
            raise ConfigError(what, settings={"inference.precision": "32-true"})

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        """Refuse: an ONNX file does not learn."""
        raise self.only_detects()

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        """Refuse: tiles go through `backend`."""
        raise self.only_detects()

    def detections(self, images: Tensor, floor: float) -> list[ImageDetections]:
        """Refuse: tiles go through `backend`."""
        raise self.only_detects()

    def features(self, images: Tensor) -> list[Tensor]:
        """Refuse: an ONNX file has no maps to show."""
        raise self.only_detects()

    def for_detection(self, dtype: torch.dtype) -> Self:
        """Refuse: it is for detection already."""
        raise self.only_detects()

    def compile_parts(self) -> None:
        """Do nothing: onnxruntime compiles it."""

    def state_dict(self, *_: Any, **__: Any) -> Any:
        """Refuse: its weights are in the file alone."""
        raise self.only_detects()

    def only_detects(self) -> WeightsError:
        """The error for whatever else is asked of it."""
        return WeightsError(f"{self.path} detects, and does nothing else", "give the run itself")


def card_of(path: Path) -> Path:
    """Return the place of an ONNX file's card: model.onnx.json."""
    return path.with_name(f"{path.name}.json")


def read_onnx(path: Path) -> tuple[OnnxNetwork, RunConfig, Card]:
    """Read an ONNX file of `midog export onnx`, its config and its description.

    Raises:
        WeightsError: The file or its card is missing or damaged, or they are not of each other.
        ConfigError: onnxruntime is not installed.
    """
    require(RUNTIME, str(path))
    card_path = card_of(path)
    content = read_bytes(path, WeightsError)
    card, config = read_card(card_path)
    extra: dict[str, Any] = card.model_extra or {}
    facts = checked(extra.get(FACTS), OnnxFacts, f"{card_path}: {FACTS}", WeightsError, _AGAIN)
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        what = f"{path} is not the file that {card_path} was written with: their checksums differ"
        raise WeightsError(what, "copy both again, or write them again")
    return OnnxNetwork(path, facts), config, card
