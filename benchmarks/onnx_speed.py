"""Detection by onnxruntime against detection by torch, on one ROI, with one model.

    python benchmarks/onnx_speed.py [MODEL] [--image FILE] [--config fast] [--tile 512]
                                    [--side 1024] [--rounds 5]

Without a model (a run or a model's folder), the detector of a config is taken with random weights,
which costs the same; without an image, noise, in which nothing is detected. Both see the same
tiles in float32, in turns in one process, on as many threads as torch has (OMP_NUM_THREADS), from
pixels in memory to merged detections. Times are processor time, as other load would affect the
longer one's wall time. Prints medians and their ratio as a row of the table in README.md, and by
how much the scores differ. Ends with 1 if the detections do.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs as a script

from midog.boxes import Detections
from midog.config.load import load_config
from midog.data.mpp import mpp_of_image
from midog.images.image import open_image
from midog.images.pixels import Pixels
from midog.inference.detector import Detector
from midog.inference.onnx_export import export_onnx
from midog.models.build import build_model
from midog.mpp import Mpp

NEAR_PX, NEAR_SCORE = 0.5, 1e-3
"""Within which a detection of one is the other's."""


def cut(path: Path, side: int) -> tuple[Pixels, Mpp]:
    """The upper left corner of an image, of at most (side, side, 3), and its um/px."""
    with open_image(path) as image:
        width, height = min(side, image.width), min(side, image.height)
        return image.read(0, 0, width, height), mpp_of_image(image)


def draw(side: int) -> Pixels:
    """Smooth noise, (side, side, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(90, 230, (side // 16 + 1, side // 16 + 1, 3), dtype=np.uint8)
    fine = coarse.repeat(16, 0).repeat(16, 1)[:side, :side]
    return np.ascontiguousarray(fine + rng.integers(0, 16, (side, side, 3), dtype=np.uint8))


def without_training(config: str, folder: Path) -> Path:
    """The folder of a config's detector with random weights."""
    torch.manual_seed(0)
    own = load_config(config, ["model.weights=none"])
    Detector(build_model(own, pretrained=False), own, threshold=0.5, device="cpu").save(folder)
    return folder


def difference(one: Detections, other: Detections) -> float | None:
    """The largest difference of scores of the same detections; None where they are others."""
    if len(one) != len(other):
        return None
    if not len(one):
        return 0.0
    apart = np.abs(one.boxes[:, None] - other.boxes[None]).max(axis=2)
    apart[one.labels[:, None] != other.labels[None]] = np.inf
    nearest = apart.argmin(axis=1)
    worst = float(np.abs(one.scores - other.scores[nearest]).max())
    is_same = apart.min(axis=1).max() <= NEAR_PX and len(set(nearest)) == len(nearest)
    return worst if is_same and worst <= NEAR_SCORE else None


def main(words: list[str] | None = None) -> int:
    """Measure and print a row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--config", default="fast")
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="midog-onnx-") as made:
        model = asked.model or without_training(asked.config, Path(made) / "model")
        exported = Path(made) / "model.onnx"
        export_onnx(model, exported, tile=asked.tile)
        by_torch = Detector.load(model, device="cpu", tile=asked.tile, precision="32-true")
        by_onnx = Detector.load(exported, device="cpu")
        if asked.image is None:
            pixels, mpp = draw(asked.side), Mpp.of(by_torch.members[0].mpp)
        else:
            pixels, mpp = cut(asked.image, asked.side)
        results = [detector(pixels, mpp=mpp) for detector in (by_torch, by_onnx)]  # warm
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(asked.rounds):
            for detector, own in zip((by_torch, by_onnx), times, strict=True):
                began = time.process_time()
                detector(pixels, mpp=mpp)
                own.append(time.process_time() - began)
    apart = difference(*results)
    if apart is None:
        print(f"the detections differ: {len(results[0])} by torch, {len(results[1])} by ONNX")
        return 1
    torch_s, onnx_s = map(statistics.median, times)
    threads = torch.get_num_threads()
    print("| date | threads | model | tile, px | ROI, px | torch, s | ONNX, s | ratio |")
    print("|---|---:|---|---:|---:|---:|---:|---:|")
    name = asked.model.name if asked.model else asked.config
    print(
        f"| {datetime.date.today()} | {threads} | {name} | {asked.tile} | {asked.side} |"
        f" {torch_s:.2f} | {onnx_s:.2f} | {torch_s / onnx_s:.2f} |"
    )
    print(f"{len(results[0])} detections; scores differ by at most {apart:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
