"""JSON is read with one error for whatever is wrong with it, and written without NaN."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import DataError, MidogError
from midog.json_text import checked, is_number, parse_json, plain, read_json, to_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_what_is_json_is_read_as_python_reads_it(tree):
    assert parse_json(json.dumps(tree), "a.json") == tree


@given(st.binary(max_size=40) | st.text('[]{},:"0123456789.eE-nulltrue \\'))
def test_whatever_the_bytes_are_there_is_one_error(text):
    try:
        tree = parse_json(text, "a.json", DataError)
    except DataError as error:
        line = str(error)
    else:
        line = f"a.json is {tree!r}"
    assert line.startswith("a.json is ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_encoding_of_unicode_is_read(tmp_path, encoding):
    (tmp_path / "a.json").write_text('{"ä": 1}', encoding=encoding)
    assert read_json(tmp_path / "a.json") == {"ä": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 65 + "]" * 65, "a.json is nested deeper than 64; mend it"),
        ("[" * 100_000, "a.json is nested deeper than 64; mend it"),
        ('{"a": ' * 65 + "1" + "}" * 65, "a.json is nested deeper than 64; mend it"),
        ("1" * 5000, "a.json is not JSON that can be read: Exceeds the limit (4300 digits) for"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "the key 'b' is named twice in one object; mend it"),
        ("{", "a.json is not JSON: Expecting property name"),
        ("", "a.json is not JSON: Expecting value"),
        (b"{\xff}", "a.json is not text: invalid start byte at byte 1; mend it"),
    ],
)
def test_what_is_wrong_is_named(text, says):
    with pytest.raises(DataError) as raised:
        parse_json(text, "a.json", DataError, "mend it")
    assert says in str(raised.value)


def test_64_levels_are_read():
    assert parse_json("[" * 64 + "]" * 64, "a.json")


@dataclass
class Note:
    """A note in a test."""

    epoch: int
    score: float | None
    boxes: list[tuple[int, int]]


def test_a_tree_is_checked_against_a_type():
    tree = {"epoch": 1, "score": 1, "boxes": [[1, 2]]}
    assert checked(tree, Note, "a.json") == Note(1, 1.0, [(1, 2)])
    wrong = [
        ({**tree, "epoch": "1"}, "a.json: 'epoch': Input should be a valid integer, not '1'"),
        ({**tree, "epoch": True}, "a.json: 'epoch': Input should be a valid integer, not True"),
        ({**tree, "score": "x" * 10**6}, "'score': Input should be a valid number, not 'xxx"),
        ({"epoch": 1, "boxes": []}, "a.json: 'score': Field required"),
        ({**tree, "boxes": [[1, 2, 3]]}, "a.json: 'boxes.0': "),
        ([], "a.json: Input should be an object, not []"),
        ({"epoch": None, "boxes": 3}, "(and 2 more)"),
    ]
    for value, says in wrong:
        with pytest.raises(MidogError) as raised:
            checked(value, Note, "a.json", DataError, "mend it")
        assert says in str(raised.value)
        assert str(raised.value).endswith("; mend it")
        assert len(str(raised.value)) < 200


def test_numbers_are_finite_and_what_float_takes():
    inf, nan, most = float("inf"), float("nan"), sys.float_info.max
    assert all(map(is_number, [0, -1, 0.5, 10**300, most, -most]))
    assert not any(
        map(is_number, [True, False, None, "1", [1], nan, inf, -inf, 10**400, -(10**400)])
    )


def test_json_has_null_for_nan_and_lists_for_arrays():
    value = {
        "a": float("nan"),
        "b": np.array([[1.5, np.nan]]),
        "c": (1, None, "ä", True),
        "d": {"e": [np.float32(0.5), np.int64(3), np.float64("nan")]},
    }
    expected = {
        "a": None,
        "b": [[1.5, None]],
        "c": [1, None, "ä", True],
        "d": {"e": [0.5, 3, None]},
    }
    assert plain(value) == expected
    assert json.loads(to_json(value)) == expected
    assert to_json({"a": "ä"}, indent=None) == '{"a": "\\u00e4"}\n'
    assert to_json({"a": "ä"}, ascii_only=False) == '{\n "a": "ä"\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        to_json(float("inf"))


def test_a_key_may_stand_twice_with_one_value_where_that_is_known_of_the_writer():
    assert parse_json('{"a": [1], "b": 2, "a": [1]}', "x", equal_twice=True) == {"a": [1], "b": 2}
    for text in ('{"a": [1], "a": [2]}', '{"a": NaN, "a": NaN}'):
        with pytest.raises(MidogError, match="the key 'a' is named twice in one object"):
            parse_json(text, "x", equal_twice=True)
