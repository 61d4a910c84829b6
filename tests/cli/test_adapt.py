"""`midog adapt`: a model folder that `infer` takes."""

from __future__ import annotations

from tests.spoiled import one_line


def test_it_writes_a_model_and_says_that_the_threshold_is_of_another(
    midog, model, phantom, tmp_path
):
    out = tmp_path / "adapted"
    words = ["--subset", "unlabelled", "--model", model, "--out", out, "--tiles", 4]
    ran = midog("adapt", phantom, *words, "--device", "cpu")
    assert ran.code == 0, ran.err
    assert ran.out.strip() == str(out)
    assert "4 tiles of 64 px" in ran.err
    assert "is that of the model before, not re-tuned" in ran.err
    image = phantom / "images" / "001.tiff"
    ran = midog("infer", image, "--model", out, "--out", tmp_path / "d", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert "(best F1 on val in training, before the model was adapted: not re-tuned)" in ran.err


def test_a_scanner_that_is_not_there_is_one_line(midog, model, phantom, tmp_path):
    ran = midog("adapt", phantom, "--scanner", "Z", "--model", model, "--out", tmp_path / "a")
    assert "no ROI is of scanner Z" in one_line(ran)
    assert not (tmp_path / "a").exists()
