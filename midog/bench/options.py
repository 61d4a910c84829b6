"""What a benchmark can be asked for, whoever asks: `midog bench` or benchmarks/compare.py."""

from __future__ import annotations

import re
from dataclasses import dataclass

from midog.errors import ConfigError

ROI_PX = "7215x5412"
"""Size of MIDOG's ROIs: 2 mm2 at 0.25 um/px."""


@dataclass(frozen=True)
class BenchOptions:
    """How to measure.

    Args:
        device: "auto", "cpu", "cuda", …
        threads: Of the CPU; None: as many as torch takes.
        rounds: At most; work that takes minutes gets fewer.
        batch: Patches of a step; None: 1 on a CPU, 16 on CUDA.
        roi: Width and height of the ROIs that are drawn, px.
        detections: How many are scored.
        own_data: Measure on the training ROIs of the first config's data instead.
    """

    device: str = "auto"
    threads: int | None = None
    rounds: int = 5
    batch: int | None = None
    roi: tuple[int, int] = (7215, 5412)
    detections: int = 100_000
    own_data: bool = False


def read_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT in px, at least 512 each.

    Raises:
        ConfigError: If it is anything else.
    """
    parts = re.fullmatch(r"([0-9]{3,6})x([0-9]{3,6})", text.lower())
    if parts and all(512 <= int(side) <= 100_000 for side in parts.groups()):
        return int(parts[1]), int(parts[2])
    raise ConfigError(
        f"size {text} of an ROI is out of range",
        "write WIDTHxHEIGHT in px, at least 512 each: {roi}",
        {"roi": ROI_PX},
    )
