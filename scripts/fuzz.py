"""Give every reader and command damaged and hostile input, made from seeds, and count what they do.

    python scripts/fuzz.py [--inputs 20000] [--seed 0] [--only NAME,...] [--keep FOLDER]

Each input is a function of (seed, reader, number). It may be read, with every value in range, or
refused with one line. All else is wrong: a traceback, a crash of the process, more than 10 s of
processor time, more than 4 GB of memory, an accepted value out of range, a half-written file. What
is wrong is printed, and kept in --keep. The readers are forked, so that a crash ends one of them.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from types import FrameType

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fuzzing.commands import COMMANDS, run_command
from fuzzing.readers import READERS
from fuzzing.samples import make_samples

CPU_S, MEMORY_KB = 10.0, 4 << 20
_SHARES = {"images": 4, **dict.fromkeys(("model, weights", "last.ckpt", "infer"), 0.3)}
"""How many inputs a reader gets, where it is not one share; infer and models are slow."""


class TooLongError(Exception):
    """10 s of processor time are used up."""


def try_input(name: str, number: int, seed: int, samples: Path, place: Path) -> str:
    """Give one input to one reader or command.

    Returns:
        "read", "refused", or what is wrong in capitals.
    """
    from midog.errors import MidogError

    rng = random.Random(f"{seed} {name} {number}")
    if name in COMMANDS:
        return run_command(COMMANDS[name], samples, place, rng)
    reader = READERS[name]
    sample = rng.choice(reader.files(samples))
    shutil.rmtree(place, ignore_errors=True)
    if name == "model, weights":
        shutil.copytree(sample.parent, place)
    place.mkdir(parents=True, exist_ok=True)
    path = place / sample.name
    path.write_bytes(reader.mutate(rng, sample.read_bytes()))
    try:
        value = reader.read(path)
    except MidogError as error:
        line = str(error)
        if "\n" in line or len(line) > 3000 or not line.isprintable():
            return f"LINE {line[:300]!r}"
        return "refused"
    reader.check(value)
    left = sorted(place.glob(".*.part"))
    return f"HALF-WRITTEN {left}" if left else "read"


def judged(name: str, number: int, seed: int, samples: Path, place: Path) -> str:
    """`try_input`, with every exception, long run and large memory as a verdict."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TooLongError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    before = _peak_kb()
    try:
        verdict = try_input(name, number, seed, samples, place)
    except TooLongError:
        verdict = f"TOO LONG: over {CPU_S:.0f} s"
    except AssertionError as error:
        verdict = f"ACCEPTED {error}"
    except Exception as error:  # what the readers must never raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        verdict = f"TRACEBACK {type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if _peak_kb() > max(before, MEMORY_KB):
        return f"MEMORY {_peak_kb() >> 10:,} MB, {verdict}"
    return " ".join(verdict.split())


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run_forked(name: str, numbers: range, seed: int, samples: Path, place: Path) -> list[str]:
    """Verdicts of inputs, from forked processes that end at a crash and are started again."""
    verdicts: list[str] = []
    while len(verdicts) < len(numbers):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            faulthandler.disable()
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 2)  # libraries that print from C
            _use_one_thread()
            logging.disable(logging.CRITICAL if name in READERS else logging.NOTSET)
            with os.fdopen(write, "w", buffering=1) as out:
                for number in numbers[len(verdicts) :]:
                    out.write(judged(name, number, seed, samples, place) + "\n")
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as lines:
            verdicts += [line.rstrip("\n") for line in lines]
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status):
            verdicts.append(f"CRASH: exit {os.waitstatus_to_exitcode(status)}")
    return verdicts


def _use_one_thread() -> None:
    """Keep a forked process from waiting for the threads that only its parent has."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def is_wrong(verdict: str) -> bool:
    return verdict not in ("read", "refused")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join([*READERS, *COMMANDS]).replace(", ", ": "))
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    names = [name.replace(": ", ", ") for name in arguments.only.split(",")]
    shares = sum(_SHARES.get(name, 1.0) for name in names)
    wrong = 0
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder, "samples")
        samples.mkdir()
        make_samples(samples)
        for name in names:
            count = round(arguments.inputs * _SHARES.get(name, 1.0) / shares)
            place = Path(folder, "deep", "down", "place")
            place.parent.mkdir(parents=True, exist_ok=True)
            verdicts = run_forked(name, range(count), arguments.seed, samples, place)
            counts = collections.Counter(v if not is_wrong(v) else "wrong" for v in verdicts)
            wrong += counts["wrong"]
            print(
                f"{name:20} {count:6,} inputs: {counts['read']:6,} read, {counts['refused']:6,}"
                f" refused, {counts['wrong']} wrong",
                flush=True,
            )
            for number, verdict in enumerate(verdicts):
                if is_wrong(verdict):
                    print(f"    {name} {number}: {verdict[:400]}")
                    if arguments.keep:
                        _keep(arguments.keep, name, number, arguments.seed, samples)
    print(f"{wrong} wrong")
    return int(wrong > 0)


def _keep(folder: Path, name: str, number: int, seed: int, samples: Path) -> None:
    """Write an input of a reader again, to look at it."""
    if name in READERS:
        rng = random.Random(f"{seed} {name} {number}")
        sample = rng.choice(READERS[name].files(samples))
        folder.mkdir(parents=True, exist_ok=True)
        content = READERS[name].mutate(rng, sample.read_bytes())
        (folder / f"{name} {number} {sample.name}").write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
