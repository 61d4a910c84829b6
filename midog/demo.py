"""The demo: draw the phantom, train on two of its scanners, infer, score, and say what to type
next."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from midog.config.load import load_config
from midog.data.folder import read_rois, select_rois
from midog.data.phantom.draw import draw_phantom
from midog.data.phantom.scanners import SCANNERS
from midog.errors import DataError
from midog.evaluation.result import Evaluation
from midog.evaluation.scoring import evaluate
from midog.files import replace_text
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import find_jobs
from midog.metrics.counts import Counts
from midog.progress import bar
from midog.report.evaluation_page import write_evaluation_page
from midog.training.runs import find_run, is_finished
from midog.training.train import train

_NOTE = ".midog-demo"  # marks a folder as a demo's and holds its seed
_UNSEEN = SCANNERS[2].name


@dataclass(frozen=True, eq=False)
class DemoResult:
    """evaluation: of the test ROIs, by scanner. closing: lines that say what was made, where, and
    what to type next."""

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
    """Make `out`/data, `out`/runs and `out`/detections; an interrupted demo goes on where it was.

    say: told what is under way. rois_per_scanner, size (px): of the phantom. overrides: of
    configs/demo.yaml. Raises DataError where `out` holds something else than a demo of this seed.
    """
    began = time.monotonic()
    if overwrite:
        _remove(out)
    data = _draw(out, seed, rois_per_scanner, size, say)
    own = [
        f"data.dir={str(data)!r}",
        f"machine.device={device}",
        f"train.seed={seed}",
        "data.cache=false",
    ]
    config = load_config("demo", [*own, *overrides])
    run = find_run(out / "runs", "demo")
    if run is None or not is_finished(run):
        say("training a small RetinaNet from scratch on Phantom A and B")
        run = train(config, name="demo", runs=out / "runs")
    say("detecting in the test ROIs")
    detector = Detector.load(run, device=device)
    with bar("test ROIs") as move:
        jobs, done = find_jobs([data], subset="test"), 0

        def count(name: str, figures: int | None) -> None:
            nonlocal done
            done += 1
            move(done, len(jobs))

        formats = ("challenge", "overlay")
        infer(jobs, detector, out / "detections", formats=formats, overwrite=True, on_image=count)
    rois = select_rois(read_rois(data), "test")
    result = evaluate(out / "detections", rois)
    write_evaluation_page(out / "report.html", result, rois, title="The test ROIs of midog demo")
    return DemoResult(result, _closing(out, result, time.monotonic() - began))


def _remove(out: Path) -> None:
    """Delete an earlier demo, and nothing else."""
    if (out / _NOTE).is_file():
        shutil.rmtree(out)


def _draw(
    out: Path, seed: int, rois_per_scanner: int, size: int, say: Callable[[str], None]
) -> Path:
    """The phantom of this seed, drawn unless it is there."""
    data, note = out / "data", out / _NOTE
    if note.is_file():
        drawn = note.read_text().strip()
        if drawn != str(seed):
            raise DataError(
                f"{out}/ holds the demo of seed {drawn}", "use --overwrite or another --out"
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out} is there and holds no demo", "choose another --out")
    if not data.exists():
        say(f"drawing synthetic H&E of four scanners into {data}/")
        out.mkdir(parents=True, exist_ok=True)
        replace_text(note, f"{seed}\n")
        with bar("ROIs drawn") as move:
            draw_phantom(data, rois_per_scanner=rois_per_scanner, size=size, seed=seed, on_roi=move)
    return data


def _closing(out: Path, result: Evaluation, seconds: float) -> list[str]:
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
            f"Done in {seconds / 60:.1f} minutes. The phantom is drawn: its F1 says that the chain"
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
            "  midog data download midog21 data && midog train --data data    # real tissue; wants"
            " a GPU"
        ),
    ]
