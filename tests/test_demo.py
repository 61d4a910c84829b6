"""The demo, small: everything that it promises exists, and it is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog import demo
from midog.errors import DataError
from midog.locks import being_written, held_file

SMALL = [
    "train.epochs=1",
    "sampling.patch_size=64",
    "sampling.patches_per_roi=4",
    "inference.tile=256",
]


def run(out: Path, seed: int = 0, overwrite: bool = False) -> tuple[demo.DemoResult, list[str]]:
    said: list[str] = []
    result = demo.run_demo(
        out,
        seed=seed,
        device="cpu",
        overwrite=overwrite,
        say=said.append,
        rois_per_scanner=3,
        size=256,
        overrides=SMALL,
    )
    return result, said


def test_the_demo_makes_what_it_says_and_a_second_one_trains_nothing_again(tmp_path):
    out = tmp_path / "demo"
    result, said = run(out)
    assert list(result.evaluation.groups) == ["all", "Phantom A", "Phantom B", "Phantom C"]
    text = "\n".join(result.closing)
    assert "tensorboard --logdir" in text
    assert "which it did not" in text
    detections = ("detections/003.json", "detections/003.overlay.jpg")
    for place in ("data/split.csv", "runs/demo/best/model.json", *detections, "report.html"):
        assert (out / place).is_file(), place
    assert any("training" in line for line in said)
    trained = (out / "runs" / "demo" / "last.ckpt").stat().st_mtime_ns
    again, said = run(out)
    assert again.evaluation.to_dict() == result.evaluation.to_dict()
    assert not any("training" in line for line in said)
    assert (out / "runs" / "demo" / "last.ckpt").stat().st_mtime_ns == trained
    with pytest.raises(DataError, match="holds the demo of seed 0; use overwrite=True"):
        run(out, seed=1)


def test_what_a_killed_demo_left_does_not_stop_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "draw_phantom", lambda data, **_: data.mkdir())
    (tmp_path / f".midog-demo.{'0' * 32}.part").write_text("")
    assert demo._draw(tmp_path, 0, 3, 256, lambda line: None) == tmp_path / "data"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".midog-demo", "data"]


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="holds no demo"):
            run(tmp_path, overwrite=overwrite)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_overwrite_starts_anew(tmp_path):
    out = tmp_path / "demo"
    out.mkdir()
    (out / ".midog-demo").write_text("5\n")
    (out / "mine.txt").write_text("notes")
    (out / "runs" / "demo").mkdir(parents=True)
    (out / "runs" / "demo" / "old").write_text("")
    (out / "data").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("")
    run(out, overwrite=True)
    assert not (out / "runs" / "demo" / "old").exists()
    assert (out / "mine.txt").read_text() == "notes", "only what a demo makes is deleted"
    assert (tmp_path / "elsewhere" / "kept").is_file()
    assert list(out.glob(".*.part")) == []


def test_two_demos_do_not_fill_one_folder(tmp_path):
    out = tmp_path / "demo"
    out.mkdir()
    with (
        held_file(out / ".midog-demo.lock", being_written(out)),
        pytest.raises(DataError, match=r"another process is writing .*demo/; wait until"),
    ):
        run(out)
    assert [path.name for path in out.iterdir()] == [".midog-demo.lock"]
