"""`midog patches`: trained, scored and reported from the command line; nonsense gets one line."""

from __future__ import annotations

import json

import pytest

from tests.drawn_patches import SETTINGS, write_folders, write_hdf5
from tests.spoiled import one_line, settings


def test_a_dry_run_shows_settings_and_data(midog, tmp_path):
    folder = write_hdf5(tmp_path)
    ran = midog(
        *("patches", "train", "--data", folder, "--stem", "spots", "--classes", "green,purple"),
        *("--config", "patches_all_cnn", "--dry-run"),
    )
    assert ran.code == 0, ran.err
    assert "kind: patches" in ran.out
    assert "train: 64 patches of 16 slides, 32 purple, 32 green" in ran.out
    assert "network: all_cnn, 2.36 M parameters" in ran.out


@pytest.mark.parametrize(("name", "parameters"), [("p4", "0.26 M"), ("p4m", "0.27 M")])
def test_configs_of_groups_have_about_the_parameters_of_one_width(
    midog, tmp_path, name, parameters
):
    ran = midog(
        *("patches", "train", "--data", write_hdf5(tmp_path), "--stem", "spots"),
        *("--config", f"patches_{name}", "--dry-run"),
    )
    assert ran.code == 0, ran.err
    assert f"network: group_cnn, {parameters} parameters" in ran.out


def test_weights_of_inception_are_read_from_a_file_that_must_be_one(midog, tmp_path):
    write_hdf5(tmp_path, scale=3)
    words = ["patches", "train", "--data", tmp_path, "--runs", tmp_path / "runs"]
    own = ["task.network={kind: inception_v3, width: 0.0625}", "task.weights=/nowhere.pth"]
    ran = midog(*words, *settings([*SETTINGS, *own]))
    assert "task.weights=/nowhere.pth: no such file; use imagenet, none" in one_line(ran)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--stem", "other"], "name the data set with --stem spots"),
        (["--classes", "a"], "classes are a: name two, or none"),
        (["--set", "task.network=lenet"], "task.network.kind is 'lenet'"),
        (["--config", "nothing"], "no config file nothing"),
    ],
)
def test_nonsense_is_one_line(midog, tmp_path, words, expected):
    ran = midog("patches", "train", "--data", write_hdf5(tmp_path), *words)
    assert expected in one_line(ran)


def test_scores_have_the_challenges_keys_if_asked_for(midog, classifier):
    words = ["patches", "evaluate", classifier, "--device", "cpu", "--json-keys", "challenge"]
    ran = midog(*words, "--by", "slide")
    assert ran.code == 0, ran.err
    aggregates = json.loads(ran.out)["aggregates"]
    own = json.loads(midog(*words[:-2], "--json").out)["groups"]["all"]
    keys = {"sensitivity": 0, "specificity": 0, "balanced_accuracy": 0, "accuracy": 0}
    for key in keys:
        assert aggregates[f"overall_{key}"] == pytest.approx(own[key])
    assert aggregates["overall_roc_auc"] == pytest.approx(own["auc"])
    assert set(aggregates["domain_test0"]) == {*keys, "roc_auc"}
    ran = midog(*words, "--csv", "a.csv")
    assert (ran.code, "printed alone, without --csv" in ran.err) == (2, True)


def test_scores_are_printed_and_written(midog, classifier, tmp_path):
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    words = ["--resamples", 50, "--device", "cpu"]
    ran = midog("patches", "evaluate", classifier, *words, "--report", page, "--csv", table)
    assert ran.code == 0, ran.err
    rows = {line.split()[1]: line.split()[2:] for line in ran.out.splitlines()[1:]}
    assert rows["AUC"] == ["1.000", "1.000", "-", "1.000"]
    assert "32 patches of 8 slides: 16 of class 1, 16 of class 0" in ran.err
    assert "chosen on valid: 16 of 16 1 and 0 of 16 0 are taken for 1" in ran.err
    assert page.read_text().count("<svg") == 3
    assert len(table.read_text().splitlines()) == 33
    ran = midog("patches", "evaluate", classifier, *words, "--json", "--subset", "valid")
    tree = json.loads(ran.out)
    assert (tree["subset"], tree["groups"]["all"]["auc"]) == ("val", 1)
    assert "chosen on these patches" in ran.err


def test_other_data_and_another_threshold_are_scored(midog, classifier, tmp_path):
    folder = write_folders(tmp_path / "f")
    rows = [
        f"{path.parent.name}/{path.name},{path.name[:2]},test" for path in folder.rglob("*.png")
    ]
    (folder / "split.csv").write_text("\n".join(["file_name,patient,split", *rows]))
    words = ["patches", "evaluate", classifier, "--data", folder, "--json", "--resamples", 0]
    assert "has no folder 0" in one_line(midog(*words))
    ran = midog(*words, "--classes", "green,purple", "--threshold", 1, "--by", "slide")
    tree = json.loads(ran.out)
    assert tree["threshold_from"] == "given"
    assert tree["groups"]["all"]["auc"] == 1
    assert tree["groups"]["all"]["sensitivity"] == 0
    assert len(tree["groups"]) == 9
    swapped = midog(*words, "--classes", "purple,green")
    assert json.loads(swapped.out)["groups"]["all"]["auc"] == 0


def test_what_cannot_be_scored_is_one_line(midog, classifier, tmp_path):
    assert "runs/ has no trained model of task patches" in one_line(
        midog("patches", "evaluate", "--runs", tmp_path / "runs")
    ).replace(str(tmp_path) + "/", "")
    words = ["patches", "evaluate", classifier]
    assert "no column 'lab'" in one_line(midog(*words, "--by", "lab"))
    (tmp_path / "page.html").write_text("mine")
    assert "exists and is no report" in one_line(midog(*words, "--report", tmp_path / "page.html"))


def test_training_from_the_command_line(midog, tmp_path):
    words = [*settings(SETTINGS), "--epochs", 1, "--runs", tmp_path / "runs", "--name", "a"]
    ran = midog("patches", "train", "--data", write_hdf5(tmp_path / "d"), *words)
    assert ran.code == 0, ran.err
    assert ran.out.strip().endswith("a/best")
    assert "next: midog patches evaluate" in ran.err
