"""A run over slides that is killed within one, and started again: done once, whole, the same
bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from midog.inference.batch import infer
from midog.inference.jobs import find_jobs
from midog.inference.tissue_tiles import TissueSearch
from tests.inference.test_tissue_tiles import detector, slide, write

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("challenge", "csv")

KILLED = """
import os, signal, sys
from pathlib import Path
from midog.inference.batch import infer
from midog.inference.jobs import find_jobs
from midog.inference.tissue_tiles import TissueSearch
from tests.inference.test_killed_slides import FORMATS
from tests.inference.test_tissue_tiles import detector

slides, out, batches = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
ticks = iter(range(1, batches))

def on_tile(done, total):
    if next(ticks, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)

infer(find_jobs([slides]), detector(), out, formats=FORMATS, tissue=TissueSearch("auto"),
      on_tile=on_tile)
"""


def files_of(out: Path) -> dict[str, bytes]:
    """What is written, without the record of when an image's file was last changed."""
    return {path.name: path.read_bytes() for path in sorted(out.glob("[!.]*")) if path.is_file()}


@pytest.mark.slow
def test_what_was_done_stays_and_the_slide_that_was_killed_is_done_again(tmp_path: Path) -> None:
    slides, out = tmp_path / "slides", tmp_path / "out"
    slides.mkdir()
    for number in range(3):
        write(slides / f"{number}.tif", slide()[: 1000 + 200 * number])
    clean = infer(
        find_jobs([slides]),
        detector(),
        tmp_path / "clean",
        formats=FORMATS,
        tissue=TissueSearch("auto"),
    )
    expected = files_of(tmp_path / "clean")
    assert len(clean.figures) == 3
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    written = dict[str, int]()
    for batches in (45, 55):
        ran = subprocess.run(
            [sys.executable, "-c", KILLED, str(slides), str(out), str(batches)],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == -signal.SIGKILL, ran.stderr
        for name, changed in written.items():
            assert (out / name).stat().st_mtime_ns == changed, "it was done again"
        entries = [path.stem for path in (out / ".midog-infer").glob("[!.]*.json")]
        for name, content in files_of(out).items():
            assert content == expected[name], "half-written"
        for stem in entries:
            for ending in (".json", ".csv", ".tissue.png"):
                written[stem + ending] = (out / (stem + ending)).stat().st_mtime_ns
    assert 0 < len(written) < len(expected)
    rest = infer(find_jobs([slides]), detector(), out, formats=FORMATS, tissue=TissueSearch("auto"))
    assert sorted(rest.skipped + list(rest.figures)) == [f"{number}.tif" for number in range(3)]
    assert rest.skipped
    assert files_of(out) == expected
    for name, changed in written.items():
        assert (out / name).stat().st_mtime_ns == changed
    assert not list(out.rglob("*.part"))
