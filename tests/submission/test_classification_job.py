"""A job of track 2: the classes of a stack, in its order, whatever its kind and um/px."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from midog import PatchClassifier
from midog.errors import ImageError, WeightsError
from midog.inference.patch_classifier import save_patch_classifier
from midog.submission.class_refusals import class_refusals_of
from midog.submission.classification_job import classify_figures, load_classifier
from midog.submission.container import CLASSIFIER, Kit
from tests.drawn_patches import draw
from tests.images.test_open_mha import mha
from tests.submission.cases import write_stack

PATCHES, LABELS = draw(16, 3)


@pytest.fixture
def folder(classifier: Path, tmp_path: Path) -> Path:
    """A kit's model folder."""
    shutil.copytree((classifier / "best").resolve(), tmp_path / "kit" / CLASSIFIER)
    return tmp_path / "kit"


def classify(folder: Path, image: Path, **kit) -> list[dict]:
    path = folder.parent / "out.json"
    classify_figures(image, folder, Kit(track=2, **kit), path, device="cpu")
    tree = json.loads(path.read_text())
    assert class_refusals_of(tree, len(tree)) == []
    return tree


def test_the_confidence_is_that_of_atypical_in_the_order_of_the_stack(
    folder: Path, classifier: Path
) -> None:
    crops = np.pad(PATCHES, ((0, 0), (16, 16), (16, 16), (0, 0)), constant_values=230)
    rows = classify(folder, write_stack(folder.parent / "input", crops))
    expected = PatchClassifier.load(classifier, device="cpu").predict(PATCHES)[:, 1]
    assert [row["confidence"] for row in rows] == pytest.approx(expected.tolist(), abs=1e-6)
    assert [row["class"] == "atypical" for row in rows] == (LABELS == 1).tolist()
    assert all(set(row) == {"class", "confidence"} for row in rows)
    backwards = classify(folder, write_stack(folder.parent / "second", crops[::-1]))
    assert backwards == rows[::-1]


def test_a_metaimage_gives_what_the_tiff_gives(folder: Path, tmp_path: Path) -> None:
    rows = classify(folder, write_stack(tmp_path / "input", PATCHES))
    path = mha(
        tmp_path / "a.mha", np.concatenate(PATCHES), deflated=True, NDims="3", DimSize="32 32 16"
    )
    assert classify(folder, path) == rows


def test_the_threshold_decides_the_class_and_not_the_confidence(folder: Path) -> None:
    image = write_stack(folder.parent / "input", PATCHES)
    rows, all_of_them = classify(folder, image), classify(folder, image, threshold=0.0)
    assert {row["class"] for row in all_of_them} == {"atypical"}
    assert [row["confidence"] for row in all_of_them] == [row["confidence"] for row in rows]


def test_a_stack_without_mpp_is_an_error_unless_the_kit_states_it(
    folder: Path, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tiff", PATCHES[:2], photometric="rgb")
    with pytest.raises(ImageError, match="is unknown"):
        classify(folder, tmp_path / "a.tiff")
    assert len(classify(folder, tmp_path / "a.tiff", mpp=0.25)) == 2


def test_one_crop_is_a_stack(folder: Path, tmp_path: Path) -> None:
    (row,) = classify(folder, write_stack(tmp_path / "input", PATCHES[1:2]))
    assert row["class"] == "atypical"


def test_a_classifier_of_other_classes_is_refused(folder: Path) -> None:
    own = PatchClassifier.load(folder / CLASSIFIER, device="cpu")
    how = {"side": own.side, "threshold": own.threshold, "info": {}}
    shutil.rmtree(folder / CLASSIFIER)
    save_patch_classifier(
        folder / CLASSIFIER, own.network, own.config, classes=("other", "tumour"), **how
    )
    with pytest.raises(WeightsError, match="tells tumour from other"):
        load_classifier(folder, Kit(track=2), device="cpu")
