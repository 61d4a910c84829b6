"""Folders of maps: what belongs together, and the truth of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midog.errors import DataError, DetectionsError
from midog.evaluation.heatmap_folder import find_maps, require_apart, score_maps, truth_of
from midog.inference.jobs import Job
from tests.heatmap.drawn import TUMOUR, slide, write, write_xml
from tests.heatmap.test_make_maps import maker


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with maps of a (tumour) and case/b (none) in out/, and the truth of a in truth/."""
    root = tmp_path_factory.mktemp("maps")
    jobs = [
        Job(write(root / "slides" / "a.tif", slide())),
        Job(
            write(root / "slides" / "case" / "b.tif", slide(1100, 760, tumour=False)),
            file_name="case/b.tif",
        ),
    ]
    assert maker(root).make(jobs).failed == {}
    write_xml(root / "truth" / "a.xml", [TUMOUR])
    return root


def test_maps_are_found_by_their_slides_names(made):
    maps = find_maps(made / "out")
    assert [own.name for own in maps] == ["a", "case/b"]
    assert all(own.record is not None for own in maps)
    assert [own.name for own in find_maps(made / "out" / "a.heatmap.tif")] == ["a"]


def test_a_folder_without_maps_is_one_line(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DetectionsError, match="has no heat map"):
            find_maps(path)


def test_slides_without_truth_are_normal_only_if_that_is_stated(made):
    maps = find_maps(made / "out")
    with pytest.raises(DataError, match="no truth of 1 of 2 slides: case/b"):
        score_maps(maps, made / "truth")
    scored = score_maps(maps, made / "truth", normal=True)
    assert [own.has_tumour for own in scored.maps] == [True, False]
    assert (scored.class_name, scored.threshold) == ("tumour", 0.5)
    assert scored.maps[0].score > 0.9 > 0.1 > scored.maps[1].score
    with pytest.raises(DataError, match="no truth of 1 of 1 slides"):
        score_maps(maps[1:], made / "truth", normal=True)
    with pytest.raises(DataError, match="is no folder"):
        score_maps(maps, made / "nowhere")


def test_truth_lies_at_the_top_or_in_the_folder_of_the_slide(made, tmp_path):
    assert truth_of(made / "truth", "case/a") == made / "truth" / "a.xml"
    own = write_xml(tmp_path / "case" / "b.c.xml", [TUMOUR])
    assert truth_of(tmp_path, "case/b.c") == own
    assert truth_of(tmp_path, "b.c") is None


def test_maps_of_several_models_are_not_scored_together(made, tmp_path):
    copied = tmp_path / "out"
    copied.mkdir()
    for path in (made / "out").glob("a.heatmap.*"):
        (copied / path.name).write_bytes(path.read_bytes())
        (copied / path.name.replace("a.", "z.")).write_bytes(path.read_bytes())
    record = json.loads((copied / "z.heatmap.json").read_text())
    record["made_from"]["stride"] = 99
    (copied / "z.heatmap.json").write_text(json.dumps(record))
    with pytest.raises(DetectionsError, match="made with another stride"):
        find_maps(copied)


def test_a_threshold_is_not_chosen_on_what_is_scored(made, tmp_path):
    maps = find_maps(made / "out")
    require_apart(maps[:1], maps[1:])
    moved = tmp_path / "valid"
    moved.mkdir()
    for path in (made / "out").glob("a.heatmap.*"):
        (moved / path.name.replace("a.", "other.")).write_bytes(path.read_bytes())
    with pytest.raises(DetectionsError, match="the threshold would be chosen on it"):
        require_apart(maps, find_maps(moved))
