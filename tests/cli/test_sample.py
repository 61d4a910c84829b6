"""`midog patches sample` prints what it took of which slide; nonsense gets one line."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.spoiled import one_line
from tests.tumour.slides import write_tumour_slide

WINDOWS = ["--side", 32, "--stride", 32, "--centre", 16, "--per-slide", 20]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two slides with tumour, one without, with slides/ and annotations/."""
    home = tmp_path_factory.mktemp("home")
    for name in ("tumor_1", "tumor_2", "normal_1"):
        write_tumour_slide(home, name, name.startswith("tumor"))
    return home


def test_a_folder_is_sampled(midog, folder, tmp_path):
    words = ["--out", tmp_path / "places", *WINDOWS, "--without-truth", "normal"]
    ran = midog("patches", "sample", folder, *words)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].split()[:5] == ["slide", "split", "truth", "normal", "tumour"]
    assert lines[-1].split()[:3] == ["all", "60", "40"]
    assert f"midog patches train --data {tmp_path}/places --set data.mpp=1" in ran.err
    index = json.loads((tmp_path / "places" / "index.json").read_text())
    assert (index["side"], index["mpp"], index["about"]["stride"]) == (32, 1, 32)


def test_slides_and_truth_are_named(midog, folder, tmp_path):
    slides = sorted((folder / "slides").glob("tumor*"))
    annotations = shutil.copytree(folder / "annotations", tmp_path / "annotations")
    words = ["--out", tmp_path / "p", "--truth", annotations, *WINDOWS]
    assert midog("patches", "sample", *slides, *words).code == 0
    xml = annotations / "tumor_1.xml"
    xml.write_text(xml.read_text().replace('"_0"', '"DCIS"'))
    ran = midog("patches", "sample", *slides, *words)
    line = one_line(ran)
    assert "group 'DCIS', and nothing states whether that is tumour" in line
    assert 'state it with --groups, such as "DCIS=tumour"' in line
    assert midog("patches", "sample", *slides, *words, "--groups", "DCIS=tumour").code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "state that they are without tumour with --without-truth normal"),
        (["--centre", 64], "larger than windows of 32 px; choose a smaller --centre"),
        (["--tissue", "skin"], "tissue 'skin' is no choice and no file"),
        (["--truth", "nowhere"], "there is no folder nowhere"),
        (["--split", "none.csv"], "none.csv"),
    ],
)
def test_nonsense_is_one_line(midog, folder, tmp_path, words, expected):
    ran = midog("patches", "sample", folder, "--out", tmp_path / "p", *WINDOWS, *words)
    assert expected in one_line(ran)
    assert not (tmp_path / "p").exists()


def test_slides_alone_need_truth(midog, folder, tmp_path):
    ran = midog("patches", "sample", folder / "slides", "--out", tmp_path / "p")
    assert "nothing states where these slides are tumour; name the folder" in one_line(ran)
    ran = midog("patches", "sample", folder, "--out", tmp_path / "p", "--groups", "a=b")
    assert ran.code == 2
    assert "is not NAME=tumour" in ran.err
