"""What a folder of many results costs: benchmarks/many.py FOLDER [--results 10000]

Fills FOLDER with images of 4 bytes and a challenge file and record for each, as if so many had been
detected in, and times what `midog infer` then does besides detecting: listing the images, telling
that one is done, recording one. Prints processor time but where it says clock.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from midog.boxes import Detections
from midog.formats.challenge import write_challenge
from midog.inference.image_identity import digest_of_file, identity_of, state_of
from midog.inference.jobs import find_jobs, require_own_files
from midog.inference.output_entries import ENTRIES_NAME, entry_path
from midog.inference.output_folder import OutputFolder
from midog.mpp import Mpp

SETTINGS = {"weights": "0123456789abcdef", "threshold": 0.5}
FORMATS = ("challenge",)
SAMPLE = 50


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the seconds of the processor that the block takes, which other load affects little."""
    begun = time.process_time()
    yield
    print(f"{what}: {time.process_time() - begun:.2f} s")


def fill(root: Path, results: int) -> None:
    """Make images and the results of all of them, without waiting for the disk each time."""
    images, out = root / "images", root / "out"
    images.mkdir(parents=True)
    OutputFolder(out, SETTINGS, [], overwrite=False)
    (out / ENTRIES_NAME).mkdir(exist_ok=True)
    sample = out / "sample.json"
    write_challenge(sample, detections(), mpp=Mpp.of(0.25), threshold=0.5)
    content, digest = sample.read_bytes(), digest_of_file(sample)
    sample.unlink()
    text = json.dumps(SETTINGS, sort_keys=True)
    settings = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    for number in range(results):
        image, stem = images / f"{number:06d}.tif", f"{number:06d}"
        image.write_bytes(number.to_bytes(4, "big"))
        (out / f"{stem}.json").write_bytes(content)
        entry = {
            "image": identity_of(image),
            "state": state_of(image),
            "mpp": None,
            "settings": settings,
            "files": {"challenge": digest},
        }
        entry_path(out, stem).write_text(json.dumps(entry))


def detections() -> Detections:
    """Some 100 figures."""
    boxes = [[x, x, x + 50, x + 50] for x in range(0, 10_000, 100)]
    return Detections(boxes, [0.6] * len(boxes), [1] * len(boxes))


def record(folder: OutputFolder, image: Path) -> None:
    """Write an image's file and record it, as `midog infer` does after detection."""
    state = state_of(image)
    folder.begin(image.stem, None, FORMATS)
    (target,) = folder.targets(image.stem, FORMATS)
    write_challenge(target, detections(), mpp=Mpp.of(0.25), threshold=0.5)
    folder.finish(image.stem, image, state, None, FORMATS)


def medians(act: Callable[[int], object]) -> str:
    """The medians of some calls, of the processor and of the clock with the disk's waits."""
    times: list[tuple[float, float]] = []
    for number in range(SAMPLE):
        begun = time.process_time(), time.perf_counter()
        act(number)
        times.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
    processor, clock = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    return f"{processor:.1f} ms of the processor, {clock:.1f} ms of the clock"


def measure(root: Path, results: int) -> None:
    """Time what a run on that folder does."""
    images, out = root / "images", root / "out"
    with timed(f"list {results} images"):
        jobs = find_jobs([images], out=out)
    with timed("no two of one file"):
        require_own_files(jobs, FORMATS, ignores_case=False)
    with timed("open the folder"):
        folder = OutputFolder(out, SETTINGS, [job.stem for job in jobs], overwrite=False)
    with timed(f"tell that all {results} are done"):
        assert all(folder.is_done(job.stem, job.path, None, FORMATS) for job in jobs)
    fresh = []
    for number in range(SAMPLE):
        fresh.append(images / f"new{number}.tif")
        fresh[-1].write_bytes(b"new" + number.to_bytes(4, "big"))
    print("write and record one image's file:", medians(lambda n: record(folder, fresh[n])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--results", type=int, default=10_000)
    given = parser.parse_args()
    fill(given.folder, given.results)
    measure(given.folder, given.results)


if __name__ == "__main__":
    main()
