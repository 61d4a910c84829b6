"""Sections chosen by kind: what may be written for one, and what is said of a wrong one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic import Field

from midog.config.load import load_config
from midog.config.settings import KindSettings, UnknownKind, by_kind, near, one_of
from midog.errors import ConfigError
from midog.models.registry import BACKBONES, BackboneEntry, BackboneSettings


class WidthSettings(BackboneSettings):
    """A backbone with a setting of its own."""

    width: int = Field(8, ge=1, description="channels of the first map")


@dataclass(frozen=True)
class Entry:
    settings: type[KindSettings]
    about: str = ""


REGISTRY = {"plain": Entry(KindSettings), "wide": Entry(WidthSettings)}


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("wide", WidthSettings, {"kind": "wide"}),
        ({"width": 3}, KindSettings, {"width": 3, "kind": "plain"}),
        ({"kind": "wide", "width": 3}, WidthSettings, {"kind": "wide", "width": 3}),
        (7, KindSettings, 7),
    ],
)
def test_the_class_follows_the_kind_and_a_bare_name_is_a_kind(written, kind, value):
    assert by_kind(lambda: REGISTRY, "plain").choose(written) == (kind, value)


@pytest.mark.parametrize("written", ["wild", {"kind": "wild"}, {"kind": 3}])
def test_an_unknown_kind_says_which_there_are(written):
    with pytest.raises(UnknownKind, match="choose plain or wide"):
        by_kind(lambda: REGISTRY, "plain").choose(written)


def _unbuilt(settings, maps):
    raise NotImplementedError


def test_an_entry_that_is_added_can_be_chosen_with_settings_of_its_own(monkeypatch):
    monkeypatch.setitem(BACKBONES, "wide", BackboneEntry("a wide one", WidthSettings, _unbuilt))
    config = load_config(None, ["model.backbone=wide", "model.backbone.width=3"])
    assert config.model.backbone == WidthSettings(kind="wide", width=3)
    assert config.to_dict()["model"]["backbone"] == {"kind": "wide", "width": 3}
    with pytest.raises(ConfigError, match=r"model\.backbone\.width is 0"):
        load_config(None, ["model.backbone=wide", "model.backbone.width=0"])
    with pytest.raises(ConfigError, match=r"model\.backbone: width is of another kind"):
        load_config(None, ["model.backbone.width=3"])


def test_names_are_listed_as_a_choice_and_the_nearest_is_suggested():
    assert (one_of(["a"]), one_of(["a", "b"])) == ("a", "a or b")
    assert one_of(["a", "b", "c"]) == "a, b or c"
    assert near("retinenet", ["retinanet", "fcos"]) == " (did you mean retinanet?)"
    assert near("unet", ["fcos"]) == ""
