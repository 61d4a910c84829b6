"""The page of a study: valid, complete, with the choice of val and what is only reported."""

from __future__ import annotations

from dataclasses import replace

import pytest

from midog.report.study_page import shown, words_of_choice, write_study_page
from midog.studies.columns import COLUMNS
from midog.studies.result import StudyResult
from tests.studies.test_result import result_of


@pytest.fixture
def result() -> StudyResult:
    return result_of(("base", 1, 2), ("better<b>", 2, 0))


def test_the_page_shows_every_row_test_and_column(result, tmp_path):
    write_study_page(tmp_path / "table.html", result)
    text = (tmp_path / "table.html").read_text()
    assert "better&lt;b&gt;" in text
    assert "<b>" not in text.replace("&lt;b&gt;", "")
    assert "Val chose row better&lt;b&gt;: F1 on the val ROIs of seen scanners" in text
    assert "t (report only)" in text
    assert "val (report only)" not in text
    assert all(column.header in text for column in COLUMNS.values())
    assert "7 updates" in text
    chosen = "seen, A, B and the matrix of two test sets; its costs"
    assert text.count('class="chosen"') == 2 * 4 + 1, chosen
    matrix = text.split('id="matrix-1"', 1)[1].split("</table>", 1)[0]
    assert matrix.count("<td>1.000*<small>1.000</small></td>") == 1, "A of better: both figures"
    assert matrix.count("<td>0.667*<small>0.667</small></td>") == 3, "one figure of two"
    write_study_page(tmp_path / "again.html", result)
    assert (tmp_path / "again.html").read_text() == text


def test_a_study_that_chooses_nothing_says_so(result, tmp_path):
    write_study_page(tmp_path / "t.html", replace(result, choice=None))
    assert "no row is chosen here" in (tmp_path / "t.html").read_text()
    assert words_of_choice(None) == ""


def test_a_study_without_scores_has_a_page(result, tmp_path):
    write_study_page(tmp_path / "t.html", replace(result, lines=(), choice=None))
    assert "Nothing is scored yet" in (tmp_path / "t.html").read_text()


def test_a_score_is_shown_with_its_interval_and_gain(result):
    line = next(line for line in result.lines if line.row == "better<b>" and line.test == "val")
    score = shown(line, "f1")
    assert score.value == "0.857"
    assert score.gain.startswith("+0.")
    assert shown(line, "f1_transferred").value == "–"
