"""What a run was started with, also where its own files are damaged."""

from __future__ import annotations

import pytest

from midog.config.load import load_config
from midog.errors import ConfigError
from midog.training.checkpoint import TrainingProgress, take_state, write_checkpoint
from midog.training.identity import Identity, differences, stored_identity
from midog.training.resume import write_identity
from tests.training.line_task import line_learner

OURS = Identity(load_config(None, ["train.epochs=7"]), "d1")


@pytest.fixture
def run(tmp_path):
    write_identity(tmp_path, OURS)
    learner = line_learner(OURS.config.train)
    facts = {**OURS.facts(), "steps": 3}
    state = take_state(TrainingProgress(), learner.network, learner.optimizer, None, facts)
    write_checkpoint(tmp_path / "last.ckpt", state)
    return tmp_path


def test_a_run_says_what_it_was_started_with(run):
    assert stored_identity(run) == OURS
    assert differences(run, OURS) == []
    other = Identity(load_config(None, ["machine.workers=9"]), "d2")
    assert differences(run, other) == ["train.epochs: 7, now 200", "data: d1, now d2"]
    assert differences(run, other, but_asked=True) == ["data: d1, now d2"]


@pytest.mark.parametrize("name", ["config.yaml", "data.json"])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"{", b'{"fingerprint": 5}', b"[1]", None])
def test_damaged_files_are_made_good_by_the_checkpoint(run, name, content):
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    assert stored_identity(run) == OURS
    (run / "last.ckpt").write_bytes(b"")
    with pytest.raises(ConfigError, match=name):
        stored_identity(run)
