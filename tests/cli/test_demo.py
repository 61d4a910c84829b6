"""`midog demo`: what it hands over, prints, and says when it is stopped."""

from __future__ import annotations

from pathlib import Path

from midog import demo


def test_options_reach_the_demo_and_a_stop_tells_how_to_resume(midog, monkeypatch):
    calls = []

    def note(out, **settings):
        calls.append({"out": out, **settings})
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_demo", note)
    ran = midog("demo", "--out", "d", "--seed", 3, "--overwrite")
    assert ran.code == 130
    assert ran.err.splitlines() == ["stopped; the same command resumes from here"]
    (call,) = calls
    assert callable(call.pop("say"))
    assert call == {"out": Path("d"), "seed": 3, "device": "cpu", "overwrite": True}
