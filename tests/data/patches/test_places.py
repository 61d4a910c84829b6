"""An index comes back as it was written; what was changed by hand is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog.data.patches.folders import Folders
from midog.data.patches.places import SlidePlaces, read_places, write_places
from midog.data.patches.read import read_patches
from midog.errors import DataError


def slide(folder: Path, name: str, split: str, places: int = 4) -> SlidePlaces:
    path = folder / name
    path.touch()
    centres = np.arange(2.0 * places).reshape(-1, 2) * 10 + 0.5
    return SlidePlaces(
        path,
        name,
        (400, 300),
        0.25,
        f"p{name}",
        "A",
        split,
        None,
        centres,
        np.arange(places) % 2,
        np.zeros((places, 2)),
    )


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Three slides, one of each part."""
    parts = zip("abc", ("train", "val", "test"), strict=True)
    slides = [slide(tmp_path, f"=1+{name}.tif", part) for name, part in parts]
    write_places(tmp_path / "index", slides, {"why": 1}, side=64, mpp=0.5)
    return tmp_path / "index"


def test_an_index_comes_back(index: Path) -> None:
    data = read_places(index)
    assert data.classes == ("normal", "tumour")
    assert list(data.sets) == ["train", "val", "test"]
    train = data.of("train")
    assert train.side == 64
    assert train.labels.tolist() == [0, 1, 0, 1]
    assert set(train.slides) == {"p=1+a.tif"}
    assert train.columns["scanner"] == ["A"] * 4
    assert train.names[1] == "=1+a.tif:20,30"
    where = train.in_slides
    assert where is not None
    assert where.mpp == 0.5
    assert where.mpps == (0.25,)
    assert where.sizes == ((400, 300),)
    assert where.paths[0].samefile(index.parent / "=1+a.tif")
    np.testing.assert_array_equal(where.centres[:2], [[0.5, 10.5], [20.5, 30.5]])
    assert (where.truths, where.about, where.tumour.tolist()) == ((None,), {"why": 1}, [0] * 4)
    assert read_patches(index, "x", Folders(("no", "yes"))).classes == ("no", "yes")


def test_another_place_is_another_fingerprint(index: Path) -> None:
    before = read_places(index).fingerprint
    text = (index / "places.csv").read_text()
    (index / "places.csv").write_text(text.replace(",20.50,", ",21.50,", 1))
    assert read_places(index).fingerprint != before


def test_a_moved_tree_is_found(index: Path, tmp_path: Path) -> None:
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    assert len(read_places(moved / "index").of("val")) == 4
    (moved / "=1+b.tif").unlink()
    with pytest.raises(DataError, match=r"no slide .*=1.b\.tif; move the slides back"):
        read_places(moved / "index")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("places.csv", "20.50", "x", "line 3 is no place"),
        ("places.csv", "20.50", "nan", "line 3 is no place of label 0 or 1"),
        ("places.csv", "30.50,1,", "30.50,2,", "line 3 is no place of label 0 or 1"),
        ("places.csv", "'=1+a", "'=1+z", "line 2 is no place"),
        ("places.csv", "slide,x", "slide,a", "has not the columns"),
        ("slides.csv", ",train,", ",trian,", "split is 'trian'"),
        ("slides.csv", ",0.25,", ",0,", "width, height or mpp is no size"),
        ("slides.csv", "scanner", "camera", "has no column scanner"),
        ("index.json", '"side": 64', '"side": 4', "states a side of 4 px"),
        ("index.json", '"format": 1', '"format": 2', "no index of places of format 1"),
        ("index.json", "{", "", "index.json"),
    ],
)
def test_what_was_changed_by_hand_is_one_line(
    index: Path, file: str, old: str, new: str, words: str
) -> None:
    text = (index / file).read_text()
    assert old in text
    (index / file).write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=words) as caught:
        read_places(index)
    assert "\n" not in str(caught.value)


def test_a_part_without_a_class_is_an_error(tmp_path: Path) -> None:
    own = slide(tmp_path, "a.tif", "train")
    own = replace(own, labels=np.zeros(4, np.int64))
    write_places(tmp_path / "index", [own], {}, side=64, mpp=0.5)
    with pytest.raises(DataError, match="no patch of train is of class tumour"):
        read_places(tmp_path / "index")


def test_only_an_index_is_replaced(index: Path) -> None:
    write_places(index, [slide(index.parent, "n.tif", "test")], {}, side=32, mpp=1)
    assert list(read_places(index).sets) == ["test"]
    other = index.parent / "other"
    other.mkdir()
    (other / "mine.txt").touch()
    with pytest.raises(DataError, match="holds other files than an index of places"):
        write_places(other, [], {}, side=32, mpp=1)
    assert (other / "mine.txt").exists()
