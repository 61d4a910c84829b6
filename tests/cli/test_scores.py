"""The commands about scores: what evaluate, compare and tune print and write, and the line that bad
input gets."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.boxes import centers_of, squares_around
from midog.cli import scores as cli_scores
from midog.data.annotations.read import read_annotations
from midog.evaluation import scoring, tuning
from midog.inference.detector import Detector
from midog.inference.output_folder import RECORD_NAME, write_settings
from tests.spoiled import copy, one_line

MEASURES = ("precision", "recall", "f1", "ap50", "froc_auc")


def write_points(
    file: Path, *points: tuple[float, float, float], name: str = "mitotic figure"
) -> None:
    """x, y in mm and a score each."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"name": name, "point": [x, y, 0], "probability": score} for x, y, score in points]
    document = {"type": "Multiple points", "points": rows, "version": {"major": 1, "minor": 0}}
    file.write_text(json.dumps(document))


@pytest.fixture
def scored(tmp_path: Path, monkeypatch) -> list[str]:
    """Options for truth.csv and split.csv: scanner X with one figure in each of two patients, Y
    with none.

    Folder a finds both figures, b one of them and a false alarm.
    """
    monkeypatch.chdir(tmp_path)
    Path("truth.csv").write_text(
        "file_name,x,y,label\n1.tiff,100,100,mitotic figure\n2.tiff,100,100,mitotic"
        " figure\n3.tiff,50,50,imposter\n"
    )
    Path("split.csv").write_text(
        "file_name,scanner,patient,split,mpp,tumour\n"
        "1.tiff,X,p1,test,0.25,lung\n2.tiff,X,p2,test,0.25,skin\n3.tiff,Y,p3,test,0.25,skin\n"
    )
    for folder, found in (("a", [1, 2]), ("b", [1])):
        for number in (1, 2, 3):
            write_points(
                Path(folder, f"{number}.json"), *([(0.025, 0.025, 0.9)] if number in found else [])
            )
    write_points(Path("b", "3.json"), (0.0125, 0.0125, 0.8))
    return ["--data", "truth.csv", "--split", "split.csv"]


def tables(out: str) -> list[list[str]]:
    """The lines of each table that is printed, blank lines between them."""
    return [table.splitlines() for table in out.split("\n\n")]


# --- evaluate


def test_evaluate_prints_a_line_for_each_group(midog, scored) -> None:
    ran = midog("evaluate", "b", *scored, "--resamples", 20)
    assert ran.code == 0
    header, *rows = tables(ran.out)[0]
    assert header.split("  ")[0] == "group"
    assert (
        " ".join(header.split()[1:])
        == "ROIs figures TP FP FN precision recall F1 95% interval AP FROC"
    )
    assert [row.split()[:6] for row in rows] == [
        ["all", "3", "2", "1", "1", "1"],
        ["X", "2", "2", "1", "0", "1"],
        ["Y", "1", "0", "0", "1", "0"],
    ]
    assert rows[0].split()[6:9] == ["0.500", "0.500", "0.500"]
    assert len({len(row) for row in (header, *rows)}) == 1, "columns stand below each other"


def test_evaluate_without_resamples_has_no_column_of_intervals(midog, scored) -> None:
    header, *rows = tables(midog("evaluate", "a", *scored, "--resamples", 0).out)[0]
    assert "interval" not in header
    assert rows[0].split() == [
        "all",
        "3",
        "2",
        "2",
        "0",
        "0",
        "1.000",
        "1.000",
        "1.000",
        "1.000",
        "8.000",
    ]


def test_a_scanner_without_figures_gets_a_dash_and_null_not_1(midog, scored) -> None:
    tree = json.loads(midog("evaluate", "a", *scored, "--json", "--resamples", 10).out)
    assert tree["groups"]["all"]["f1"] == 1.0
    y = tree["groups"]["Y"]
    assert {key: y[key] for key in ("rois", "patients", "figures", "tp", "fp", "fn")} == {
        **dict.fromkeys(("rois", "patients"), 1),
        **dict.fromkeys(("figures", "tp", "fp", "fn"), 0),
    }
    assert [y[measure] for measure in MEASURES] == [None] * 5
    assert [y["intervals"][measure] for measure in MEASURES] == [[None, None]] * 5
    row = tables(midog("evaluate", "a", *scored, "--resamples", 10).out)[0][-1]
    assert row.split() == [
        "Y",
        "1",
        "0",
        "0",
        "0",
        "0",
        *["-"] * (3 + 3 + 2),
    ]  # an interval is "- - -"


def test_evaluate_prints_the_false_alarms_of_tissue_without_figures_apart(midog, scored) -> None:
    with Path("truth.csv").open("a") as file:
        file.write("4.tiff,9,9,imposter\n")
    with Path("split.csv").open("a") as file:
        file.write("4.tiff,Y,p4,test,0.25,skin\n")
    write_points(Path("b", "4.json"))
    for number in (3, 4):
        image = np.zeros((400, 1000, 3), np.uint8)
        Image.fromarray(image).save(f"{number}.tiff")
    _, (header, whole, y) = tables(midog("evaluate", "b", *scored, "--resamples", 99).out)
    assert header.split("  ")[0] == "without figures"
    area = 2 * 0.1 * 0.25
    alarms = f"{1 / area:.3f}"
    assert whole.split()[:5] == ["all", "2", f"{area:.3f}", "1", alarms]
    assert y.split() == [
        *["Y", "2", f"{area:.3f}", "1", alarms, "0.000", "-", f"{2 / area:.3f}"],
        *["0.500", "0.000", "-", "1.000", "1", "of", "2", "-"],
    ]
    assert whole.split()[-1] == "1.000", "precision of the ROIs with figures"


def test_evaluate_prints_what_the_threshold_costs(midog, scored) -> None:
    write_points(Path("a", "2.json"), (0.025, 0.025, 0.4), name="non-mitotic figure")
    ran = midog("evaluate", "a", *scored, "--resamples", 0)
    _, (header, whole, x, y), _ = tables(ran.out)
    assert header.split("  ")[0] == "group"
    assert whole.split() == ["all", "0.667", "1.000", "0.200*", "0.333", "0.000"]
    assert x.split()[1:] == whole.split()[1:]
    assert y.split() == ["Y", *["-"] * 5]
    assert "not to be published as F1" in ran.err
    assert "score below 0.4 are not known; * with them" in ran.err


def test_evaluate_says_why_a_threshold_cannot_be_judged(midog, scored) -> None:
    ran = midog("evaluate", "a", *scored, "--resamples", 0)
    assert len(tables(ran.out)) == 2, "no table of what it costs"
    assert "what the threshold costs is not known" in ran.err
    assert "no point below the threshold is written" in ran.err


def test_options_of_evaluate_arrive(midog, scored) -> None:
    words = [
        "--json",
        "--by",
        "tumour,scanner",
        "--threshold",
        0.85,
        "--resamples",
        5,
        "--seed",
        3,
        "--mpp",
        0.25,
    ]
    tree = json.loads(midog("evaluate", "b", *scored, *words).out)
    assert tree["by"] == ["tumour", "scanner"]
    assert tree["threshold"] == 0.85
    assert tree["bootstrap"] == {"unit": "patient", "level": 0.95, "resamples": 5, "seed": 3}
    assert list(tree["groups"]) == ["all", "lung", "lung / X", "skin", "skin / X", "skin / Y"]
    assert tree["groups"]["all"]["fp"] == 0, "its score is 0.8"
    Path("b", "3.json").unlink()
    assert midog("evaluate", "b", *scored, "--allow-missing").code == 0


def test_the_same_command_prints_the_same(midog, scored) -> None:
    words = ["evaluate", "b", *scored, "--json", "--resamples", 50]
    assert midog(*words).out == midog(*words).out


def test_evaluate_writes_a_line_for_each_roi(midog, scored) -> None:
    ran = midog("evaluate", "b", *scored, "--csv", "rois.csv", "--resamples", 0)
    assert ran.code == 0
    assert "scores of each ROI are in rois.csv" in ran.err
    with Path("rois.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [
        (row["file_name"], row["scanner"], row["tp"], row["fp"], row["fn"]) for row in rows
    ] == [
        ("1.tiff", "X", "1", "0", "0"),
        ("2.tiff", "X", "0", "0", "1"),
        ("3.tiff", "Y", "0", "1", "0"),
    ]
    assert rows[2]["recall"] == "", "undefined"
    assert "keys" not in rows[0]


def test_evaluate_writes_one_page(midog, scored) -> None:
    ran = midog("evaluate", "b", *scored, "--report", "page.html", "--json", "--resamples", 10)
    assert ran.code == 0, ran.err
    assert "the report is page.html" in ran.err
    json.loads(ran.out)
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "Scores of " in page


def test_evaluate_writes_a_sheet_of_the_worst_mistakes(midog, scored) -> None:
    words = ["evaluate", "b", *scored, "--resamples", 0, "--sheet", "worst.png"]
    ran = midog(*words, "--worst", 3)
    assert ran.code == 0, ran.err
    assert "the worst mistakes are in worst.png" in ran.err
    assert b"midog sheet of mistakes" in Path("worst.png").read_bytes()[:4096]
    assert midog(*words).code == 0, "it is replaced"
    Path("worst.png").write_bytes(b"another picture")
    assert "is no sheet of midog" in one_line(midog(*words))
    assert midog(*words[:-1], "s.png", "--worst", 25).code == 2


@pytest.mark.parametrize(("option", "name"), [("--csv", "rois.csv"), ("--report", "page.html")])
def test_a_folder_that_is_not_there_is_said_before_the_scoring(
    midog, scored, monkeypatch, option, name
) -> None:
    monkeypatch.setattr(scoring, "evaluate", None)
    ran = midog("evaluate", "a", *scored, option, f"no/{name}")
    assert f"no folder no for {name}; make it, or choose another {option}" in one_line(ran)
    assert ran.out == ""
    assert not Path("no").exists()


def test_files_are_written_before_the_scores_are_printed(midog, scored, monkeypatch) -> None:
    """So that a pipe that closes costs nothing."""
    there: list[bool] = []
    monkeypatch.setattr(
        cli_scores, "print_scores", lambda _: there.extend(Path(n).is_file() for n in ("p", "c"))
    )
    assert (
        midog("evaluate", "a", *scored, "--resamples", 0, "--report", "p", "--csv", "c").code == 0
    )
    assert there == [True, True]


@pytest.mark.parametrize("option", ["--csv", "--report"])
def test_a_place_that_cannot_be_written_gets_one_line_before_the_work(
    midog, scored, option
) -> None:
    ran = midog("evaluate", "a", *scored, "--resamples", 0, option, "a")
    assert "a cannot be written" in one_line(ran)
    assert ran.out == ""
    assert sorted(path.name for path in Path().iterdir()) == ["a", "b", "split.csv", "truth.csv"]


def test_missing_predictions_are_named_unless_allowed(
    midog, phantom, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_points(tmp_path / "theirs" / "003.json", (0.01, 0.01, 0.9))
    line = one_line(midog("evaluate", "theirs", "--data", phantom))
    assert "006.tiff" in line
    assert "--allow-missing" in line
    assert midog("evaluate", "theirs", "--data", phantom, "--allow-missing").code == 0


# --- the field's answers

EPSILON = 1e-6
"""The field's scorer has tp / (tp + fp + eps), tp / (tp + fn + eps) and (2 tp + eps) / (2 tp + fp +
fn + eps)."""


@pytest.fixture(scope="module")
def parity(shared: Path) -> dict:
    return json.loads((shared / "parity" / "parity.json").read_text())


@pytest.fixture
def theirs(parity, tmp_path, monkeypatch) -> list[str]:
    """A stranger's folder and the annotation, written out."""
    monkeypatch.chdir(tmp_path)
    rows, split = ["file_name,x1,y1,x2,y2,label"], ["file_name,scanner,patient,split,mpp"]
    for image in parity["images"]:
        name, scale = image["file_name"], image["mpp"] / 1000
        boxes = squares_around(np.array(image["mitotic_figures_px"]).reshape(-1, 2))
        rows += [",".join([name, *(f"{value:.4f}" for value in box), "1"]) for box in boxes] or [
            name + ",,,,,"
        ]
        split.append(f"{name},{image['scanner']},{name},test,{image['mpp']}")
        points = [(x * scale, y * scale, score) for x, y, score in image["detections_px"]]
        write_points(
            Path("theirs", Path(name).stem, "mitotic-figures.json"),
            *points,
            name="non-mitotic figure",
        )
    Path("truth.csv").write_text("\n".join(rows) + "\n")
    Path("split.csv").write_text("\n".join(split) + "\n")
    return [
        "evaluate",
        "theirs",
        "--data",
        "truth.csv",
        "--split",
        "split.csv",
        "--json",
        "--resamples",
        "0",
    ]


def test_a_strangers_points_get_the_fields_scores_from_files_alone(midog, parity, theirs) -> None:
    """The whole way from files to numbers, every group and threshold.

    Where the field's epsilon matters: it moves a ratio by up to epsilon / denominator. With a
    denominator of 1,000 or more that is below 1e-9, and the ratios are equal; with 4 points in all
    it is 2.5e-7; and 0 / 0, which is undefined here, is 0 (precision, recall) or 1 (F1) there. So
    ours are held to theirs with the epsilon taken out.
    """
    large = small = 0
    for threshold in parity["expected"]["all"]["at_threshold"]:
        groups = json.loads(midog(*theirs, "--threshold", threshold).out)["groups"]
        assert set(groups) == set(parity["expected"])
        for name, expected in parity["expected"].items():
            ours, field = groups[name], expected["at_threshold"][threshold]
            tp, fp, fn = (field[key] for key in ("tp", "fp", "fn"))
            assert (ours["tp"], ours["fp"], ours["fn"]) == (tp, fp, fn)
            assert ours["ap50"] == pytest.approx(expected["ap50"], abs=1e-6)
            assert ours["froc_auc"] == pytest.approx(expected["froc_auc_0_8"], abs=1e-6)
            for measure, extra, whole in (
                ("precision", 0, tp + fp),
                ("recall", 0, tp + fn),
                ("f1", EPSILON, 2 * tp + fp + fn),
            ):
                without = (field[measure] * (whole + EPSILON) - extra) / whole
                assert ours[measure] == pytest.approx(without, abs=1e-9), (name, threshold, measure)
                matters = whole < 1000
                assert ours[measure] == pytest.approx(
                    field[measure], abs=EPSILON / whole if matters else 1e-9
                )
                small, large = small + matters, large + (not matters)
    assert (large, small) == (9, 96)


# --- compare


def test_compare_prints_a_line_for_each_group_and_score(midog, scored) -> None:
    ran = midog("compare", "a", "b", *scored, "--resamples", 30)
    assert ran.code == 0
    header, *rows = (line.split() for line in ran.out.splitlines())
    assert " ".join(header) == "group score A B A - B 95% interval p"
    assert [row[:2] for row in rows] == [
        [group, measure] for group in ("all", "X", "Y") for measure in MEASURES
    ]
    assert rows[1][2:5] == ["1.000", "0.500", "+0.500"]
    assert rows[-1][2:] == ["-", "-", "-", "-", "to", "-", "-"]


def test_compare_with_itself_finds_nothing(midog, scored) -> None:
    rows = [
        line.split()
        for line in midog("compare", "b", "b", *scored, "--resamples", 30).out.splitlines()
    ]
    assert rows[1][4:] == ["+0.000", "+0.000", "to", "+0.000", "1.000"]


def test_compare_says_below_the_table_how_p_is_to_be_read(midog, scored) -> None:
    """Three patients in all, two with X and one with Y."""
    ran = midog("compare", "a", "b", *scored, "--resamples", 30)
    assert (
        ran.err.splitlines()[-1]
        == "p: A and B swapped for each of 3 patients; of one row alone, not corrected for many"
        " rows; "
        "with so few patients p cannot fall below 2/2^patients: all 0.250, X 0.500"
    )
    rows = {tuple(line.split()[:2]): line.split()[-1] for line in ran.out.splitlines()}
    assert rows["X", "recall"] == "1.000", (
        "A finds one more for one of the two: both swaps are as far from 0"
    )
    assert rows["Y", "recall"] == "-"
    few = midog("compare", "a", "b", *scored, "--resamples", 6).err.splitlines()[-1]
    assert few.endswith("2/2^patients: X 0.500"), "of 8 swaps 6 are drawn"


def test_compare_of_many_patients_has_no_least_p(midog, scored) -> None:
    rows = [f"{number}.tiff,X,p{number},test,0.25,lung" for number in range(1, 7)]
    Path("split.csv").write_text(
        "\n".join(["file_name,scanner,patient,split,mpp,tumour", *rows]) + "\n"
    )
    points = [f"{number}.tiff,100,100,mitotic figure" for number in range(1, 7)]
    Path("truth.csv").write_text("\n".join(["file_name,x,y,label", *points]) + "\n")
    line = midog(
        "compare", "a", "b", *scored, "--allow-missing", "--resamples", 100
    ).err.splitlines()[-1]
    assert (
        line
        == "p: A and B swapped for each of 6 patients; of one row alone, not corrected for many"
        " rows"
    )


def test_compare_as_json(midog, scored) -> None:
    words = ["--json", "--resamples", 30, "--seed", 2, "--by", "tumour", "--threshold", 0.85]
    tree = json.loads(midog("compare", "a", "b", *scored, *words).out)
    assert list(tree["groups"]) == ["all", "lung", "skin"]
    assert tree["bootstrap"]["seed"] == 2
    recall = tree["groups"]["all"]["recall"]
    assert (recall["a"], recall["b"], recall["difference"]) == (1, 0.5, 0.5)
    assert recall["p"] == 1
    assert 0 < recall["p_bootstrap"] < 1
    assert tree["groups"]["all"]["precision"]["b"] == 1, "the false alarm has 0.8"


def test_compare_names_the_folder_that_lacks_an_roi(midog, scored) -> None:
    Path("b", "2.json").unlink()
    assert "b has no detections for 2.tiff" in one_line(midog("compare", "a", "b", *scored))
    assert "a has no detections" not in midog("compare", "a", "b", *scored).err
    assert midog("compare", "a", "b", *scored, "--allow-missing", "--resamples", 5).code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["compare", "a", "nowhere"], "nowhere is not a folder"),
        (["compare", "a", "b", "--by", "stain"], "no column 'stain'; group by one of scanner"),
        (["compare", "a", "b", "--by", "scanner,scanner"], "names a column twice"),
        (["compare", "a", "b", "--subset", "val"], "no ROI is in val"),
        (["evaluate", "nowhere"], "nowhere is not a folder"),
        (["evaluate", "a", "--by", "stain"], "no column 'stain'; group by one of scanner"),
        (["evaluate", "a", "--by", ","], "names no column"),
        (["evaluate", "a", "--by", "scanner,scanner"], "names a column twice"),
        (["evaluate", "a", "--subset", "tset"], "'tset' is no part of a split"),
        (["tune"], "no ROI is in val"),
        (
            ["tune", "--precision", "0.5", "--fp-per-mm2", "1"],
            "goals; choose --precision or --fp-per-mm2",
        ),
        (["tune", "--precision", "0"], "a precision of 0 is out of range"),
        (["tune", "--fp-per-mm2", "inf"], "inf false positives per mm2 are out of range"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_bad_argument_gets_one_line(midog, scored, words, says) -> None:
    ran = midog(words[0], *words[1:], *scored)
    assert says in one_line(ran)
    assert ran.out == ""


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate"],
        ["evaluate", "a", "--resamples", "-1"],
        ["evaluate", "a", "--threshold", "nan"],
        ["compare", "a"],
        ["evaluate", "a", "--resamples", "20000000"],
        ["compare", "a", "b", "--resamples", "0"],
        ["compare", "a", "b", "--resamples", "20000000"],
        ["tune", "--precision", "1.1"],
    ],
)
def test_a_wrong_command_line_exits_with_2(midog, scored, words) -> None:
    assert midog(*words, *scored).code == 2


# --- tune


@pytest.fixture
def run(model, tmp_path, monkeypatch) -> Path:
    """model.json of a copy of the trained model, in runs/a of the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model / "best", tmp_path / "runs" / "a" / "best")
    shutil.copy(model / "config.yaml", tmp_path / "runs" / "a")
    return tmp_path / "runs" / "a" / "best" / "model.json"


@pytest.fixture(scope="module")
def detector(model: Path) -> Detector:
    return Detector.load(model, device="cpu")


@pytest.fixture
def found(detector, phantom, tmp_path) -> Path:
    """A folder that says it is what the model found in val: in each ROI a false alarm, then the
    figure."""
    folder = tmp_path / "found"
    for each in read_annotations(phantom / "annotations.json").rois:
        if each.file_name not in ("002.tiff", "005.tiff"):
            continue
        (centre,) = centers_of(each.boxes.of_class(1)) * 0.25 / 1000
        write_points(
            folder / f"{Path(each.file_name).stem}.json",
            (0.001, 0.001, 0.75),
            (*centre.tolist(), 0.25),
        )
    write_settings(folder, detector.settings())
    return folder


def test_a_user_tunes_a_model_and_infers_with_the_new_threshold(
    midog, phantom, detector, run
) -> None:
    """With a figure where the model sees one, so that there is something to choose however little
    it has learnt."""
    before = json.loads(run.read_text())
    x, y = detector(phantom / "images" / "002.tiff", mpp=0.25).centers[0]
    Path("truth.csv").write_text(f"file_name,x,y,label\n002.tiff,{x},{y},mitotic figure\n")
    Path("split.csv").write_text("file_name,scanner,patient,split,mpp\n002.tiff,A,p,val,0.25\n")
    words = ["--data", phantom, "--annotations", "truth.csv", "--split", "split.csv"]
    assert (
        "are not those that the model was trained from"
        in midog("tune", *words, "--device", "cpu").err
    )
    words.append("--other-data")
    ran = midog("tune", *words, "--fp-per-mm2", 1000, "--device", "cpu")
    assert ran.code == 0, ran.err
    after = json.loads(run.read_text())
    assert after == before | {"threshold": after["threshold"], "tuned": after["tuned"]}
    assert after["tuned"] == {
        "goal": "highest recall at no more than 1000 false positives per mm2",
        "subset": "val",
        "rois": 1,
    }
    assert (
        f"threshold {before['threshold']:.3f} before, {after['threshold']:.3f} now"
        " (highest" in ran.err
    )
    header, row = (line.split() for line in ran.out.splitlines())
    assert " ".join(header) == "threshold ROIs TP FP FN precision recall F1 FP/mm2"
    assert row[:3] == [f"{after['threshold']:.3f}", "1", "1"]
    assert int(row[3]) / 0.064**2 == pytest.approx(float(row[-1]), abs=1e-3)
    assert float(row[-1]) <= 1000

    ran = midog("infer", phantom / "images" / "002.tiff", "--device", "cpu")
    assert f"threshold {after['threshold']:.3f}" in ran.err


def test_tune_takes_what_was_found_before(midog, phantom, run, found) -> None:
    ran = midog(
        "tune", "--data", phantom, "--detections", found, "--model", run.parent, "--device", "cpu"
    )
    assert ran.code == 0, ran.err
    assert "0.125 now (best F1)" in ran.err
    assert ran.out.splitlines()[1].split()[:8] == [
        "0.125",
        "2",
        "2",
        "2",
        "0",
        "0.500",
        "1.000",
        "0.667",
    ]
    assert json.loads(run.read_text())["threshold"] == 0.125


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--precision", "0.9"],
            "no threshold has a precision of 0.9 on val: the highest is 0.500; ask for less",
        ),
        (
            ["--fp-per-mm2", "2"],
            "no threshold that detects a figure of val has at most 2 false positives per mm2: the",
        ),
        (["--precision", "0.9", "--fp-per-mm2", "2"], "two goals"),
        (["--model", "nowhere"], "nowhere"),
        (["--runs", "nowhere"], "nowhere/ has no trained model"),
        (["--split", "midog22"], "midog22"),
    ],
)
def test_what_cannot_be_tuned_gets_one_line_and_changes_nothing(
    midog, phantom, run, found, words, says
) -> None:
    before = run.read_bytes()
    ran = midog("tune", "--data", phantom, "--detections", found, "--device", "cpu", *words)
    assert says in one_line(ran)
    assert ran.out == ""
    assert run.read_bytes() == before


def test_detections_of_another_model_get_one_line(midog, phantom, run, found) -> None:
    before = run.read_bytes()
    write_settings(found, {"weights": "0" * 16})
    words = ["tune", "--data", phantom, "--device", "cpu", "--detections"]
    assert "holds detections of another model" in one_line(midog(*words, found))
    (found / RECORD_NAME).unlink()
    assert "does not state which model made it" in one_line(midog(*words, found))
    assert run.read_bytes() == before


def test_a_val_part_without_figures_gets_one_line(midog, phantom, run, tmp_path) -> None:
    data = copy(phantom, tmp_path / "data")
    tree = json.loads((data / "annotations.json").read_text())
    val = [each["id"] for each in tree["images"] if each["file_name"] in ("002.tiff", "005.tiff")]
    tree["annotations"] = [each for each in tree["annotations"] if each["image_id"] not in val]
    (data / "annotations.json").write_text(json.dumps(tree))
    before = run.read_bytes()
    assert "no ROI of val has a mitotic figure" in one_line(
        midog("tune", "--data", data, "--device", "cpu")
    )
    assert run.read_bytes() == before


def test_ctrl_c_leaves_the_model_as_it_was(midog, phantom, run, monkeypatch) -> None:
    before = run.read_bytes()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "infer", stop)
    ran = midog("tune", "--data", phantom, "--device", "cpu")
    assert ran.code == 130
    assert ran.err.splitlines()[-1] == "stopped; the model is unchanged"
    assert "Traceback" not in ran.err
    assert run.read_bytes() == before


def test_the_challenges_truth_is_scored_and_its_keys_are_printed(midog, scored, tmp_path):
    kinds = ["hotspot", "random", "challenging"]
    truth = {
        f"{number}.tiff": {
            "annotations": [[0.025, 0.025, 0]] if number < 3 else [],
            "tumor domain": number % 2,
            "roi type": kind,
        }
        for number, kind in enumerate(kinds, 1)
    }
    Path("ground.json").write_text(json.dumps(truth))
    words = ("evaluate", "b", "--truth", "ground.json", "--resamples", 0)
    ran = midog(*words, "--report", "r.html", "--csv", "r.csv", "--json")
    assert ran.code == 0, ran.err
    groups = json.loads(ran.out)["groups"]
    assert list(groups) == ["all", *kinds]
    assert [groups["all"][key] for key in ("tp", "fp", "fn")] == [1, 1, 1]
    assert Path("r.html").is_file()
    ran = midog(*words, "--json-keys", "challenge")
    assert ran.code == 0, ran.err
    tree = json.loads(ran.out)
    assert tree["aggregates"]["f1_score"] == pytest.approx(0.5, abs=1e-6)
    assert tree["aggregates"]["roi_type_challenging_AP"] == -1
    assert [row["metrics"]["false_positives"] for row in tree["results"]] == [0, 0, 1]
    ran = midog("evaluate", "b", *scored, "--json-keys", "challenge")
    assert "3 ROIs have no roi_type" in one_line(ran)
    assert "--truth" in ran.err
    for more in (scored, ["--json-keys", "challenge", "--csv", "r.csv"]):
        assert midog(*words, *more).code == 2
