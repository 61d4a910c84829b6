"""The cost of starting: `midog --help` against importing torch, `midog infer` against torch and
weights.

    python benchmarks/startup.py [--config default] [--rounds 7]

Each is a process of its own, started in turns; the first round, in which the file system's cache is
cold, is left out. Prints medians, the help's time as a share of importing torch, and the seconds
that `midog infer` of a small ROI takes on top of importing torch and loading the same weights.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from midog.config.load import load_config
from midog.inference.detector import Detector
from midog.models.build import build_model

TORCH = "import torch"
WEIGHTS = "import sys, torch; from safetensors.torch import load_file; load_file(sys.argv[1])"


def seconds(command: list[str]) -> float:
    """Wall time of a process, which must succeed."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config", default="default", help="config of the network, with random weights"
    )
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = load_config(arguments.config, ["model.weights=none"])
        Detector(build_model(config).eval(), config, device="cpu").save(folder / "model")
        pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "roi.png")
        midog = [sys.executable, "-m", "midog"]
        infer = [
            "infer",
            str(folder / "roi.png"),
            "--model",
            str(folder / "model"),
            "--out",
            str(folder / "out"),
        ]
        commands = {
            "import torch": [sys.executable, "-c", TORCH],
            "midog --help": [*midog, "--help"],
            "torch, weights": [
                sys.executable,
                "-c",
                WEIGHTS,
                str(folder / "model" / "model.safetensors"),
            ],
            "midog infer": [*midog, *infer, "--mpp", "0.25", "--device", "cpu", "--overwrite"],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(arguments.rounds + 1):
            for name, command in commands.items():
                spent = seconds(command)
                if number:
                    taken[name].append(spent)
    torch, shown, weights, infer_s = (statistics.median(times) for times in taken.values())
    print(
        "| date | machine | import torch, s | --help, s | share | torch and weights, s | infer, s |"
        " on top, s |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {datetime.date.today()} | {os.cpu_count()} CPU cores | {torch:.2f} | {shown:.2f} |"
        f" {shown / torch:.3f} | {weights:.2f} | {infer_s:.2f} | {infer_s - weights:.2f} |"
    )


if __name__ == "__main__":
    main()
