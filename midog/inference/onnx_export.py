"""Writes a detector's network as an ONNX file, and tries it on onnxruntime before it is kept."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from midog.augment.on_device import to_float
from midog.config.load import parse_config
from midog.errors import WeightsError
from midog.files import replace_text, replacing
from midog.inference.ensemble_folder import is_ensemble
from midog.inference.model_folder import find_folder, read_model, weights_digest, weights_of
from midog.inference.onnx_network import (
    FACTS,
    INPUT,
    OUTPUTS,
    RUNTIME,
    SUFFIX,
    OnnxBackend,
    OnnxFacts,
    card_of,
)
from midog.json_text import to_json
from midog.models.backbone_registry import require
from midog.models.protocol import Candidates, DetectionNetwork
from midog.models.registry import DETECTORS

TILE = 1024
"""Side of the tiles where the model's is `auto`, px."""
SCORE_TOLERANCE, BOX_TOLERANCE_PX = 5e-4, 0.05
"""Most by which the file may differ from the network it is of, on random pixels and in candidates
of any score; FCOS takes the root of a product, which magnifies what is almost 0."""

_OPSET = 18
_BEST, _LEAST = 100, 1e-3  # boxes of a tile that are compared, and the scores that these have


@dataclass(frozen=True)
class Exported:
    """What was written. tile: px. score, box_px: largest differences from torch that were seen."""

    path: Path
    tile: int
    score: float
    box_px: float


def export_onnx(model: Path, out: Path, *, tile: int | None = None) -> Exported:
    """Write a model's network as out, and its card as out.json; the file is tried before.

    Args:
        model: Folder of a model or a run.
        out: Ends in .onnx; a file that midog wrote there is replaced.
        tile: Side of the tiles that it will take, px; None: the model's own, TILE where that is
            `auto`.

    Raises:
        WeightsError: The model is missing, damaged, an ensemble, or of a kind that has no ONNX; the
            file cannot be written; or it does not give what the network gives.
        ConfigError: The tile is out of range, or a package is not installed.
    """
    require("onnx", "the export")
    require(RUNTIME, "the export")
    if out.suffix != SUFFIX or (out.exists() and not card_of(out).exists()):
        what = "exists and was not written by midog" if out.exists() else f"ends not in {SUFFIX}"
        raise WeightsError(f"{out} {what}", "choose another {out}", {"out": None})
    folder = find_folder(model.expanduser())
    if is_ensemble(folder):
        raise WeightsError(f"{model} is an ensemble", "export its models one by one")
    network, config, card = read_model(folder)
    if reason := DETECTORS[config.model.kind].no_onnx:
        raise WeightsError(
            f"{model} is a {config.model.kind}, which has no ONNX: {reason}", "use it as it is"
        )
    own = config.inference.tile
    side = tile or (TILE if own == "auto" else own)
    inference = {"tile": side, "precision": "32-true"}
    tree = config.to_dict()
    tree["inference"] |= inference
    tiled = parse_config(tree)
    facts = OnnxFacts(weights=weights_digest(weights_of(network)), tile=side)
    with replacing(out, WeightsError, parents=True) as part:
        detecting = network.for_detection(torch.float32)
        _write(detecting, part, side)
        score, box = _tried(detecting, part, side)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
    content = card.model_dump(mode="json") | {
        "config": tiled.to_dict(),
        "weights_sha256": digest,
        FACTS: facts.model_dump(),
    }
    replace_text(card_of(out), to_json(content, ascii_only=False), WeightsError)
    return Exported(out, side, score, box)


class _Detecting(nn.Module):
    """From tiles (B, S, S, 3) uint8 to their candidates, of any score."""

    def __init__(self, network: DetectionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.candidates(to_float(images), 0.0))


def _write(network: DetectionNetwork, path: Path, side: int) -> None:
    """Write the graph that torch records when it detects in two tiles.

    The recording exporter needs no package but onnx, and a second; sizes of the tiles become
    constants, which they are.
    """
    images = _random_tiles(2, side)
    with torch.inference_mode():
        network.candidates(to_float(images), 0.0)  # lays out anchors, which become constants
    batch = {name: {0: "batch"} for name in (INPUT, *OUTPUTS)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constants that are meant to be constant
        torch.onnx.export(
            _Detecting(network).eval(),
            (images,),
            str(path),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes=batch,
            opset_version=_OPSET,
            dynamo=False,
        )


def _tried(network: DetectionNetwork, path: Path, side: int) -> tuple[float, float]:
    """Compare a file with its network on one and on three tiles.

    Returns:
        The largest difference of scores, and of boxes in px.
    """
    backend = OnnxBackend(path, torch.get_num_threads())
    differences = []
    for count in (1, 3):
        images = _random_tiles(count, side)
        with torch.inference_mode():
            ours = network.candidates(to_float(images), 0.0)
        differences.append(_difference(ours, backend.start(images, 0.0)()))
    score, box = (max(column) for column in zip(*differences, strict=True))
    if not (score <= SCORE_TOLERANCE and box <= BOX_TOLERANCE_PX):
        what = f"the ONNX file differs from its network by {score:.2g} in scores and {box:.2g} px"
        raise WeightsError(what, "use the model as it is, and report this")
    return score, box


def _difference(ours: Candidates, theirs: Candidates) -> tuple[float, float]:
    """The largest difference of scores, and of the best boxes from the nearest of their class.

    Candidates of one score may change places, so that boxes are not compared in their order.
    """
    if any(own.shape != other.shape for own, other in zip(ours, theirs, strict=True)):
        return math.inf, math.inf
    furthest = 0.0
    for own, other in zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True):
        best = own[1].topk(min(_BEST, len(own[1]))).indices
        best = best[own[1][best] > _LEAST]
        apart = (own[0][best, None] - other[0]).abs().amax(dim=-1)
        apart[own[2][best, None] != other[2]] = math.inf
        if len(best):
            furthest = max(furthest, float(apart.amin(dim=1).max()))
    return float((ours.scores - theirs.scores).abs().max()), furthest


def _random_tiles(count: int, side: int) -> Tensor:
    """Tiles (count, side, side, 3) uint8, always the same."""
    generator = torch.Generator().manual_seed(count)
    small = torch.randint(0, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)
    shown = nn.functional.interpolate(small.float(), size=(side, side), mode="bilinear")
    return shown.permute(0, 2, 3, 1).round().to(torch.uint8).contiguous()
