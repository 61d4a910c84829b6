"""Command lines that are fuzzed: their words, and the files that they read."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fuzzing.mutate import mutated_words
from fuzzing.readers import READERS

OPTIONS = (
    *("--data", "--split", "--subset", "--out", "--model", "--threshold", "--mpp", "--bbox"),
    *("--by", "--resamples", "--seed", "--report", "--csv", "--json", "--set", "--config"),
    *("--epochs", "--device", "--format", "--tile", "--overlap", "--batch-size", "--precision"),
    *("--workers", "--rois", "--size", "--name", "--runs", "--annotations", "--overwrite"),
    *("--allow-missing", "--help", "--version", "-q", "--design", "--"),
    *("--rows", "--designs", "--seeds", "--studies", "--calibrate", "--sheet", "--worst"),
)


@dataclass(frozen=True)
class Command:
    """A command line, with the prepared files that may be damaged before it runs.

    Args:
        words: The words, in a copy of the samples.
        damaged: Which reader's mutants take the place of which file.
        kept: Words that stay at the end, so that nothing is trained for hours.
    """

    words: tuple[str, ...]
    damaged: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()


COMMANDS = {
    "data check": Command(
        ("data", "check", "data"),
        (
            ("annotations, JSON", "data/annotations.json"),
            ("split", "data/split.csv"),
            ("images", "data/images/001.tiff"),
        ),
    ),
    "splits make": Command(
        ("splits", "make", "--data", "data", "--out", "made.csv"),
        (("annotations, JSON", "data/annotations.json"), ("split", "data/split.csv")),
    ),
    "splits check": Command(
        ("splits", "check", "data/split.csv", "--data", "data"), (("split", "data/split.csv"),)
    ),
    "settings": Command(("settings", "train")),
    "train": Command(
        ("train", "--data", "data", "--config", "yaml/small.yaml"),
        (("settings, YAML", "yaml/small.yaml"), ("split", "data/split.csv")),
        ("--dry-run",),
    ),
    "study run": Command(
        ("study", "run", "studies/phantom.yaml", "--data", "phantom=data", "--rows", "stain"),
        (("study, YAML", "studies/phantom.yaml"), ("split", "data/split.csv")),
        ("--dry-run",),
    ),
    "evaluate": Command(
        ("evaluate", "detections", "--data", "data", "--resamples", "0"),
        (
            ("detections", "detections/001.json"),
            ("annotations, JSON", "data/annotations.json"),
            ("split", "data/split.csv"),
        ),
    ),
    "infer": Command(
        ("infer", "one", "--model", "model", "--device", "cpu", "--out", "out"),
        (
            ("images", "one/a.tiff"),
            ("model.json", "model/model.json"),
            ("record", "out/.midog-infer.json"),
        ),
    ),
}
"""The commands that are given damaged files and damaged words, by name."""


def run_command(command: Command, samples: Path, place: Path, rng: random.Random) -> str:
    """Run a command on damaged files or with damaged words, in this process.

    Returns:
        "read" or "refused", or what is wrong in capitals.
    """
    _copy(samples, place, command)
    words = list(command.words)
    if command.damaged and rng.random() < 0.6:
        name, target = rng.choice(command.damaged)
        reader = READERS[name]
        sample = rng.choice(reader.files(samples))
        (place / target).parent.mkdir(exist_ok=True)
        (place / target).write_bytes(reader.mutate(rng, sample.read_bytes()))
    else:
        words = mutated_words(rng, words, OPTIONS)
    code, out, err = _call([*words, *command.kept], place)
    text = out + err
    if "Traceback" in text or re.search(r"unexpected \w+(Error|Exit|Interrupt)", text):
        return "TRACEBACK " + err.strip()[-300:]
    if code not in (0, 1, 2):
        return f"EXIT CODE {code} {err.strip()[-300:]}"
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        return f"CONTROL CHARACTER {text[-300:]!r}"
    if max(map(len, text.split("\n"))) > 20_000:
        return f"A LINE OF {max(map(len, text.split(chr(10)))):,} CHARACTERS"
    if code and not err.strip():
        return f"SILENCE with exit code {code}: {words}"
    left = sorted(place.rglob(".*.part"))
    return f"HALF-WRITTEN {left}" if left else ("refused" if code else "read")


def _copy(samples: Path, place: Path, command: Command) -> None:
    """The files that the command reads, as links or copies."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in ("data", "detections", "model", "yaml", "studies"):
        shutil.copytree(samples / name, place / name, copy_function=_link)
    (place / "one").mkdir()
    _link(samples / "images" / "tiles.tiff", place / "one" / "a.tiff")
    for _, target in command.damaged:  # what is replaced must not be a link to the sample
        path = place / target
        if path.exists():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)


def _link(source: str | Path, target: str | Path) -> None:
    os.link(source, target)


def _call(words: Iterable[str], place: Path) -> tuple[int, str, str]:
    from midog.cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    before = os.getcwd()
    os.chdir(place)
    sys.argv = ["midog", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main()
    finally:
        os.chdir(before)
    return code, out.getvalue(), err.getvalue()
