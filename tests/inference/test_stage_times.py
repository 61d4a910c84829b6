"""Times of the stages: each of its own, also of threads that work at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from midog.inference import stage_times
from midog.inference.detector import Detector
from midog.inference.stage_times import STAGES, StageTimes
from tests.inference.small import CONFIG
from tests.inference.squares import Squares


def test_times_add_up_stage_by_stage_also_where_one_fails(monkeypatch) -> None:
    clock = iter([10.0, 12.0, 20.0, 21.0, 30.0, 35.0])
    monkeypatch.setattr(stage_times.time, "perf_counter", lambda: next(clock))
    times = StageTimes()
    with times.of("reading"):
        pass
    with suppress(OSError), times.of("reading"):
        raise OSError
    with times.of("network"):
        pass
    assert {stage: times[stage] for stage in STAGES if times[stage]} == {
        "reading": 3.0,
        "network": 5.0,
    }


def test_threads_lose_nothing(monkeypatch) -> None:
    monkeypatch.setattr(stage_times.time, "perf_counter", iter(range(10**6)).__next__)
    times = StageTimes()

    def often() -> None:
        for _ in range(500):
            with times.of("reading"):
                pass

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(often) for _ in range(4)]:
            done.result()
    assert times["reading"] >= 2000


def test_detecting_times_reading_network_and_merging() -> None:
    detector = Detector(Squares(), CONFIG, device="cpu")
    with detector.open(np.full((500, 400, 3), 230, np.uint8), mpp=0.25) as opened:
        detector.detect(opened)
        taken = {stage for stage in STAGES if opened.times[stage] > 0}
    assert taken == {"reading", "waiting", "network", "merging"}
