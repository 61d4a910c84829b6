"""What a study has left to do."""

from __future__ import annotations

from midog.studies.outlook import outlook
from tests.studies.small import planned, work


def test_the_outlook_tells_what_is_shared_done_and_left(quick, phantom, tmp_path):
    rows = {"base": None, "same": None, "hot": {"set": {"train.lr": 0.1}}}
    plan = planned(tmp_path, phantom, rows=rows)
    lines, closing = outlook(plan, tmp_path / "s" / "runs")
    assert [line[2:] for line in lines] == [["2", "base, same", "to do"], ["1", "hot", "to do"]]
    assert closing == [
        "3 detectors of 3 rows need 3 trainings; 2 are planned, as equal ones are shared, and 0 are"
        " done",
        "what it costs can be told when the first training is done",
    ]
    work(planned(tmp_path, phantom, rows={"base": None}), tmp_path, [])
    lines, closing = outlook(plan, tmp_path / "s" / "runs")
    assert [line[-1] for line in lines] == ["done", "to do"]
    assert closing[1].startswith("1 trainings are left: about ")
