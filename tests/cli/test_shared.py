"""What the commands share: tables, settings from options, stops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import typer

from midog.cli.shared import (
    is_first,
    load_settings,
    number_or_auto,
    print_table,
    stoppable,
)
from midog.config.load import load_config
from midog.training.interrupts import Interrupted


def test_a_table_has_numbers_to_the_right_on_stdout(capsys):
    print_table(["group", "F1"], [["all", "0.9"], ["Aperio CS2", "-"]])
    assert capsys.readouterr().out.splitlines() == [
        "group        F1",
        "all         0.9",
        "Aperio CS2    -",
    ]


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Interrupted(15), 143)])
def test_a_stop_says_how_to_go_on_and_exits_as_shells_expect(capsys, error, code):
    with pytest.raises(typer.Exit) as stop, stoppable("the same command resumes"):
        raise error
    assert stop.value.exit_code == code
    assert capsys.readouterr().err == "the same command resumes\n"


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_what_a_shell_of_slurm_states_silences_nothing(midog, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert is_first()
    assert midog("evaluate", "nowhere", "--data", "nowhere").err.startswith("error: ")


@pytest.mark.parametrize(("rank", "first"), [(0, True), (1, False)])
def test_only_the_first_of_a_group_of_processes_speaks(monkeypatch, rank, first):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    assert is_first() == first


def test_an_error_is_printed_by_the_process_that_has_it_whatever_its_rank(midog, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert midog("evaluate", "nowhere", "--data", "nowhere").err.startswith("error: ")


def test_options_overlay_set_which_overlays_the_config():
    settings = load_settings(
        "demo", ["train.epochs=5", "train.seed=7"], {"train.epochs": 3, "data.dir": None}
    )
    assert (settings.train.epochs, settings.train.seed) == (3, 7)
    assert settings.data.dir == load_config("demo").data.dir


@pytest.mark.parametrize("name", ["1e3", "null", "a: b", "[x]", "midog21"])
def test_what_an_option_was_given_is_taken_as_it_is(name):
    settings = load_settings(None, None, {"data.split": name, "data.dir": Path(name)})
    assert (settings.data.split, settings.data.dir) == (name, Path(name))


@pytest.mark.parametrize(("text", "value"), [(None, None), ("auto", "auto"), ("512", 512)])
def test_a_number_or_auto(text, value):
    assert number_or_auto(text, "--tile") == value


@pytest.mark.parametrize("text", ["big", "-3", "1.5", ""])
def test_what_is_neither_is_a_wrong_command_line(text):
    with pytest.raises(typer.BadParameter, match="neither a number nor auto"):
        number_or_auto(text, "--tile")
