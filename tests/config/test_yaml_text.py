"""YAML: what is read, and one line for whatever else a file may hold."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from midog.config.load import load_config
from midog.config.yaml_text import parse_yaml, read_yaml
from midog.errors import ConfigError

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(12)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("~", None),
        ("a: 1\nb: [0.5, yes, 'x', null]", {"a": 1, "b": [0.5, True, "x", None]}),
        ("{a: 0x10, b: -3, c: 1_000, d: .5}", {"a": 16, "b": -3, "c": 1000, "d": 0.5}),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02 03:04:05", "2024-01-02 03:04:05"),
        ("12:30:45", "12:30:45"),
        ("1:30.5", "1:30.5"),
        ("010", "010"),
        ("1e-4", "1e-4"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("on: 1\n2: x\n~: y", {"on": 1, "2": "x", "~": "y"}),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}", {"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 3}}),
        ("a: &x [1]\nb: [*x, *x]", {"a": [1], "b": [[1], [1]]}),
        ("--- 1\n...", 1),
        ("=", "="),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_plain_values_are_read(text, value):
    assert parse_yaml(text, "x") == value


def test_numbers_without_end_are_read_and_left_to_the_schema():
    assert math.isnan(parse_yaml(".nan", "x"))
    assert parse_yaml("-.inf", "x") == -math.inf


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("!!int x", "x line 1: the tag !!int is not read; write the value without it"),
        ("!!python/object/apply:os.system [ls]", "the tag !!python/object/apply:os.system"),
        ("a: !!timestamp 2024-01-02", "the tag !!timestamp"),
        ("! 1", "the tag ! is not read"),
        ("!!binary aGk=", "the tag !!binary"),
        ("a: 1\n!!str b: !x 2", "x line 2: the tag !x"),
        ("a: 1\nb: 2\na: 3", "x line 3: the key 'a' is there twice"),
        ("[" * 10_000, "nested deeper than 20"),
        ("a: " + "{a: " * 30 + "1" + "}" * 30, "nested deeper than 20"),
        ("- " * 500 + "x", "nested deeper than 20"),
        (LAUGHS, "it unfolds to more than 1,000,000 characters"),
        ("a: &a " + "x" * 20_000 + "\nb: [" + "*a, " * 1000 + "]", "unfolds to more than"),
        ("&a [*a]", "the alias *a has no anchor before it"),
        ("*a", "the alias *a has no anchor before it"),
        ("9" * 5000, "has more than 64 bits"),
        (str(2**63), "has more than 64 bits"),
        ("0x" + "f" * 5000, "has more than 64 bits"),
        ("? [a]\n: b", "a key is no text"),
        ("<<: 3", "<< is followed by no mapping"),
        ("a: 1\n---\nb: 2", "x line 2: a second document begins; keep one"),
        ("a: [", "x line 1 is not YAML"),
        ("a: 1\n\tb: 2", "x line 2 is not YAML"),
        ("a: b: c", "mapping values are not allowed"),
        ("a\0b", "x is not YAML"),
        ("%YAML 9.9\n---\na", "x line 1 is not YAML"),
        ("'" + "a" * 1000, "x line 1 is not YAML"),
    ],
)
def test_what_is_not_plain_is_one_short_line_with_its_place(text, says):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "x")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfea\x00:\x00 \x001\x00", None),
        ("﻿a: 1".encode(), None),
        ("a: ü".encode("latin-1"), "is not text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not text in UTF-8"),
        (b"\0" * 1000, "is not YAML"),
        (b"a: 1\n" * 100_000, "at most 262,144"),
    ],
)
def test_files_of_any_bytes(tmp_path, content, says):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    if says is None:
        assert read_yaml(path) == {"a": 1}
        return
    with pytest.raises(ConfigError, match=says):
        read_yaml(path)


def test_a_pipe_is_refused_before_it_blocks(tmp_path):
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match="named pipe"):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(ConfigError, match="no config file"):
        load_config(tmp_path / "a.yaml")


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_what_a_run_writes_is_read_back(value):
    text = yaml.safe_dump(value, default_flow_style=None, width=100)
    read = parse_yaml(text, "x")
    assert read == value
    assert repr(read) == repr(value) or isinstance(value, float | list | dict)


@given(st.text("ab:-[]{}&*!<?|>'\"#%@`,\n\t 0.1e~\0\x1b\u2028\U0001f600", max_size=60))
def test_any_text_is_a_value_or_one_error(text):
    with suppress(ConfigError):
        parse_yaml(text, "x")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ('data.dir="a\\0b"', "data.dir is 'a\\x00b': has a NUL character in it"),
        ("train.lr=!!float 3", "the tag !!float is not read"),
        ("train.epochs=2024-01-02", "train.epochs is '2024-01-02'"),
        ("train={epochs: 3, epochs: 4}", "the key 'epochs' is there twice"),
        ("a" + ".a" * 30_000 + "=1", "unknown key a.a.a"),
        ("train.epochs=" + "9" * 5000, "has more than 64 bits"),
        ("train.lr=.inf", "finite"),
        ("model.anchor_sizes=" + "[" * 5000, "nested deeper than 20"),
        ("data.split=" + "x: " * 2, "is not YAML"),
        ("train.schedule=" + "x" * 100_000, "train.schedule is 'xxx"),
        ("train={" + ", ".join(f"k{i}: 1" for i in range(5000)) + "}", "and 4990 more"),
    ],
)
def test_overrides_are_checked_as_files_are(override, says):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert says in str(caught.value)
    assert len(str(caught.value)) < 2100


@pytest.mark.parametrize("shipped", sorted(Path("configs").glob("*.yaml")), ids=str)
def test_shipped_configs_are_read_as_a_library_reads_them(shipped):
    assert read_yaml(shipped) == yaml.safe_load(shipped.read_text())
