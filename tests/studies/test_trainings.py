"""Trainings that several processes share: by name, or by what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from midog.config.load import load_config
from midog.data.folder import read_rois
from midog.errors import CheckpointError
from midog.locks import being_written, held_file
from midog.studies import trainings
from midog.studies.designs import plan_together
from midog.studies.trainings import (
    SPLITS,
    Training,
    finished_run,
    require_same,
    run_of,
    split_file,
    train_one,
)
from midog.training.identity import Identity
from midog.training.tasks.registry import TASKS
from tests.spoiled import TINY
from tests.studies.small import finish_at_once


@pytest.fixture
def training(phantom, tmp_path, monkeypatch) -> Training:
    """A training of the phantom, known by what it is; `train` finishes at once."""
    monkeypatch.setattr(trainings, "train", finish_at_once)
    rois = read_rois(phantom)
    (part,) = plan_together(rois)
    split = split_file(tmp_path / "runs", "all")
    config = load_config(None, [f"data.dir={str(phantom)!r}", *TINY])
    config = config.with_values(data={"split": str(split)})
    one = Training("mine-0", config, part.split, rois, "A, B")
    key = one.identity.digest()
    return replace(one, name=f"mine-{key}", key=key)


def test_a_training_of_another_name_but_equal_content_is_done(training, tmp_path):
    runs, said = tmp_path / "runs", []
    assert finished_run(runs, training) is None
    folder = train_one(training, runs, said.append)
    other = replace(training, name=f"yours-{training.key}")
    assert train_one(other, runs, said.append) == folder == finished_run(runs, other)
    assert said == [f"mine-{training.key}: training on A, B", f"mine-{training.key} is done"]
    assert (folder / ".seconds.json").is_file()


def test_one_that_another_process_holds_is_left_to_it_and_taken_over_when_that_ends(
    training, tmp_path
):
    runs, said = tmp_path / "runs", []
    (runs / SPLITS).mkdir(parents=True)
    lock = runs / SPLITS / f".{training.key}.lock"
    with held_file(lock, being_written(lock)):
        assert train_one(training, runs, said.append) is None
    assert said == [f"{training.name} is being trained by another process"]
    assert train_one(training, runs, said.append) is not None


def test_a_run_under_its_key_with_other_settings_is_refused(training, tmp_path):
    train_one(training, tmp_path / "runs", print)
    other = replace(training, config=training.config.with_values(train={"lr": 0.5}))
    with pytest.raises(CheckpointError, match=r"train.lr: 0.0001, now 0.5"):
        require_same(tmp_path / "runs", other)
    require_same(tmp_path / "runs", training)


@pytest.mark.parametrize(
    "takes",
    [[], ["augment.randstainna.share=1"], ["augment.fda.share=1"], ["task.kind=adversarial"]],
)
def test_a_training_is_planned_with_the_data_that_its_run_will_state(training, takes):
    """Also where it takes something of unlabelled images: else it is taken for another one when
    it is looked at again."""
    config = load_config(None, [f"data.dir={str(training.config.data.dir)!r}", *TINY, *takes])
    planned = replace(training, config=config)
    run = TASKS[config.task.kind].read(config, training.rois)
    assert run.fingerprint == planned.identity.fingerprint


def test_the_digest_is_of_what_is_learned(training):
    def digest(**sections: dict) -> str:
        config = training.config.with_values(**sections)
        return Identity(config, training.identity.fingerprint).digest()

    assert digest(machine={"workers": 0}) == digest(data={"split": "x"}) == training.key
    others = [
        digest(train={"seed": 1}),
        digest(train={"epochs": 4}),
        digest(sampling={"p_mitotic": 0.4}),
        digest(model={"head_convs": 3}),
        Identity(training.config, "other data").digest(),
    ]
    assert len({*others, training.key}) == 6


def test_no_run_is_found_where_there_is_no_folder(training, tmp_path):
    assert run_of(tmp_path / "none", training) is None
