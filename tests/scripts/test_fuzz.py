"""A quick share of the damaged and hostile inputs; `python scripts/fuzz.py` has all of them."""

from __future__ import annotations

import faulthandler
import random

import fuzz
import pytest
import torch
from fuzzing.commands import COMMANDS
from fuzzing.mutate import mutated_bytes, mutated_text, mutated_tree
from fuzzing.readers import READERS, Reader
from fuzzing.samples import make_samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    make_samples(folder)
    return folder


@pytest.mark.parametrize("name", [*READERS, *COMMANDS])
def test_hostile_input_is_read_or_refused_with_a_line(samples, tmp_path, name):
    verdicts = fuzz.run_forked(name, range(12), 1, samples, tmp_path / "a" / "b" / "place")
    assert [verdict for verdict in verdicts if fuzz.is_wrong(verdict)] == []
    assert len(verdicts) == 12


def test_a_forked_process_does_not_wait_for_its_parents_threads(samples, tmp_path, monkeypatch):
    """OpenMP's threads do not live on in a fork: a kernel on two of them would wait for ever."""
    before = torch.get_num_threads()
    files = READERS["split"].files
    reader = Reader(files, mutated_bytes, lambda path: run_a_kernel())
    monkeypatch.setitem(READERS, "spoiled", reader)

    def run_a_kernel():
        faulthandler.dump_traceback_later(60, exit=True)
        torch.randn(512, 512) @ torch.randn(512, 512)
        return torch.conv2d(torch.randn(2, 8, 64, 64), torch.randn(8, 8, 3, 3)).shape

    try:
        torch.set_num_threads(2)
        torch.randn(512, 512) @ torch.randn(512, 512)
        assert fuzz.run_forked("spoiled", range(1), 1, samples, tmp_path / "place") == ["read"]
    finally:
        torch.set_num_threads(before)


def test_inputs_are_functions_of_the_seed_and_most_differ_from_the_sample():
    for mutate, sample in (
        (mutated_bytes, bytes(range(200))),
        (mutated_text, "file_name,x,y\na,1,2\nb,3,4\n"),
        (mutated_tree, {"images": [{"id": 1, "name": "a"}], "boxes": [[1, 2, 3, 4]]}),
    ):
        mutants = [mutate(random.Random(seed), sample) for seed in range(50)]
        assert mutants == [mutate(random.Random(seed), sample) for seed in range(50)]
        assert len(set(mutants)) > 40


def test_what_is_wrong_is_seen(samples, tmp_path, monkeypatch):
    """A reader that raises, crashes, hangs, accepts nonsense or leaves half a file is caught."""

    def crash(path):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGSEGV)

    def hang(path):
        while True:
            pass

    def bad_value(value):
        raise AssertionError("a box is empty")

    files = READERS["split"].files
    readers = {
        "TRACEBACK": Reader(files, mutated_bytes, lambda path: 1 / 0),
        "CRASH": Reader(files, mutated_bytes, crash),
        "TOO LONG": Reader(files, mutated_bytes, hang),
        "ACCEPTED": Reader(files, mutated_bytes, lambda path: 1, bad_value),
        "HALF": Reader(
            files, mutated_bytes, lambda path: path.with_name(f".{path.name}.part").touch()
        ),
    }
    monkeypatch.setattr(fuzz, "CPU_S", 0.2)
    for says, reader in readers.items():
        monkeypatch.setitem(READERS, "spoiled", reader)
        (verdict,) = fuzz.run_forked("spoiled", range(1), 1, samples, tmp_path / "place")
        assert verdict.startswith(says)
        assert fuzz.is_wrong(verdict)
