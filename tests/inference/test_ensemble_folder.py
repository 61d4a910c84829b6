"""An ensemble's folder: copies that stand alone, the same whatever the order, one line for
damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from midog.errors import WeightsError
from midog.inference.detector import Detector
from midog.inference.ensemble_folder import is_ensemble, read_ensemble, write_ensemble
from midog.inference.loaded_models import read_members


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def made(models: list[Path], out: Path) -> Path:
    write_ensemble(out, read_members(models), 0.3)
    return out


def test_it_stands_alone_and_does_not_depend_on_the_order(two_models, tmp_path: Path) -> None:
    one, other = made(two_models, tmp_path / "one"), made(two_models[::-1], tmp_path / "two")
    assert files(one) == files(other)
    assert files(one).keys() == {"model.json", "member_1.safetensors", "member_2.safetensors"}
    assert is_ensemble(one)
    assert not is_ensemble(two_models[0])
    card, members = read_ensemble(one)
    assert card.threshold == 0.3
    assert sorted(member.name for member in members) == ["a/best", "b/best"]
    for model in two_models:
        shutil.rmtree(model)
    assert len(Detector.load(one, device="cpu").members) == 2


def test_only_an_ensemble_or_nothing_is_replaced(two_models, tmp_path: Path) -> None:
    out = made(two_models, tmp_path / "out")
    made(two_models, out)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "text").write_text("mine")
    for taken in (tmp_path / "notes", two_models[0], tmp_path / "notes" / "text"):
        with pytest.raises(WeightsError, match="exists and is no ensemble; choose another out"):
            made(two_models, taken)
    assert (tmp_path / "notes" / "text").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda tree: tree.pop("members"), "format 3, this midog reads format 2"),
        (lambda tree: tree.update(threshold=3), "threshold"),
        (lambda tree: tree["members"].pop(), "members"),
        (lambda tree: tree["members"][0].update(weights="../a.safetensors"), "weights"),
        (lambda tree: tree["members"][0].update(weights="member_9.safetensors"), "does not exist"),
        (lambda tree: tree["members"][0]["card"].update(mpp=0.5), "contradicts itself"),
        (lambda tree: tree["members"][0]["card"].update(format=3), "format 3"),
        (lambda tree: tree.update(class_names=["x"]), "differ in classes"),
        (lambda tree: tree.update(task="patches"), "patches"),
    ],
)
def test_damage_is_one_line(two_models, tmp_path: Path, change, says: str) -> None:
    out = made(two_models, tmp_path / "out")
    tree = json.loads((out / "model.json").read_text())
    change(tree)
    (out / "model.json").write_text(json.dumps(tree))
    with pytest.raises(WeightsError, match=says):
        Detector.load(out, device="cpu")


def test_members_exchanged_or_cut_short_are_noticed(two_models, tmp_path: Path) -> None:
    out = made(two_models, tmp_path / "out")
    first, second = out / "member_1.safetensors", out / "member_2.safetensors"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(WeightsError, match="checksums differ"):
        Detector.load(out, device="cpu")
    first.write_bytes(content[:1000])
    with pytest.raises(WeightsError, match="damaged or cut short"):
        Detector.load(out, device="cpu")
