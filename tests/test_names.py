"""Any text becomes one part of a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.names import safe_name


@given(st.text())
def test_whatever_the_text_it_is_one_visible_part_of_a_path(text):
    name = safe_name(text)
    assert 0 < len(name) <= 100
    assert Path(name).parts == (name,)
    assert not name.startswith(".")
    assert name.isprintable()
    assert not set(name) & set('/\\:*?"<>|\0')
    os.fsencode(name)
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hamamatsu XR", "Hamamatsu XR"),
        ("Präparat (1).tiff", "Präparat (1).tiff"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("/a/b", "_a_b"),
        ("..", "_"),
        ("", "_"),
        (".hidden", "_hidden"),
        ("a\x1b[2J\0b\nc", "a__2J_b_c"),
        ("a ", "a"),
    ],
)
def test_names_stay_readable(text, name):
    assert safe_name(text) == name


def test_long_names_stay_apart():
    one, two = safe_name("a" * 200), safe_name("a" * 201)
    assert one != two
    assert one.startswith("a" * 91)
