"""Help texts: their words come from settings and registries when help is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from midog.augment.ops import OPS
from midog.cli.words import LISTS, lists_in, sentence, words_of
from midog.config.describe import about
from midog.formats.registry import FORMATS


def test_a_setting_alone_is_its_description_with_its_default():
    assert words_of("{train.patience}") == (
        "Validations without a better score before training stops; 0: never. [default: 0]"
    )
    assert (
        words_of("{train.optimizer}") == "Update rule (adam, adamw, sgd, rmsprop). [default: adamw]"
    )


def test_within_a_text_a_setting_is_its_description():
    words = sentence(about("inference.overlap").words)
    assert words_of("{inference.overlap} [default: the model's]") == (
        f"{words} [default: the model's]"
    )


def test_a_setting_that_is_only_marked_has_no_words():
    assert words_of("Split CSV.{=data.split}") == "Split CSV."


def test_lists_are_those_of_the_registries_now(monkeypatch):
    assert words_of("{formats}") == ", ".join(FORMATS)
    monkeypatch.setitem(FORMATS, "toy", FORMATS["csv"])
    assert words_of("One of {formats}.") == f"One of {', '.join(FORMATS)}."
    monkeypatch.setitem(OPS, "noise", replace(OPS["stain"], about="grain", default=0.5))
    assert words_of("{augment.noise}") == "Grain. [default: 0.5]"


def test_lists_whose_entries_have_words_are_shown_with_them():
    shown = lists_in(["One of {formats}.", "{train.lr}", "of {configs}", "again {formats}"])
    assert shown == {"formats": {name: entry.words for name, entry in FORMATS.items()}}


@pytest.mark.parametrize("name", LISTS)
def test_no_list_is_empty(name):
    assert len(LISTS[name]()) > 1


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("side of a tile", "Side of a tile."),
        ("auto, cpu or cuda", "auto, cpu or cuda."),
        ("auto: as many as fit", "auto: as many as fit."),
        ("um/px of the model", "um/px of the model."),
    ],
)
def test_a_sentence_has_a_capital_unless_it_starts_with_a_value_or_a_unit(words, shown):
    assert sentence(words) == shown
