"""Errors are one line that ends with what to do."""

from __future__ import annotations

import pickle

import pytest

from midog.errors import DataError, DeviceError, MidogError, assignment, clean


def flag(name: str, value: object) -> str:
    return f"--{name}" if value is None else f"--{name} {value}"


def test_an_error_is_one_line_of_what_and_fix():
    error = DataError("data/split.csv line 7:\n split 'trian' is unknown.", "write train")
    assert str(error) == "data/split.csv line 7: split 'trian' is unknown; write train"
    assert isinstance(error, MidogError)


def test_the_fix_may_be_missing_and_errors_cross_processes():
    error = pickle.loads(pickle.dumps(MidogError("nothing to do")))
    assert str(error) == "nothing to do"
    error = pickle.loads(pickle.dumps(DeviceError("full", "wait", {"train.batch_size": 4})))
    assert str(error) == "full; wait, or use train.batch_size=4"


@pytest.mark.parametrize(
    ("fix", "settings", "python", "flags"),
    [
        ("", {"a.b": 4}, "use a.b=4", "use --a.b 4"),
        ("", {"a.b": 4, "c.d": 1}, "use a.b=4 c.d=1", "use --a.b 4 --c.d 1"),
        ("give {mpp}, or wait", {"mpp": None}, "give mpp, or wait", "give --mpp, or wait"),
        ("use a {b}", {"c": "x"}, "use a {b}, or use c=x", "use a {b}, or use --c x"),
        ("{a}, or {b}", {"a": None, "b": True}, "a, or b=True", "--a, or --b True"),
        ("", {"a.b": True}, "use a.b=true", "use --a.b True"),
    ],
)
def test_settings_are_named_by_whoever_prints_the_error(fix, settings, python, flags):
    error = MidogError("wrong", fix, settings)
    assert str(error) == f"wrong; {python}"
    assert error.line(flag) == f"wrong; {flags}"


def test_a_setting_is_written_as_yaml_writes_it_and_an_argument_as_python_does():
    assert assignment("machine.compile", False) == "machine.compile=false"
    assert assignment("overwrite", True) == "overwrite=True"
    assert assignment("train.lr", None) == "train.lr"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("nul\0", r"nul\x00"),
        ("right\u202eleft", r"right\u202eleft"),
        ("half \udce9", r"half \udce9"),
        ("ä 猫\tb\r\nc", "ä 猫 b c"),
        ("a\x9bb", r"a\x9bb"),
    ],
)
def test_a_terminal_obeys_nothing_that_is_printed(text, printed):
    assert clean(text) == printed
    assert str(MidogError(text, "mend {it}", {"it": None})) == f"{printed}; mend it"
    assert str(MidogError("wrong", text)) == f"wrong; {printed}"


@pytest.mark.parametrize("letter", ["x", "x ", "\x1b"])
def test_long_values_lose_their_middle_and_the_fix_stays(letter):
    error = MidogError(f"a.json: name is {letter * 10**6}", "write a shorter one")
    line = str(error)
    assert line.startswith("a.json: name is ")
    assert "characters ...]" in line
    assert line.endswith("; write a shorter one")
    assert len(line) < 2100
    assert clean("y" * 600) == "y" * 600
