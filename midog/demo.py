"""The demo: draw the phantom, train on two of its scanners, detect, score, tell what to do next."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from midog.config.load import load_config
from midog.data.folder import read_rois, select_rois
from midog.data.phantom.draw import draw_phantom
from midog.data.phantom.scanners import SCANNERS
from midog.devices import pick_device
from midog.errors import DataError
from midog.evaluation.result import Evaluation
from midog.evaluation.scoring import evaluate
from midog.files import cannot_write, make_folder, replace_text, sweep_parts
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import find_jobs
from midog.locks import being_written, held_file
from midog.metrics.counts import Counts
from midog.progress import bar
from midog.report.evaluation_page import write_evaluation_page
from midog.training.runs import find_run, is_finished
from midog.training.train import train

_SEED_FILE = ".midog-demo"  # marks a folder as a demo's and holds its seed
_LOCK_FILE = ".midog-demo.lock"
_UNSEEN = SCANNERS[2].name


@dataclass(frozen=True, eq=False)
class DemoResult:
    """The result of a demo.

    Args:
        evaluation: Of the test ROIs, by scanner.
        closing: Lines that state what was made, where, and what to type next.
    """

    evaluation: Evaluation
    closing: list[str]


def run_demo(
    out: Path,
    *,
    seed: int,
    device: str,
    overwrite: bool,
    say: Callable[[str], None],
    rois_per_scanner: int = 10,
    size: int = 1024,
    overrides: Sequence[str] = (),
) -> DemoResult:
    """Make data, a run, detections and a report in `out`; an interrupted demo is resumed.

    Args:
        out: A new or empty folder, or that of an earlier demo of this seed.
        seed: Of the data and of the training.
        device: To train and detect on.
        overwrite: Delete an earlier demo in `out` first.
        say: Prints a line of progress.
        rois_per_scanner: Of the phantom.
        size: Side of its ROIs, px.
        overrides: Of configs/demo.yaml.

    Raises:
        DataError: If `out` holds anything else than a demo of this seed.
    """
    began = time.monotonic()
    pick_device(device)  # before anything is drawn
    with _held(out):
        if overwrite:
            _remove(out)
        data = _draw(out, seed, rois_per_scanner, size, say)
        run = _train(out, data, seed, device, overrides, say)
        say("detecting in the test ROIs")
        _detect(out, data, run, device)
        rois = select_rois(read_rois(data), "test")
        result = evaluate(out / "detections", rois)
        title = "The test ROIs of midog demo"
        write_evaluation_page(out / "report.html", result, rois, title=title)
    return DemoResult(result, _closing(out, result, time.monotonic() - began))


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Hold the folder of a demo, or a new one, for this process."""
    if out.exists() and not _is_demo(out):
        raise DataError(f"{out} exists and holds no demo", "choose another {out}", {"out": None})
    with ExitStack() as stack:
        try:
            make_folder(out)
            stack.enter_context(held_file(out / _LOCK_FILE, being_written(f"{out}/", DataError)))
        except OSError as error:
            raise cannot_write(out, error, DataError) from None
        yield


def _is_demo(out: Path) -> bool:
    """Whether it is the folder of a demo, or an empty one."""
    names = os.listdir(out) if out.is_dir() else [""]
    others = [name for name in names if name != _LOCK_FILE and not name.endswith(".part")]
    return not others or _SEED_FILE in others


def _remove(out: Path) -> None:
    """Delete an earlier demo, and nothing else."""
    if (out / _SEED_FILE).is_file():
        for name in ("report.html", "detections", "runs", "data", _SEED_FILE):
            _delete(out / name)


def _delete(path: Path) -> None:
    """Delete a file or folder, if it exists; a kill leaves no half of it in its place."""
    if path.is_dir() and not path.is_symlink():
        left = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        path.rename(left)
        shutil.rmtree(left)
    else:
        path.unlink(missing_ok=True)


def _draw(
    out: Path, seed: int, rois_per_scanner: int, size: int, say: Callable[[str], None]
) -> Path:
    """Draw the phantom of this seed, unless it exists already."""
    data, seed_file = out / "data", out / _SEED_FILE
    sweep_parts(out, alone=True)  # what a killed demo left before it was one
    if seed_file.is_file():
        drawn = seed_file.read_text().strip()
        if drawn != str(seed):
            raise DataError(
                f"{out}/ holds the demo of seed {drawn}",
                "use {overwrite} or another {out}",
                {"overwrite": True, "out": None},
            )
    if not data.exists():
        say(f"drawing synthetic H&E of four scanners into {data}/")
        replace_text(seed_file, f"{seed}\n")
        with bar("ROIs drawn") as move:
            draw_phantom(data, rois_per_scanner=rois_per_scanner, size=size, seed=seed, on_roi=move)
    return data


def _train(
    out: Path,
    data: Path,
    seed: int,
    device: str,
    overrides: Sequence[str],
    say: Callable[[str], None],
) -> Path:
    """Train, unless it was done already; gives the run's folder."""
    own = {"data.dir": data, "data.cache": False, "machine.device": device, "train.seed": seed}
    config = load_config("demo", overrides, own)
    run = find_run(out / "runs", "demo")
    if run is None or not is_finished(run):
        say("training a small detector from scratch on Phantom A and B")
        run = train(config, name="demo", runs=out / "runs")
    return run


def _detect(out: Path, data: Path, run: Path, device: str) -> None:
    """Detect in the test ROIs."""
    detector = Detector.load(run, device=device)
    with bar("test ROIs") as move:
        jobs, done = find_jobs([data], subset="test"), 0

        def count(name: str, figures: int | None) -> None:
            nonlocal done
            done += 1
            move(done, len(jobs))

        formats = ("challenge", "overlay")
        infer(jobs, detector, out / "detections", formats=formats, overwrite=True, on_image=count)


def _closing(out: Path, result: Evaluation, seconds: float) -> list[str]:
    """What was reached, what was made, and what to type next."""
    groups = {name: group.counts for name, group in result.groups.items()}
    unseen = groups.get(_UNSEEN, Counts())
    seen = sum(
        (counts for name, counts in groups.items() if name not in ("all", _UNSEEN)), Counts()
    )
    return [
        "",
        (
            f"Test F1 {groups['all'].f1:.3f} in all: {seen.f1:.3f} on the scanners that training"
            f" saw, {unseen.f1:.3f} on {_UNSEEN}, which it did not."
        ),
        (
            f"Done in {seconds / 60:.1f} minutes. The phantom is drawn: its F1 shows that the chain"
            " works, no more."
        ),
        "",
        f"  {out}/data         the ROIs, annotations.json and split.csv, laid out as MIDOG 2021",
        f"  {out}/runs/demo    the run: config.yaml, metrics.csv, TensorBoard events, best/",
        f"  {out}/detections   a challenge JSON and an overlay picture for each test ROI",
        f"  {out}/report.html  scores, curves and pictures of the errors: open it in a browser",
        "",
        "Next:",
        f"  tensorboard --logdir {out}/runs",
        f"  midog infer IMAGE.tiff --model {out}/runs/demo",
        (
            "  midog data download midog21 data && midog train --data data    # real tissue; needs"
            " a GPU"
        ),
    ]
