"""An ROI: what is known where nothing was said."""

from __future__ import annotations

import pytest

from midog.data.roi import Roi


def test_an_roi_of_which_only_the_name_is_known_has_no_boxes_and_no_place():
    roi = Roi("001.tiff")
    assert len(roi.boxes) == 0
    assert (roi.mpp, roi.width, roi.height, roi.path) == (None, None, None, None)
    assert (roi.scanner, roi.patient, roi.split, dict(roi.columns)) == ("", "", "", {})


def test_an_roi_cannot_be_changed():
    with pytest.raises(AttributeError):
        Roi("001.tiff").mpp = 0.25


def test_an_roi_without_a_patient_is_a_patient_of_its_own():
    assert Roi("1.png", patient="p").patient_or_name == "p"
    assert Roi("1.png").patient_or_name == "1.png"
