"""`midog splits` as typed."""

from __future__ import annotations


def test_a_split_that_is_not_there_is_named_with_those_that_are(midog, phantom):
    ran = midog("splits", "check", "nowhere.csv", "--data", phantom)
    assert ran.code == 1
    assert "error: no split file nowhere.csv; give a CSV file or one of midog21," in ran.err


def test_unlabelled_rois_of_midog_in_train_are_named(midog, shared, tmp_path):
    annotations = shared / "data" / "annotations" / "MIDOG.json"
    assert midog("splits", "check", "midog21", "--data", annotations).code == 0
    rows = [f"{n:03d}.tiff,X{n // 50},p{n},train" for n in range(1, 201)]
    (tmp_path / "s.csv").write_text("\n".join(["file_name,scanner,patient,split", *rows]))
    ran = midog("splits", "check", tmp_path / "s.csv", "--data", annotations)
    assert ran.code == 1
    assert "151.tiff to 200.tiff" in ran.err
