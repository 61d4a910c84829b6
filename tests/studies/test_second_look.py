"""Second looks of a study: planned with their detector, trained when what they need is."""

from __future__ import annotations

from pathlib import Path

from midog.studies import second_look as module
from midog.studies.plan import Plan
from midog.studies.second_look import find_candidates, is_ready
from tests.studies.small import planned, work

LOOK = {"base": None, "look": {"like": "base", "verifier": {}}}


def plan_of(tmp_path: Path, phantom: Path) -> Plan:
    return planned(tmp_path, phantom, rows=LOOK, designs=["all", "leave-one-out"])


def test_a_second_look_is_a_training_of_its_own_at_a_shared_detector(phantom, tmp_path):
    plan = plan_of(tmp_path, phantom)
    base, look = plan.detectors[:3], plan.detectors[3:]
    assert [one.trainings for one in base] == [one.trainings for one in look]
    assert [one.verifier for one in base] == [None] * 3
    assert len(plan.trainings) == 6
    assert plan.trainings[3:] == [one.verifier for one in look], "after all detectors"
    assert all(one.is_retuned for one in look)
    assert len({one.key for one in plan.detectors}) == 6
    for one in look:
        assert one.verifier.verifies is one.trainings[0]
        assert one.verifier.config.task.kind == "verify"
        assert one.verifier.config.data.split == one.trainings[0].config.data.split


def test_its_false_alarms_are_of_models_that_lack_a_scanner(phantom, tmp_path):
    whole, *parts = plan_of(tmp_path, phantom).detectors[3:]
    assert [source.name for source in whole.verifier.sources] == [
        part.trainings[0].name for part in parts
    ]
    assert all(part.verifier.sources == () for part in parts)


def test_it_waits_for_its_models_and_learns_where_they_are(quick, phantom, tmp_path, monkeypatch):
    plan, runs = plan_of(tmp_path, phantom), tmp_path / "s" / "runs"
    look = plan.detectors[3].verifier
    assert not is_ready(look, runs)
    assert is_ready(plan.trainings[0], runs)
    asked = []

    def found(models, rois, out, *, device):
        asked.append([model.name for model in models])
        out.mkdir(parents=True)
        return []

    monkeypatch.setattr(module, "out_of_fold", found)
    assert work(plan, tmp_path, []).failed == {}
    assert is_ready(look, runs)
    assert asked == [[source.name for source in look.sources]]
    known = find_candidates(look, runs, tmp_path / "again")
    assert Path(known["detector"]).name == plan.trainings[0].name
    place = tmp_path / "again" / "candidates" / look.key / "candidates.csv"
    assert Path(known["candidates"]) == place
    assert find_candidates(plan.trainings[0], runs, tmp_path) == {}
