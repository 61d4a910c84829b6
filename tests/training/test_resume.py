"""Which run a training resumes: the one of equal settings and data, else a new one."""

from __future__ import annotations

import errno
import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.errors import CheckpointError, ConfigError
from midog.training import resume
from midog.training.changes import Changes
from midog.training.identity import Identity, stored_identity
from midog.training.resume import choose_run, make_run
from midog.training.runs import Run, find_run, is_finished, list_runs, locked, write_state
from midog.training.train import resolve

CONFIG = RunConfig()


def open_run(
    runs: Path, config: RunConfig, data: str, *, name: str | None = None, fresh: bool = False
) -> Run:
    """The run that a training would use."""
    with ExitStack() as stack:
        run = choose_run(runs, Identity(config, data), name=name, fresh=fresh)
        return run or make_run(runs, Identity(config, data), name=name, stack=stack)


def start(
    runs: Path, *overrides: str, data: str = "d1", checkpoint: bool = True, **options
) -> Path:
    run = open_run(runs, load_config(None, overrides), data, **options)
    if checkpoint:
        run.checkpoint.write_bytes(b"state")
    return run.folder


def test_a_new_run_is_a_folder_with_its_config_and_runs_latest_points_to_it(tmp_path):
    run = open_run(tmp_path / "runs", CONFIG, "d1", name="a")
    assert not run.resumes
    assert load_config(run.folder / "config.yaml") == CONFIG
    assert (tmp_path / "runs" / "latest").resolve() == run.folder.resolve()
    assert not os.path.isabs(os.readlink(tmp_path / "runs" / "latest")), "the folder may be moved"


def test_the_newest_unfinished_run_of_equal_settings_and_data_is_resumed(tmp_path):
    first = start(tmp_path, name="first")
    time.sleep(0.01)
    start(tmp_path, "train.lr=0.5", name="other-settings")
    start(tmp_path, name="other-data", data="d2")
    again = open_run(tmp_path, CONFIG, "d1")
    assert again.folder.resolve() == first.resolve()
    assert again.resumes


def test_where_and_how_fast_it_is_computed_does_not_matter(tmp_path):
    first = start(tmp_path)
    moved = load_config(
        None,
        [
            "machine.device=cpu",
            "machine.workers=0",
            "data.dir=elsewhere",
            "machine.residency=memory",
        ],
    )
    assert open_run(tmp_path, moved, "d1").folder.resolve() == first.resolve()


def test_a_finished_run_is_left_alone(tmp_path):
    first = start(tmp_path)
    write_state(first, {"finished": True})
    assert is_finished(first)
    assert open_run(tmp_path, CONFIG, "d1").folder.resolve() != first.resolve()


def test_fresh_starts_anew_and_sets_a_named_run_aside(tmp_path):
    first = start(tmp_path, name="a")
    assert open_run(tmp_path, CONFIG, "d1", fresh=True).folder != first
    anew = open_run(tmp_path, CONFIG, "d1", name="a", fresh=True)
    assert not anew.resumes
    assert (tmp_path / "a~1" / "last.ckpt").read_bytes() == b"state", "nothing is lost"


def test_a_named_run_of_other_settings_is_an_error_that_names_them(tmp_path):
    start(tmp_path, name="a")
    with pytest.raises(CheckpointError, match=r"train\.lr: 0\.0001, now 0\.5.*fresh=True"):
        start(tmp_path, "train.lr=0.5", name="a")
    with pytest.raises(CheckpointError, match="data: d1, now d2"):
        start(tmp_path, name="a", data="d2")


def test_a_named_run_is_resumed_unless_it_is_finished(tmp_path):
    folder = start(tmp_path, name="a")
    assert open_run(tmp_path, CONFIG, "d1", name="a").resumes
    write_state(folder, {"finished": True})
    with pytest.raises(CheckpointError, match="run a is finished"):
        open_run(tmp_path, CONFIG, "d1", name="a")


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden", "latest"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="run name"):
        open_run(tmp_path, CONFIG, "d1", name=name)


def test_a_folder_that_is_no_run_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="is no run"):
        open_run(tmp_path, CONFIG, "d1", name="mine")


def test_a_damaged_run_is_passed_over_or_named(tmp_path):
    folder = start(tmp_path, name="a")
    (folder / "config.yaml").write_text("train: {epochs: many}")
    assert open_run(tmp_path, CONFIG, "d1").folder.name != "a"
    with pytest.raises((CheckpointError, ConfigError), match=r"config\.yaml"):
        open_run(tmp_path, CONFIG, "d1", name="a")


def test_a_run_under_way_is_not_joined(tmp_path):
    folder = start(tmp_path, name="a")
    with locked(folder):
        assert open_run(tmp_path, CONFIG, "d1").folder.resolve() != folder.resolve()
        with pytest.raises(CheckpointError, match="another process"), locked(folder):
            pass
    with locked(folder):
        pass


def test_fresh_does_not_take_the_folder_of_a_run_under_way(tmp_path):
    folder = start(tmp_path, name="a")
    with locked(folder), pytest.raises(CheckpointError, match="another process"):
        open_run(tmp_path, CONFIG, "d1", name="a", fresh=True)
    assert (folder / "last.ckpt").is_file()


def test_a_new_run_is_locked_before_another_process_can_choose_it(tmp_path):
    with ExitStack() as stack:
        folder = make_run(tmp_path, Identity(CONFIG, "d1"), name=None, stack=stack).folder
        assert choose_run(tmp_path, Identity(CONFIG, "d1")) is None
    again = choose_run(tmp_path, Identity(CONFIG, "d1"))
    assert again is not None
    assert again.folder.resolve() == folder.resolve()


def test_looking_for_a_run_touches_nothing(tmp_path):
    folder = start(tmp_path, name="a")
    (folder / ".lock").unlink()
    before = sorted(folder.iterdir())
    choose_run(tmp_path, Identity(CONFIG, "d1"))
    assert sorted(folder.iterdir()) == before


def test_a_run_resumes_at_its_own_precision_where_none_is_given(tmp_path):
    folder = start(tmp_path, "machine.precision=bf16-mixed", name="a")
    run = choose_run(tmp_path, Identity(CONFIG, "d1"))
    assert run is not None
    assert run.folder.resolve() == folder.resolve()
    before = stored_identity(run.folder).config.machine
    assert resolve(CONFIG.machine, before).precision == "bf16-mixed"
    assert (
        choose_run(tmp_path, Identity(load_config(None, ["machine.precision=32-true"]), "d1"))
        is None
    )


def test_an_unfinished_run_of_other_settings_is_reported_and_left_alone(tmp_path, caplog):
    start(tmp_path, "train.lr=0.5", name="a")
    start(tmp_path, name="b", data="d2")
    with caplog.at_level("INFO"):
        assert choose_run(tmp_path, Identity(CONFIG, "d1")) is None
        assert not caplog.records, "the newest one is of other data"
        assert choose_run(tmp_path, Identity(load_config(None, ["train.epochs=3"]), "d2")) is None
    assert caplog.messages == [
        "run b is unfinished but has other settings (train.epochs: 200, now 3); use its settings to"
        " resume it"
    ]


@pytest.mark.parametrize("left", [[], [".lock"], [".lock", "data.json"], ["config.yaml"]])
def test_a_folder_that_a_killed_process_left_is_made_anew(tmp_path, left):
    (tmp_path / "a").mkdir()
    for name in left:
        (tmp_path / "a" / name).write_text("")
    run = open_run(tmp_path, CONFIG, "d1", name="a")
    assert (run.folder.name, run.resumes) == ("a", False)
    assert load_config(run.folder / "config.yaml") == CONFIG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "latest"]


@pytest.mark.parametrize("step", ["mkdir", "data.json", "config.yaml", "rename"])
def test_a_full_disk_while_a_run_is_made_leaves_no_run(tmp_path, monkeypatch, step):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    replace = resume.replace_text
    with monkeypatch.context() as patch:
        if step in ("mkdir", "rename"):
            patch.setattr(Path, step, full)
        else:
            patch.setattr(
                resume,
                "replace_text",
                lambda path, *rest: (full if path.name == step else replace)(path, *rest),
            )
        with pytest.raises((CheckpointError, OSError), match="No space left"):
            open_run(tmp_path / "runs" if step == "mkdir" else tmp_path, CONFIG, "d1", name="a")
    assert [path for path in tmp_path.iterdir() if path.name != "runs"] == []
    assert not open_run(tmp_path, CONFIG, "d1", name="a").resumes


def test_a_run_that_lost_its_checkpoint_is_not_begun_again(tmp_path, caplog):
    folder = start(tmp_path, name="a", checkpoint=False)
    write_state(folder, {"epoch": 3})
    with pytest.raises(CheckpointError, match=r"last\.ckpt is missing.*put it back, or move"):
        open_run(tmp_path, CONFIG, "d1", name="a")
    assert choose_run(tmp_path, Identity(CONFIG, "d1")) is None
    assert "run a is not resumed: its last.ckpt is missing" in caplog.text


def test_a_run_is_listed_also_where_only_its_checkpoint_is_left(tmp_path):
    folder = start(tmp_path, name="a")
    (folder / "config.yaml").unlink()
    assert list_runs(tmp_path) == [folder.resolve()]
    assert find_run(tmp_path, "a") == folder


def test_changes_choose_a_run_that_was_started_with_other_settings(tmp_path):
    start(tmp_path, "train.lr=0.5", name="a")
    changes = Changes({"train.epochs": 9})
    run = choose_run(tmp_path, Identity(CONFIG, "d1"), changes=changes)
    assert run is not None
    assert run.folder.name == "a"
    other = Identity(load_config(None, ["train.seed=3"]), "d1")
    with pytest.raises(
        CheckpointError, match=r"no run .* to resume with train\.epochs=9; name one"
    ):
        choose_run(tmp_path, other, changes=changes)
