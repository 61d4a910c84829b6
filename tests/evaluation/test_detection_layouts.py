"""Every layout in which the field hands detections on is found, and what is none is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from midog.errors import DetectionsError
from midog.evaluation.detection_layouts import images_in, jobs_of, sources_in
from midog.evaluation.points import score_rois
from midog.metrics.counts import Counts
from tests.evaluation.cases import YES, roi, total, write

ROIS = [roi("a.tiff", [(100, 120), (300, 300)]), roi("b.tiff", [(400, 90)])]
PX = {"a": [(100, 120), (300, 300)], "b": [(400, 90)]}


def points(stem: str) -> list[dict[str, Any]]:
    return [
        {"point": [x * 0.00025, y * 0.00025, 0], "probability": 0.9, "name": YES}
        for x, y in PX[stem]
    ]


def job(stem: str, **changes: Any) -> dict[str, Any]:
    """A job of grand-challenge, as its predictions.json lists it."""
    interface = {"slug": "mitotic-figures", "relative_path": "mitotic-figures.json"}
    image = {"interface": {"slug": "generic-medical-image"}, "image": {"name": f"{stem}.tiff"}}
    outputs = [{"interface": {"slug": "heat-map"}}, {"interface": interface}]
    return {"pk": f"pk-{stem}", "inputs": [image], "outputs": outputs} | changes


def job_files(folder: Path, where: str = "output") -> None:
    for stem, px in PX.items():
        file = folder / f"pk-{stem}" / where / "mitotic-figures.json"
        write(file, *((x, y, 0.9, YES) for x, y in px))


def put(path: Path, tree: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
    return path


ALL = Counts(3, 0, 0)


@pytest.mark.parametrize("name", ["mitotic-figures.json", "results.json"])
@pytest.mark.parametrize("ending", [".tiff", ""])
def test_one_file_keyed_by_image(tmp_path: Path, name, ending, caplog) -> None:
    whole = {f"{stem}{ending}": {"type": "Multiple points", "points": points(stem)} for stem in PX}
    path = put(tmp_path / name, whole)
    assert total(score_rois(tmp_path, ROIS)) == ALL
    assert total(score_rois(path, ROIS)) == ALL
    put(path, {f"{stem}{ending}": points(stem) for stem in PX})
    assert total(score_rois(tmp_path, ROIS)) == ALL
    assert caplog.text == ""
    put(path, whole | {"c.tiff": {"points": []}})
    assert total(score_rois(tmp_path, ROIS)) == ALL
    assert f"{name} (c.tiff)" in caplog.text


def test_an_image_of_a_keyed_file_is_named_where_its_points_are_wrong(tmp_path: Path) -> None:
    put(tmp_path / "all.json", {"a.tiff": {"points": points("a")}, "b.tiff": {"boxes": []}})
    with pytest.raises(DetectionsError, match=r"all\.json b\.tiff has no list `points`"):
        score_rois(tmp_path, ROIS)


@pytest.mark.parametrize("where", ["output", "outputs", "."])
@pytest.mark.parametrize("key", ["interface", "socket"])
def test_jobs_of_grand_challenge(tmp_path: Path, where, key, caplog) -> None:
    job_files(tmp_path, where)
    jobs = json.dumps([job(stem) for stem in PX]).replace('"interface"', f'"{key}"')
    path = put(tmp_path / "predictions.json", jobs)
    assert total(score_rois(tmp_path, ROIS)) == ALL
    assert total(score_rois(path, ROIS)) == ALL
    assert caplog.text == ""


def test_jobs_whose_points_are_in_the_list_itself(tmp_path: Path) -> None:
    interface = {"slug": "mitotic-figures"}
    jobs = [
        job(stem, outputs=[{"interface": interface, "value": {"points": points(stem)}}])
        for stem in PX
    ]
    put(tmp_path / "predictions.json", jobs)
    assert total(score_rois(tmp_path, ROIS)) == ALL


def test_a_job_without_output_is_a_missing_roi(tmp_path: Path) -> None:
    job_files(tmp_path)
    (tmp_path / "pk-b" / "output" / "mitotic-figures.json").unlink()
    put(tmp_path / "predictions.json", [job(stem) for stem in PX])
    with pytest.raises(DetectionsError, match=r"has no detections for b\.tiff"):
        score_rois(tmp_path, ROIS)


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ("{", "not JSON"),
        ("5", "no list of jobs"),
        ([5], "job 1 has no list `inputs`"),
        ([job("a"), {"pk": "x"}], "job 2 has no list `inputs`"),
        ([job("a", inputs=[{"image": {"name": 5}}, 7])], "job 1 has no input with an image's name"),
        ([job("a", pk="../x")], "outside the folder"),
        ([job("a", pk="..")], "outside the folder"),
    ],
)
def test_what_is_no_list_of_jobs_is_an_error(tmp_path: Path, tree, says) -> None:
    path = put(tmp_path / "predictions.json", tree)
    with pytest.raises(DetectionsError) as error:
        jobs_of(path)
    assert says in str(error.value)
    assert "predictions.json" in str(error.value)


def test_an_roi_may_be_named_as_the_list_of_jobs(tmp_path: Path) -> None:
    write(tmp_path / "predictions.json", (100, 100, 0.9, YES))
    one = [roi("predictions.tiff", [(100, 100)])]
    assert total(score_rois(tmp_path, one)) == Counts(1, 0, 0)


@pytest.mark.parametrize("place", ["a/mitotic-figures.json", "output/a/mitotic-figures.json"])
def test_job_folders_named_as_the_roi(tmp_path: Path, place) -> None:
    write(tmp_path / place, (100, 120, 0.9, YES), (300, 300, 0.9, YES))
    write(tmp_path / "b" / "output" / "mitotic-figures.json", (400, 90, 0.9, YES))
    assert total(score_rois(tmp_path, ROIS)) == ALL


def test_a_stray_file_is_left_out(tmp_path: Path, caplog) -> None:
    for stem, px in PX.items():
        write(tmp_path / f"{stem}.json", *((x, y, 0.9, YES) for x, y in px))
    put(tmp_path / "notes.json", "{")
    put(tmp_path / "more" / "notes.json", {"a.tiff": 5})
    assert total(score_rois(tmp_path, ROIS)) == ALL
    assert "left out 2 of 4 files" in caplog.text


def test_hidden_folders_and_links_back_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "a.json")
    write(tmp_path / ".midog-infer" / "a.json")
    (tmp_path / "back").symlink_to(tmp_path)
    assert [source.where.name for source in sources_in(tmp_path)] == ["a.json"]


def test_a_file_of_one_image_is_not_keyed(tmp_path: Path) -> None:
    assert images_in(put(tmp_path / "a.json", {"points": []})) == []
    assert images_in(put(tmp_path / "a.json", [1])) == []
    assert images_in(put(tmp_path / "a.json", "{")) == []
