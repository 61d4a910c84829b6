"""Four shards fill one folder at once; those that are killed and started again leave no trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from midog.inference.batch import infer
from midog.inference.jobs import find_jobs
from midog.inference.output_entries import ENTRIES_NAME
from midog.inference.shard import Shard
from tests.inference.test_tissue_tiles import detector

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("challenge", "csv")
IMAGES, SHARDS, ROUNDS = 8, 4, 5

FORKS = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from tests.inference.test_killed_shards import rounds
rounds(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def killed_at(step: int) -> None:
    """Kill this process before its step-th change of the disk, or after it where it is odd."""
    steps = iter(range(1, step // 2))

    def before(call):
        def counted(*arguments, **named):
            last = next(steps, None) is None
            if last and step % 2 == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **named)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    for name in ("replace", "fsync", "mkdir", "unlink"):
        setattr(os, name, before(getattr(os, name)))


def start(shard: int, images: Path, out: Path, step: int = 0) -> int:
    """Fork a process that does a shard; return its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if step:
            killed_at(step)
        jobs = find_jobs([images], out=out)
        share = Shard(shard, SHARDS).of(jobs)
        outcome = infer(share, detector(), out, among=jobs, formats=FORMATS)
        code = len(outcome.failed)
    finally:
        os._exit(code)


def rounds(images: Path, out: Path) -> None:
    """Start four shards in a new folder, of which two are killed at a random step, and start these
    again, five times."""
    rng = np.random.default_rng(5)
    for number in range(ROUNDS):
        folder = out / str(number)
        victims = rng.choice(SHARDS, 2, replace=False) + 1
        steps = dict(zip(victims.tolist(), rng.integers(2, 50, 2).tolist(), strict=True))
        pids = {
            shard: start(shard, images, folder, steps.get(shard, 0))
            for shard in range(1, SHARDS + 1)
        }
        for shard, pid in pids.items():
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert code == (-signal.SIGKILL if shard in steps else 0), (number, shard, code)
        done = {path.name for path in (folder / ENTRIES_NAME).glob("[!.]*.json")}
        sys.stdout.write(f"{number} {steps} {len(done)}\n")
        times = {name: changed(folder, name) for name in done}
        for shard in steps:
            assert os.waitstatus_to_exitcode(os.waitpid(start(shard, images, folder), 0)[1]) == 0
        assert all(changed(folder, name) == time for name, time in times.items()), "done again"


def changed(folder: Path, name: str) -> list[int]:
    stem = name.removesuffix(".json")
    return [path.stat().st_mtime_ns for path in sorted(folder.glob(f"{stem}.*"))]


def contents(folder: Path) -> dict[str, bytes]:
    """All files but what a killed process had not put in its place, and the entries' times."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".part"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_four_shards_of_which_two_are_killed_give_the_bytes_of_one_process(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    rng = np.random.default_rng(0)
    options = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
    for number in range(IMAGES):
        pixels = rng.integers(190, 240, (120, 300, 3), dtype=np.uint8)
        for x in range(20, 280, 60):
            pixels[40:60, x : x + 20] = rng.integers(20, 120)
        tifffile.imwrite(images / f"{number:02d}.tif", pixels, photometric="rgb", **options)
    jobs = find_jobs([images])
    assert len(infer(jobs, detector(), tmp_path / "one", formats=FORMATS).figures) == IMAGES
    ran = subprocess.run(
        [sys.executable, "-c", FORKS, str(images), str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    before = [int(line.split()[-1]) for line in ran.stdout.splitlines()]
    assert len(before) == ROUNDS
    assert 4 <= min(before) < IMAGES, "some were killed within their work"
    expected = contents(tmp_path / "one")
    for number in range(ROUNDS):
        assert contents(out / str(number)) == expected
