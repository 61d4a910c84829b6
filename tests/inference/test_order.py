"""An order that was sent opens the same folder for the same work."""

from __future__ import annotations

import pickle

from midog.inference.batch import infer
from midog.inference.detector_choice import DetectorChoice
from midog.inference.jobs import find_jobs
from midog.inference.order import Order
from midog.inference.tissue_tiles import TissueSearch
from midog.metrics.hotspot import HotspotSettings


def test_an_order_that_was_sent_gives_what_infer_gives(saved, images, tmp_path):
    jobs, formats = find_jobs([images]), ("challenge", "hotspot")
    choice, hotspot = DetectorChoice((saved,), device="cpu"), HotspotSettings(1.0, "circle")
    order = Order(choice, jobs, tmp_path / "sent", formats, TissueSearch("all"), hotspot)
    sent = pickle.loads(pickle.dumps(order))
    work = sent.open(sent.choice.load())
    assert list(work.do(jobs[1:]).figures) == ["b.tiff"]
    assert list(work.do(jobs).figures) == ["a.tiff"]
    infer(
        jobs,
        choice.load(),
        tmp_path / "here",
        formats=formats,
        tissue=TissueSearch("all"),
        hotspot=hotspot,
    )
    for path in (tmp_path / "here").rglob("*.json"):
        other = tmp_path / "sent" / path.relative_to(tmp_path / "here")
        assert other.read_bytes() == path.read_bytes()
