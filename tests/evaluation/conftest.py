"""A folder of points that every test of evaluation may start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.cases import write_found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Points for `cases.ROIS`, see `cases.write_found`."""
    write_found(tmp_path)
    return tmp_path
