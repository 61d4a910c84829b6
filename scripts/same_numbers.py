"""Shows that a change of the code changes no number: runs one seeded chain on two checkouts.

    python scripts/same_numbers.py BEFORE AFTER [--keep DIR] [--only STEP,...] [--threads N]

BEFORE and AFTER are folders of this repository. Each draws a phantom, makes splits, trains,
detects, scores and reports, in processes of its own; all that comes out is compared. Images,
detections, splits and tensors are compared byte for byte; JSON, CSV and checkpoints
value by value under the names that golden/spellings.py maps; tables and pages by their numbers.
Measured time, versions and words are not compared. Prints a line for each artefact;
exit code 1 where one differs.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from golden.canonical import Artefact, shared_text
from golden.chain import NEEDS, STEPS
from golden.side import Side, StepError

SHOWN = 6
"""Lines that are shown of what differs in an artefact."""

LATER = ("spellings.py", "pure.py")
"""Parts of this script that change nothing of what other steps than `pure` leave behind."""

FAILED = "FAILED"
"""End of the name of what stands for a step that failed."""


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument(
        "--keep", type=Path, help="folder for all that comes out; unchanged code is not run again"
    )
    parser.add_argument("--only", default=",".join(STEPS), help=f"steps: {', '.join(STEPS)}")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    asked = parser.parse_args()
    steps = asked.only.split(",")
    if unknown := sorted({*steps} - {*STEPS}):
        parser.error(f"unknown step {', '.join(unknown)}; the steps are {', '.join(STEPS)}")
    with tempfile.TemporaryDirectory() as temporary:
        root = (asked.keep or Path(temporary)).resolve()
        before, after = (
            run_chain(Side(checkout.resolve(), root / name, asked.threads), steps)
            for name, checkout in (("before", asked.before), ("after", asked.after))
        )
    rows, lines = compare(before, after)
    print_table(rows)
    for line in lines:
        print(line)
    return 0 if all(row[-1] == "yes" for row in rows) else 1


def run_chain(side: Side, steps: Sequence[str]) -> list[Artefact]:
    """Artefacts of the steps, kept in `artefacts.json` of the side's folder.

    What the folder holds of the same code is not run again, but for `pure`. A step that fails
    gives an artefact that differs from all others.
    """
    wanted = {*steps, *(needed for step in steps for needed in NEEDS.get(step, ()))}
    stamp = f"{fingerprint(side.checkout)} {side.threads}"
    made = read_artefacts(side.folder, stamp)
    made.pop("pure", None)
    if not made:
        shutil.rmtree(side.folder, ignore_errors=True)
        side.folder.mkdir(parents=True)
    for step in (name for name in STEPS if name in wanted - {*made}):
        began = time.monotonic()
        made[step] = run_step(side, step)
        print(f"{side.folder.name}: {step}, {time.monotonic() - began:.0f} s", file=sys.stderr)
    write_artefacts(side.folder, stamp, made)
    return [artefact for step in STEPS if step in steps for artefact in made[step]]


def run_step(side: Side, step: str) -> list[Artefact]:
    """What a step gives; where it fails, an artefact with the error and the side's name."""
    try:
        return STEPS[step](side)
    except (StepError, OSError, AssertionError, KeyError, ValueError) as error:
        return [Artefact(f"{step} {FAILED}", [f"{side.folder.name}: {error}"], 0)]


def compare(
    before: Sequence[Artefact], after: Sequence[Artefact]
) -> tuple[list[list[str]], list[str]]:
    """Rows of the table, and below them what differs in each artefact that does."""
    sides = [{artefact.name: artefact for artefact in side} for side in (before, after)]
    rows, lines = [], []
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        pair = [side.get(name) for side in sides]
        texts = ["" if artefact is None else shared_text(artefact) for artefact in pair]
        equal = None not in pair and texts[0] == texts[1] and not name.endswith(FAILED)
        sizes = [f"{artefact.size:,}" if artefact else "-" for artefact in pair]
        digests = [hashlib.sha256(text.encode()).hexdigest()[:12] for text in texts]
        rows.append([name, " / ".join(dict.fromkeys(sizes)), *digests, "yes" if equal else "NO"])
        if not equal:
            lines += [f"{name}:", *differences(*texts)]
    return rows, lines


def differences(one: str, other: str) -> list[str]:
    """The first lines that only one of two texts has."""
    texts = one.splitlines(), other.splitlines()
    changed = [
        line[:200]
        for line in difflib.unified_diff(*texts, "before", "after", n=0, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]
    more = [f"  ... {len(changed) - SHOWN} more lines"] if len(changed) > SHOWN else []
    return [f"  {line}" for line in changed[:SHOWN]] + more


def fingerprint(checkout: Path) -> str:
    """Changes with the checkout's code, configs and splits, and with what this script runs."""
    digest = hashlib.sha256()
    here = Path(__file__).resolve().parent
    places = [*(checkout / name for name in ("midog", "configs", "data_splits")), here / "golden"]
    for path in sorted(path for place in places for path in place.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name not in LATER:
            digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def read_artefacts(folder: Path, stamp: str) -> dict[str, list[Artefact]]:
    """By step, what was kept under that stamp; nothing where that is another one."""
    try:
        kept = json.loads((folder / "artefacts.json").read_text())
    except FileNotFoundError:
        return {}
    if kept["stamp"] != stamp:
        return {}
    return {step: [Artefact(**each) for each in made] for step, made in kept["steps"].items()}


def write_artefacts(folder: Path, stamp: str, steps: Mapping[str, Sequence[Artefact]]) -> None:
    """Keep what came out, unless a step failed, and a text file of each artefact for `diff -r`."""
    artefacts = [artefact for made in steps.values() for artefact in made]
    kept = {step: [asdict(artefact) for artefact in made] for step, made in steps.items()}
    if any(artefact.name.endswith(FAILED) for artefact in artefacts):
        (folder / "artefacts.json").unlink(missing_ok=True)
    else:
        (folder / "artefacts.json").write_text(json.dumps({"stamp": stamp, "steps": kept}))
    (folder / "compared").mkdir(exist_ok=True)
    for artefact in artefacts:
        name = "".join(letter if letter.isalnum() else "_" for letter in artefact.name)
        (folder / "compared" / f"{name}.txt").write_text(shared_text(artefact) + "\n")


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns on stdout."""
    table = [["artefact", "bytes", "before", "after", "equal"], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        cells[1] = row[1].rjust(widths[1])
        print("  ".join(cells).rstrip())
    unequal = sum(row[-1] != "yes" for row in rows)
    print(f"{len(rows)} artefacts, {unequal} differ")


if __name__ == "__main__":
    sys.exit(main())
