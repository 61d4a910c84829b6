"""Groups: which columns there are, how they nest, what they are called, and that no ROI is lost or
doubled."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import DetectionsError
from midog.evaluation.groups import keys_of, make_groups, parse_by
from tests.evaluation.cases import ROIS, roi

NESTED = [
    roi("1.tiff", scanner="XR", columns={"tumour": "skin"}),
    roi("2.tiff", scanner="CS2", columns={"tumour": "lung"}),
    roi("3.tiff", scanner="CS2", columns={"tumour": "skin"}),
    roi("4.tiff", scanner="XR", columns={"tumour": "skin"}),
    roi("5.tiff", scanner=""),
]


@pytest.mark.parametrize(
    ("by", "columns"),
    [
        ("scanner", ("scanner",)),
        ("tumour,scanner", ("tumour", "scanner")),
        (" tumour , scanner ", ("tumour", "scanner")),
        (["tumour type", "scanner"], ("tumour type", "scanner")),
    ],
)
def test_columns_are_named_in_one_string_or_in_several(by, columns) -> None:
    assert parse_by(by) == columns


@pytest.mark.parametrize("by", ["", "  ", "scanner,", ",scanner", "a,,b", [], [""]])
def test_no_column_is_an_error(by) -> None:
    with pytest.raises(DetectionsError, match=r"names no column; write for example scanner"):
        parse_by(by)


@pytest.mark.parametrize(
    "by", ["scanner,scanner", "tumour, scanner ,tumour", ["scanner", "scanner"]]
)
def test_a_column_named_twice_is_an_error(by) -> None:
    with pytest.raises(DetectionsError, match="names a column twice"):
        parse_by(by)


def test_values_of_any_column_with_empty_and_missing_ones_as_unknown() -> None:
    assert keys_of(ROIS, ["tumour"]) == [
        {"tumour": "lung"},
        {"tumour": "unknown"},
        {"tumour": "skin"},
    ]
    assert keys_of([*ROIS, roi("004.tiff")], ["tumour"])[-1] == {"tumour": "unknown"}
    assert keys_of(ROIS, ["patient", "scanner"])[2] == {"patient": "p1", "scanner": "Aperio CS2"}
    assert keys_of(ROIS, ["file_name"])[0] == {"file_name": "001.tiff"}


def test_the_role_in_the_split_is_a_column_too() -> None:
    assert keys_of([roi("1.tiff", split="val")], ["split"]) == [{"split": "val"}]


def test_what_the_split_says_stands_before_a_field_of_that_name_in_the_annotation() -> None:
    raw = {"scanner": "NanoZoomer XR"}
    assert keys_of([roi("1.tiff", scanner="Hamamatsu XR", columns=raw)], ["scanner"]) == [
        {"scanner": "Hamamatsu XR"}
    ]
    assert keys_of([roi("1.tiff", scanner="", columns=raw)], ["scanner"]) == [
        {"scanner": "NanoZoomer XR"}
    ]


def test_an_unknown_column_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(DetectionsError) as error:
        keys_of(ROIS, ["scanner", "stain"])
    assert (
        str(error.value)
        == "the ROIs have no column 'stain'; group by one of scanner, patient, split, file_name,"
        " mpp, tumour"
    )


def test_the_um_per_px_of_an_roi_is_a_column_too() -> None:
    rois = [
        roi("1.tiff", mpp=0.25),
        roi("2.tiff", mpp=0.2273),
        roi("3.tiff", mpp=None),
        roi("4.tiff", mpp=1.0),
    ]
    assert [each["mpp"] for each in keys_of(rois, ["mpp"])] == ["0.25", "0.2273", "unknown", "1"]


def test_a_field_that_is_empty_everywhere_is_one_group_where_the_rois_have_it() -> None:
    rois = [roi("1.tiff", columns={"stain": ""}), roi("2.tiff")]
    assert [each["stain"] for each in keys_of(rois, ["stain"])] == ["unknown", "unknown"]


def test_all_then_the_values_in_the_order_of_the_rois() -> None:
    groups = make_groups(keys_of(NESTED, ["scanner"]), ["scanner"])
    assert [(group.name, group.members) for group in groups] == [
        ("all", (0, 1, 2, 3, 4)),
        ("XR", (0, 3)),
        ("CS2", (1, 2)),
        ("unknown", (4,)),
    ]
    assert [dict(group.keys) for group in groups[:2]] == [{}, {"scanner": "XR"}]


def test_nested_groups_follow_the_group_that_they_are_in() -> None:
    groups = make_groups(keys_of(NESTED, ["tumour", "scanner"]), ["tumour", "scanner"])
    assert [(group.name, group.members) for group in groups] == [
        ("all", (0, 1, 2, 3, 4)),
        ("skin", (0, 2, 3)),
        ("skin / XR", (0, 3)),
        ("skin / CS2", (2,)),
        ("lung", (1,)),
        ("lung / CS2", (1,)),
        ("unknown", (4,)),
        ("unknown / unknown", (4,)),
    ]
    assert dict(groups[3].keys) == {"tumour": "skin", "scanner": "CS2"}


def test_a_value_that_would_hide_all_rois_is_refused() -> None:
    with pytest.raises(DetectionsError, match=r"column scanner has the value 'all'.* rename it"):
        make_groups([{"scanner": "XR"}, {"scanner": "all"}], ["scanner"])
    below = make_groups([{"tumour": "skin", "scanner": "all"}], ["tumour", "scanner"])
    assert [group.name for group in below] == ["all", "skin", "skin / all"]


def test_two_groups_of_one_name_are_refused_rather_than_one_of_them_lost() -> None:
    keys = [{"tumour": "skin", "scanner": "XR"}, {"tumour": "skin / XR", "scanner": "XR"}]
    with pytest.raises(DetectionsError, match="2 groups would be named 'skin / XR'"):
        make_groups(keys, ["tumour", "scanner"])


def test_no_rois_are_a_group_of_none() -> None:
    groups = make_groups(keys_of([], ["scanner"]), ["scanner"])
    assert [(group.name, group.members) for group in groups] == [("all", ())]


@given(
    st.lists(
        st.fixed_dictionaries({name: st.sampled_from("xyz") for name in ("a", "b", "c")}),
        max_size=12,
    ),
    st.permutations(["a", "b", "c"]),
)
def test_at_each_depth_every_roi_is_in_one_group_that_has_its_values(keys, by) -> None:
    groups = make_groups(keys, by)
    names = [group.name for group in groups]
    assert len(set(names)) == len(names)
    for depth in range(len(by) + 1):
        level = [group for group in groups if len(group.keys) == depth]
        assert Counter(member for group in level for member in group.members) == Counter(
            range(len(keys))
        )
        for group in level:
            assert tuple(group.keys) == tuple(by[:depth])
            assert all(
                keys[member][name] == value
                for member in group.members
                for name, value in group.keys.items()
            )
