"""Cut the power, fill the disk, kill, or start a second process while a command writes; start it
again, and compare what comes out with an undisturbed command's, to the bit.

    python scripts/disaster_study.py power|full|kill|pairs [--only NAME,...] [--times 5] [--seed 0]

Prints a line for every disaster: where it hit, how the command ended, how the next start ended.
What counts as wrong: an exit code 0 with another result, a traceback or an unexpected error, and a
command that cannot be resumed. `power` and `full` need root on Linux, to mount disks.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from disasters.disks import can_mount, grow, power_disk, small_disk
from disasters.forked import Ended, Started, run
from disasters.scenarios import SCENARIOS, Scenario, prepare


class Study:
    """One scenario under one kind of disaster."""

    def __init__(self, name: str, scenario: Scenario, inputs: Path, folder: Path) -> None:
        self._scenario, self._words = scenario, scenario.words(inputs)
        self._folder, self._log = folder, folder / "log"
        self.name, self.wrong = name, 0
        place = folder / "undisturbed"
        place.mkdir()
        began = time.monotonic()
        ended = run(self._words, place, self._log)
        if ended.code:
            raise RuntimeError(f"{name}: {ended.last}")
        self.seconds = time.monotonic() - began
        self._expected = scenario.digests(place)
        self.kilobytes = sum(p.stat().st_size for p in place.rglob("*") if p.is_file()) >> 10

    def power(self, random_: random.Random) -> str:
        moment = random_.uniform(0.05, 1) * self.seconds
        with power_disk(self._new()) as disk:
            started = Started(self._words, disk.place, self._log)
            self._sleep(started, moment)
            disk.cut()
            started.kill()
            disk.power_on()
            return f"cut at {moment:.1f} s; " + self._again(disk.place)

    def full(self, random_: random.Random) -> str:
        kilobytes = int(random_.uniform(0, 1) * self.kilobytes * 1.1) + 4
        place = self._new() / "disk"
        with small_disk(place, kilobytes):
            first = self._judged(run(self._words, place, self._log), place)
            grow(place)
            return f"{kilobytes:,} of {self.kilobytes:,} kB: {first}; " + self._again(place)

    def kill(self, random_: random.Random) -> str:
        place = self._new()
        moments = [random_.uniform(0, 1) * self.seconds for _ in range(random_.randint(1, 2))]
        hits = []
        for number, moment in enumerate(moments):
            started = Started(self._words, place, self._log)
            self._sleep(started, moment)
            if number:  # the second one hits the next write of a file
                while not started.is_over() and not any(place.rglob(".*.part")):
                    time.sleep(0.0005)
            hits.append(f"{moment:.1f} s{' in mid-write' * any(place.rglob('.*.part'))}")
            started.kill()
        return f"killed at {', '.join(hits)}; " + self._again(place)

    def pairs(self, random_: random.Random) -> str:
        place, moment = self._new(), random_.choice([0, random_.uniform(0, 1) * self.seconds])
        first = Started(self._words, place, self._log)
        self._sleep(first, moment)
        second = Started(self._words, place, self._folder / "log 2")
        ends = [self._judged(started.wait()) for started in (first, second)]
        return f"{moment:.1f} s apart: {ends[0]} | {ends[1]}; " + self._again(place)

    def _new(self) -> Path:
        place = self._folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place

    def _sleep(self, started: Started, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not started.is_over():
            time.sleep(0.002)

    def _again(self, place: Path) -> str:
        ended = run(self._words, place, self._log)
        return "again: " + self._judged(ended, place, must_work=True)

    def _judged(self, ended: Ended, place: Path | None = None, must_work: bool = False) -> str:
        """The end of a command in words; counts what is wrong."""
        text = "\n".join(ended.lines)
        if (
            "Traceback" in text
            or re.search(r"unexpected \w+Error", text)
            or ended.code not in (0, 1)
        ):
            return self._wrong(f"exit {ended.code}: {ended.last}")
        line = f"exit {ended.code}" + (f": {ended.last}" if ended.code else "")
        whole = any(word in ended.last for word in ("exists", "is finished"))
        if ended.code == 1 and not (must_work and whole):
            return self._wrong(line) if must_work else line
        if place is not None:
            try:
                digests = self._scenario.digests(place)
            except Exception as error:  # a result that cannot be read is wrong
                return self._wrong(f"{line}, {type(error).__name__}: {error}")
            keys = self._expected.keys() | digests.keys()
            differ = sorted(k for k in keys if self._expected.get(k) != digests.get(k))
            if differ:
                return self._wrong(f"{line}, DIFFERENT: {', '.join(differ)}")
        return line

    def _wrong(self, what: str) -> str:
        self.wrong += 1
        return f"WRONG {what}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("disaster", choices=["power", "full", "kill", "pairs"])
    parser.add_argument("--only", default=",".join(SCENARIOS), help="commands, by name")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.disaster in ("power", "full") and not can_mount():
        print("this machine cannot mount disks: skipped")
        return 0
    import torch

    torch.set_num_threads(1)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "inputs")
        inputs.mkdir()
        prepare(inputs)
        for name in arguments.only.split(","):
            place = Path(folder, name.replace(" ", "_"))
            place.mkdir()
            study = Study(name, SCENARIOS[name], inputs, place)
            disaster: Callable[[random.Random], str] = getattr(study, arguments.disaster)
            print(f"{name}: {study.seconds:.1f} s undisturbed, {study.kilobytes:,} kB", flush=True)
            for number in range(arguments.times):
                random_ = random.Random(f"{arguments.seed} {name} {number}")
                print(f"  {number + 1}: {disaster(random_)}", flush=True)
            wrong += study.wrong
    print(f"{wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
