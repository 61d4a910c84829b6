"""Names of classes as the field writes them, and as the user states them."""

from __future__ import annotations

import pytest

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.class_names import (
    IGNORED,
    SKIPPED,
    UNKNOWN,
    ClassNames,
    label_of,
    parse_classes,
)
from midog.errors import ConfigError


@pytest.mark.parametrize(
    "name",
    ["Mitose", "Mitotic Figure", "mitosis", "Mitosis", "mitotic cell", "MF", "mitotic-figures"],
)
def test_names_of_the_mitotic_figure(name: str) -> None:
    assert label_of(name) == MITOTIC_FIGURE


@pytest.mark.parametrize(
    "name",
    [
        "Hard negative",
        "hard negative look-alike",
        "hardnegative",
        "Mitosislike",
        "mitosis-like",
        "Nonmitosis",
        "NonMitosis",
        "non-mitotic",
        "non-mitotic cell",
        "not mitotic figure",
        "imposter",
        "Impostor",
        "Mimic",
    ],
)
def test_names_of_the_imposter(name: str) -> None:
    assert label_of(name) == IMPOSTER


@pytest.mark.parametrize("name", ["", "cell", "tumor cell", "NMF", "1", "0", "negative"])
def test_names_that_are_not_known(name: str) -> None:
    assert label_of(name) == UNKNOWN


def test_numbers_are_ids_only_where_a_file_means_ids() -> None:
    names = ClassNames()
    assert [names.label_of(word, ids=True) for word in ("1", "2", "0", "3")] == [1, 2, 0, 0]


def test_the_user_states_further_names() -> None:
    names = parse_classes('tumor cell=skip, Mitosis = mitotic figure,"a,b"=Nonmitosis,x=y=ignore')
    assert names.label_of("Tumor-Cell") == SKIPPED
    assert names.label_of("mitosis") == MITOTIC_FIGURE
    assert names.label_of("a,b") == IMPOSTER
    assert names.label_of("x=y") == IGNORED
    assert names.label_of("imposter") == IMPOSTER
    assert parse_classes("mitosis=skip").label_of("Mitosis") == SKIPPED
    assert names.without_use(["Tumor Cell", "mitosis"]) == ["a,b", "x=y"]
    assert parse_classes("").given == {}


@pytest.mark.parametrize(
    "text", ["tumor cell", "a=", "=skip", "a=b", "a=skip,", "a=skip,A=imposter", "a=1"]
)
def test_what_states_no_class(text: str) -> None:
    with pytest.raises(ConfigError, match=r"data.classes: ") as error:
        parse_classes(text)
    assert "\n" not in str(error.value)
