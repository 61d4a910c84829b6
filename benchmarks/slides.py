"""Detection in whole slides: memory against the slide's size, the time of each stage, readers.

    python benchmarks/slides.py memory --images ../data/images [--model runs/a] [--sizes 1 4 16]
    python benchmarks/slides.py stages slide.svs --model runs/a [--tissue auto]
    python benchmarks/slides.py readers slide.svs

`memory` makes slides of 1, 4, 16 ... times 4,096 x 3,072 px (scripts/make_slide.py) and detects in
each in a process of its own, with tiles of one size; it prints the most memory that the process
held, and its ratio to that of the smallest slide. `stages` prints what reading, network, merging
and writing took in one slide. `readers` decodes the tiles of level 0 with OpenSlide, with tifffile
and with fastslide, if it is installed, and says whether their pixels are equal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
UNIT_PX = (4096, 3072)
READ_PX = 1024
"""Side of the regions that the readers are asked for."""

Pixels = NDArray[np.uint8]
Read = Callable[[int, int, int, int], Pixels]


def stages(
    slide: Path, model: Path, tissue: str, threads: int, tile: int | None
) -> dict[str, float]:
    """Detect in a slide; return seconds of the clock and of the stages, and MiB at the peak."""
    import torch

    from benchmarks.growth import peak_mib
    from midog.inference.batch import infer
    from midog.inference.detector import Detector
    from midog.inference.jobs import Job
    from midog.inference.stage_times import STAGES
    from midog.inference.tissue_tiles import TissueSearch

    torch.set_num_threads(threads)
    detector = Detector.load(model, device="cpu", workers=1, tile=tile)
    before = peak_mib()
    with tempfile.TemporaryDirectory(prefix="midog-slides-") as folder:
        began = time.perf_counter()
        search = TissueSearch(tissue)
        outcome = infer(
            [Job(slide)], detector, Path(folder), formats=["challenge", "csv"], tissue=search
        )
        seconds = time.perf_counter() - began
    for error in outcome.failed.values():
        raise error
    (spent,) = outcome.spent.values()
    (figures,) = outcome.figures.values()
    measured = {"seconds": seconds, "before_mib": before, "peak_mib": peak_mib()}
    return measured | {stage: spent.times[stage] for stage in STAGES} | {"figures": figures}


def print_stages(measured: dict[str, float]) -> None:
    """Print the shares of the clock, and the threads' seconds beside it."""
    clock = measured["seconds"]
    print("| stage | s | share of the clock |\n|---|---:|---:|")
    for stage in ("network", "waiting", "reading", "merging", "writing"):
        print(f"| {stage} | {measured[stage]:.1f} | {measured[stage] / clock:.1%} |")
    print(f"| all | {clock:.1f} | |\n\npeak {measured['peak_mib']:.0f} MiB")


def memory(arguments: argparse.Namespace) -> None:
    """Detect in slides of several sizes, each in a process of its own."""
    rows: list[tuple[int, dict[str, float]]] = []
    print("| slide | tissue and glass | s | peak MiB | ratio | before the work | detections |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="midog-slides-") as folder:
        for area in arguments.sizes:
            slide, size = Path(folder) / f"{area}.tif", _size_of(area)
            images = [str(path) for path in arguments.images]
            own = ["--width", str(size[0]), "--height", str(size[1])]
            made = [sys.executable, str(ROOT / "scripts/make_slide.py"), str(slide)]
            subprocess.run([*made, "--images", *images, *own], check=True, stdout=sys.stderr)
            command = [sys.executable, __file__, "stages", str(slide), "--json"]
            command += ["--model", str(arguments.model), "--tissue", arguments.tissue]
            command += ["--threads", str(arguments.threads), "--tile", str(arguments.tile)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows.append((area, json.loads(done.stdout)))
            row, first = rows[-1][1], rows[0][1]
            print(
                f"| {area}x | {size[0]} x {size[1]} | {row['seconds']:.1f} | {row['peak_mib']:.0f}"
                f" | {row['peak_mib'] / first['peak_mib']:.2f} | {row['before_mib']:.0f}"
                f" | {row['figures']:.0f} |",
                flush=True,
            )


def _size_of(area: int) -> tuple[int, int]:
    across = round(area**0.5)
    return UNIT_PX[0] * across, UNIT_PX[1] * area // across


def readers(slide: Path, most: int) -> None:
    """Decode regions of level 0 with each reader; print Mpx per second and which px differ."""
    from midog.images.image import open_image

    with open_image(slide) as image:
        corners = [
            (x, y)
            for y in range(0, image.height - READ_PX + 1, READ_PX)
            for x in range(0, image.width - READ_PX + 1, READ_PX)
        ][:most]
    taken, first = {}, dict[tuple[int, int], Pixels]()
    print("| reader | Mpx/s | px that differ from the first | largest difference |")
    print("|---|---:|---:|---:|")
    for name, read in _readers(slide):
        pixels, began = list[Pixels](), time.process_time()
        for corner in corners:
            pixels.append(read(*corner, READ_PX, READ_PX))
        taken[name] = time.process_time() - began
        own = dict(zip(corners, pixels, strict=True))
        first = first or own
        apart = [np.abs(own[corner].astype(int) - first[corner]) for corner in corners]
        share = np.mean([(gap > 0).any(axis=2).mean() for gap in apart])
        rate = len(corners) * READ_PX**2 / 1e6 / taken[name]
        print(f"| {name} | {rate:.0f} | {share:.2%} | {max(gap.max() for gap in apart)} |")


def _readers(slide: Path) -> Iterator[tuple[str, Read]]:
    """Name and function of each reader that is installed; regions as x, y, width, height."""
    import openslide
    import tifffile

    from midog.images.image import open_image
    from midog.images.tiff_colours import to_rgb
    from midog.images.tiff_segments import Segments, has_segments

    with openslide.OpenSlide(slide) as opened:
        yield (
            "OpenSlide",
            lambda x, y, width, height: np.asarray(
                opened.read_region((x, y), 0, (width, height)).convert("RGB")
            ),
        )
    with open_image(slide) as image:
        yield "midog, damage is an error", image.read
    with open_image(slide, past_damage=True) as image:
        yield "midog, past damage", image.read
    with tifffile.TiffFile(slide) as tiff:
        page = tiff.pages.first
        segments = Segments(slide, page, to_rgb(page)) if has_segments(page) else None
    if segments is not None:

        def read_segments(x: int, y: int, width: int, height: int) -> Pixels:
            out = np.empty((height, width, 3), np.uint8)
            segments.read_into(x, y, out)
            return out

        yield "tifffile, tile by tile", read_segments
        segments.close()
    try:
        import fastslide
    except ImportError:
        return
    fast = fastslide.FastSlide.from_file_path(str(slide))
    yield (
        "fastslide",
        lambda x, y, width, height: np.asarray(
            fast.read_region(location=(x, y), level=0, size=(width, height)).numpy()
        )[..., :3],
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    of_memory = commands.add_parser("memory")
    of_memory.add_argument("--images", type=Path, nargs="+", required=True)
    of_memory.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16])
    of_stages = commands.add_parser("stages")
    of_stages.add_argument("slide", type=Path)
    of_stages.add_argument("--json", action="store_true")
    for own in (of_memory, of_stages):
        own.add_argument("--model", type=Path, required=True)
        own.add_argument("--tissue", default="auto")
        own.add_argument("--threads", type=int, default=2, help="of the network")
    of_memory.add_argument("--tile", type=int, default=768, help="px, one for all slides")
    of_stages.add_argument("--tile", type=int, help="px [default: the model's]")
    of_readers = commands.add_parser("readers")
    of_readers.add_argument("slide", type=Path)
    of_readers.add_argument("--regions", type=int, default=40, help="how many are read")
    arguments = parser.parse_args()
    if arguments.command == "memory":
        memory(arguments)
    elif arguments.command == "readers":
        readers(arguments.slide, arguments.regions)
    else:
        measured = stages(
            arguments.slide,
            arguments.model,
            arguments.tissue,
            arguments.threads,
            arguments.tile,
        )
        print(json.dumps(measured)) if arguments.json else print_stages(measured)
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
