"""COCO files are those that pycocotools reads."""

from __future__ import annotations

import json
from pathlib import Path

from pycocotools.coco import COCO

from midog.formats.coco import write_coco
from tests.formats.cases import NOTHING, SOME, TOLD


def test_coco_file_is_one_that_pycocotools_reads(tmp_path: Path) -> None:
    path = tmp_path / "001.coco.json"
    write_coco(path, SOME, file_name="001.tiff", width=400, height=350)
    coco = COCO(str(path))
    assert coco.loadImgs(1)[0]["file_name"] == "001.tiff"
    assert [coco.cats[key]["name"] for key in (1, 2)] == ["mitotic figure", "non-mitotic figure"]
    rows = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert [row["score"] for row in rows] == [0.3, 0.9, 0.7, 0.95]
    assert [row["category_id"] for row in rows] == [1, 1, 1, 2]
    assert rows[0]["bbox"] == [75, 25, 50, 50]
    assert rows[0]["area"] == 2500
    assert len(coco.loadRes(json.loads(path.read_text())["annotations"]).anns) == 4


def test_coco_file_without_detections(tmp_path: Path) -> None:
    write_coco(tmp_path / "a.coco.json", NOTHING, file_name="001.tiff", width=400, height=350)
    assert COCO(str(tmp_path / "a.coco.json")).getAnnIds() == []


def test_coco_tells_the_kinds_of_figures_where_they_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a.coco.json"
    write_coco(path, SOME, file_name="a.tiff", width=400, height=350, atypical=TOLD)
    rows = COCO(str(path)).dataset["annotations"]
    assert [row.get("kind") for row in rows] == [None, "normal", "atypical", None]
    assert [row.get("atypical_probability") for row in rows] == [None, 0.25, 0.75, None]
