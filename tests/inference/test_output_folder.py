"""One folder never mixes detections of two models, thresholds or um/px, whoever fills it when."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from midog.errors import DetectionsError
from midog.inference import output_entries, output_folder
from midog.inference.image_identity import state_of
from midog.inference.output_folder import OutputFolder

A, B = {"weights": "aaaa", "threshold": 0.5}, {"weights": "bbbb", "threshold": 0.5}


def image(path: Path, stem: str, content: str = "") -> Path:
    """A file that stands for an image, outside the folder."""
    place = path.parent / "images" / f"{stem}.tiff"
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists() or place.read_text() != (content or stem):
        place.write_text(content or stem)
    return place


def finish(
    folder: OutputFolder,
    stem: str,
    source: Path,
    mpp: float | None = None,
    formats: tuple[str, ...] = ("challenge",),
) -> None:
    folder.finish(stem, source, state_of(source), mpp, formats)


def done(
    folder: OutputFolder,
    stem: str,
    mpp: float | None = None,
    formats: tuple[str, ...] = ("challenge",),
) -> bool:
    return folder.is_done(stem, image(folder.path, stem), mpp, formats)


def fill(
    path: Path,
    settings: dict,
    stems: Iterable[str],
    mpp: float | None = None,
    overwrite: bool = False,
) -> OutputFolder:
    """Write a file for each stem, as a detector of these settings would."""
    folder = OutputFolder(path, settings, list(stems), overwrite=overwrite)
    for stem in stems:
        if not done(folder, stem, mpp):
            folder.begin(stem, mpp, ["challenge"])
            (path / f"{stem}.json").write_text(settings["weights"])
            finish(folder, stem, image(path, stem), mpp)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_done_images_are_known_again(out):
    fill(out, A, "12")
    again = OutputFolder(out, A, ["1", "2", "3"], overwrite=False)
    assert [done(again, stem) for stem in "123"] == [True, True, False]
    assert not done(again, "1", formats=("challenge", "csv")), "there is no CSV"
    assert not done(OutputFolder(out, A, ["1"], overwrite=True), "1")


def test_another_image_of_the_same_name_is_not_taken_for_it(out):
    fill(out, A, "1")
    other = image(out, "1", "other pixels")
    with pytest.raises(
        DetectionsError, match=r"another image named 1\.tiff; choose another out, or overwrite=True"
    ):
        OutputFolder(out, A, ["1"], overwrite=False).is_done("1", other, None, ["challenge"])
    assert not OutputFolder(out, A, ["1"], overwrite=True).is_done("1", other, None, ["challenge"])
    assert (out / "1.json").read_text() == "aaaa", "nothing is lost"


def test_another_model_is_refused_unless_it_overwrites_all(out):
    fill(out, A, "12")
    with pytest.raises(
        DetectionsError, match="made with another weights; choose another out, or overwrite=True"
    ):
        OutputFolder(out, B, ["1", "2"], overwrite=False)
    with pytest.raises(DetectionsError, match="holds detections of 1 other images"):
        OutputFolder(out, B, ["1"], overwrite=True)
    assert (out / "2.json").read_text() == "aaaa"
    fill(out, B, "12", overwrite=True)
    assert {path.read_text() for path in out.glob("[0-9].json")} == {"bbbb"}


def test_an_overwriting_that_stops_leaves_no_file_of_the_other_model(out):
    fill(out, A, "12")
    OutputFolder(out, B, ["1", "2"], overwrite=True).begin("1", None, ["challenge"])
    again = OutputFolder(out, B, ["1", "2"], overwrite=False)
    assert not done(again, "1")
    assert not done(again, "2")
    assert list(out.glob("[0-9].json")) == []


def test_another_mpp_is_done_again(out):
    folder = fill(out, A, "1", mpp=0.25)
    assert done(folder, "1", 0.25)
    assert not done(folder, "1", 0.5)
    assert not done(folder, "1")
    folder.begin("1", 0.5, ["challenge"])
    assert not (out / "1.json").exists(), "what then fails is not taken for done"


def test_files_of_a_third_party_are_not_taken_for_done(out):
    out.mkdir()
    (out / "1.json").write_text("theirs")
    assert not done(OutputFolder(out, A, ["1"], overwrite=False), "1")
    (out / ".midog-infer.json").write_text("{")
    assert not done(OutputFolder(out, A, ["1"], overwrite=False), "1")


NOT_SETTINGS = [
    '{"settings": 5, "digest": "x"}',
    '{"settings": {"weights": 5}, "digest": "x"}',
    '{"settings": {"weights": "aaab", "threshold": 0.5}, "digest": "0123456789abcdef"}',
    '{"settings": null}',
    "[" * 10000,
    "",
]


@pytest.mark.parametrize("damage", NOT_SETTINGS)
def test_a_record_that_is_damaged_is_made_anew_with_a_line(out, damage, caplog):
    fill(out, A, "12")
    (out / ".midog-infer.json").write_text(damage)
    again = OutputFolder(out, A, ["1", "2"], overwrite=False)
    assert ".midog-infer.json is damaged and made anew" in caplog.text
    assert done(again, "1"), "the entries state their settings as well"
    assert output_folder.read_settings(out) == A


def test_a_lost_record_does_not_let_another_model_in(out):
    fill(out, A, "12")
    (out / ".midog-infer.json").unlink()
    with pytest.raises(DetectionsError, match="made with another model or setting; choose"):
        OutputFolder(out, B, ["1"], overwrite=False)
    with pytest.raises(DetectionsError, match="of 1 other images"):
        OutputFolder(out, B, ["1"], overwrite=True)
    fill(out, B, "12", overwrite=True)
    assert output_folder.read_settings(out) == B


@pytest.mark.parametrize("content", ["", "\0" * 4, '{"points": [', "bbbb"])
def test_a_file_that_is_damaged_is_made_anew_with_a_line(out, content, caplog):
    fill(out, A, "12")
    (out / "1.json").write_text(content)
    again = OutputFolder(out, A, ["1", "2"], overwrite=False)
    assert not done(again, "1")
    assert f"{out / '1.json'} is damaged: the image is detected in again" in caplog.text
    assert done(again, "2")


def test_a_file_that_was_edited_is_kept_with_a_line(out, caplog):
    fill(out, A, "1")
    (out / "1.json").write_text('{"points": []}')
    assert done(OutputFolder(out, A, ["1"], overwrite=False), "1")
    assert "1.json was changed since it was written, and is kept" in caplog.text


def test_an_image_that_was_replaced_but_for_its_ends_is_another(out):
    ends = "x" * 70_000
    source = image(out, "1", f"{ends}A{ends}")
    folder = OutputFolder(out, A, ["1"], overwrite=False)
    (out / "1.json").write_text("aaaa")
    finish(folder, "1", source)
    assert folder.is_done("1", source, None, ["challenge"])
    image(out, "1", f"{ends}B{ends}")
    with pytest.raises(DetectionsError, match="of another image named 1"):
        folder.is_done("1", source, None, ["challenge"])


def test_an_image_that_is_changed_while_it_is_read_is_not_done(out):
    folder = OutputFolder(out, A, ["1"], overwrite=False)
    source = image(out, "1")
    before = state_of(source)
    (out / "1.json").write_text("aaaa")
    image(out, "1", "another")
    with pytest.raises(DetectionsError, match=r"1\.tiff was changed while it was read"):
        folder.finish("1", source, before, None, ["challenge"])
    assert not done(folder, "1")


def test_formats_of_one_image_from_several_processes_are_all_recorded(out):
    folder = OutputFolder(out, A, ["1"], overwrite=False)
    for name, ending in (("challenge", ".json"), ("csv", ".csv")):
        (out / f"1{ending}").write_text("aaaa")
        finish(folder, "1", image(out, "1"), formats=(name,))
    assert done(folder, "1", formats=("challenge", "csv"))


def test_images_in_folders_have_files_and_entries_of_their_own(out):
    for stem in ("01/01", "02/01"):
        (out / stem).parent.mkdir(parents=True)
    fill(out, A, ["01/01", "02/01"])
    again = OutputFolder(out, A, ["01/01", "02/01"], overwrite=False)
    assert all(done(again, stem) for stem in ("01/01", "02/01"))
    with pytest.raises(DetectionsError, match=r"of 1 other images \(02/01, …\)"):
        OutputFolder(out, B, ["01/01"], overwrite=True)


def test_a_file_of_another_image_is_neither_replaced_nor_deleted(out):
    """slide.coco.json is the file of slide.coco.tiff, and the COCO file of slide.tiff."""
    fill(out, A, ["slide.coco"])
    folder = OutputFolder(out, A, ["slide"], overwrite=True)
    with pytest.raises(DetectionsError, match=r"slide\.coco\.json holds detections of another"):
        folder.begin("slide", None, ["challenge", "coco"])
    folder.begin("slide", None, ["challenge"])
    assert (out / "slide.coco.json").exists()


def test_a_folder_that_is_whole_is_opened_without_writing(out, monkeypatch):
    """It may lie on a disk that cannot be written to."""
    fill(out, A, "12")

    def refuse(*_: object) -> None:
        raise OSError("read-only file system")

    for module in (output_folder, output_entries):
        monkeypatch.setattr(module, "replace_text", refuse)
    again = OutputFolder(out, A, ["1", "2"], overwrite=False)
    assert done(again, "1")
    assert done(again, "2")
    with pytest.raises(DetectionsError, match="read-only"):
        OutputFolder(out, B, ["1", "2"], overwrite=True)


def test_an_entry_of_other_settings_is_not_taken_for_done(out):
    """A process that was under way while another one overwrote the folder leaves such an entry."""
    slow = fill(out, A, "1")
    fill(out, B, "1", overwrite=True)
    with pytest.raises(DetectionsError, match=r"process overwrites .* with another weights"):
        slow.begin("1", None, ["challenge"])
    finish(slow, "1", image(out, "1"))
    again = OutputFolder(out, B, ["1"], overwrite=False)
    assert not done(again, "1")
    again.begin("1", None, ["challenge"])
    assert not (out / "1.json").exists()


@pytest.mark.parametrize("damage", ["", "{", "[1]", "{}"])
def test_an_entry_that_is_not_whole_is_not_taken_for_done(out, damage):
    fill(out, A, "1")
    (out / output_entries.ENTRIES_NAME / "1.json").write_text(damage)
    again = OutputFolder(out, A, ["1"], overwrite=False)
    assert not done(again, "1")


def fill_some(path: Path, stems: list[str], start: Barrier) -> None:
    start.wait()
    folder = OutputFolder(path, A, stems, overwrite=False)
    for stem in stems:
        source = path.parent / "images" / f"{stem}.tiff"
        if not folder.is_done(stem, source, None, ["challenge"]):
            folder.begin(stem, None, ["challenge"])
            (path / f"{stem}.json").write_text(stem)
            finish(folder, stem, source)


def test_several_processes_fill_one_folder_at_once(out):
    stems = [str(number) for number in range(120)]
    for stem in stems:
        image(out, stem)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(4)
    shares = [stems[:50], stems[40:90], stems[80:], stems[::-1]]  # some images are in several
    workers = [context.Process(target=fill_some, args=(out, share, start)) for share in shares]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    again = OutputFolder(out, A, stems, overwrite=False)
    assert all(done(again, stem) for stem in stems)
    assert {path.read_text() for path in out.glob("[!.]*.json")} == set(stems)
    assert not list(out.rglob("*.part"))


def open_folder(path: Path, settings: dict, start: Barrier) -> None:
    for number in range(20):
        start.wait()
        try:
            OutputFolder(path / str(number), settings, ["1"], overwrite=False)
        except DetectionsError:
            (path / f"{number}-{settings['weights']}-refused").touch()


def test_of_two_models_that_open_a_new_folder_at_once_one_is_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    workers = [
        context.Process(target=open_folder, args=(tmp_path, settings, start)) for settings in (A, B)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    for number in range(20):
        refused = [path.name.split("-")[1] for path in tmp_path.glob(f"{number}-*-refused")]
        recorded = output_folder.read_settings(tmp_path / str(number))
        assert sorted([recorded["weights"], *refused]) == ["aaaa", "bbbb"]


def test_recording_costs_one_small_write_per_image(out, monkeypatch):
    written: list[int] = []
    real = output_folder.replace_text

    def count(path: Path, text: str, *rest: object, **options: object) -> None:
        written.append(len(text))
        real(path, text, *rest, **options)

    for module in (output_folder, output_entries):
        monkeypatch.setattr(module, "replace_text", count)
    costs = {}
    for number in (10, 100):
        written.clear()
        path = out / str(number)
        stems = [f"{index:03d}" for index in range(number)]
        fill(path, A, stems)
        assert len(written) == 1 + number, "the settings, and an entry for each image"
        costs[number] = sum(written[1:])
        written.clear()
        fill(path, A, stems)
        assert written == [], "all are done"
    assert costs[100] == 10 * costs[10]


def test_what_a_killed_process_left_half_written_goes_in_time(out):
    fill(out, A, "1")
    left = [out / f".1.json.{'0' * 32}.part", out / ".midog-infer" / f".1.json.{'1' * 32}.part"]
    for path in left:
        path.write_text("{")
    fill(out, A, "1")
    assert all(path.exists() for path in left), "a process at work may have them"
    for path in left:
        os.utime(path, (0, 0))
    fill(out, A, "1")
    assert not any(path.exists() for path in left)


def test_it_goes_in_case_folders_as_well(out):
    (out / "case").mkdir(parents=True)
    fill(out, A, ["case/1"])
    left = [
        out / "case" / f".1.json.{'0' * 32}.part",
        out / ".midog-infer" / "case" / f".1.json.{'1' * 32}.part",
    ]
    for path in left:
        path.write_text("{")
    fill(out, A, ["case/1"])
    assert all(path.exists() for path in left), "a process at work may have them"
    for path in left:
        os.utime(path, (0, 0))
    fill(out, A, ["2"])
    assert all(path.exists() for path in left), "folders of other images are not looked at"
    fill(out, A, ["case/1"])
    assert not any(path.exists() for path in left)
