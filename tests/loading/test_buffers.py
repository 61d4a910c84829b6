"""Slots are used in turn, and one only again when its reader is done with it."""

from __future__ import annotations

import torch

from midog.loading.buffers import Ring


class Event:
    """Stands for a CUDA event."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def synchronize(self) -> None:
        self.log.append(f"waited for {self.name}")


def test_slots_come_in_turn():
    ring = Ring(3, (2, 4))
    slots = [ring.slot(number) for number in range(6)]
    assert slots[0].shape == (2, 4)
    assert slots[0].dtype == torch.uint8
    assert [slot.data_ptr() for slot in slots[:3]] == [slot.data_ptr() for slot in slots[3:]]
    assert len({slot.data_ptr() for slot in slots}) == 3


def test_on_the_cpu_nothing_is_pinned_or_waited_for():
    ring, values = Ring(1, (2,), torch.device("cpu")), torch.ones(2)
    assert ring.pinned(values) is values
    ring.slot(0)
    ring.release(0)
    ring.slot(1)


def test_a_writer_waits_for_what_cuda_has_still_to_read(monkeypatch):
    log: list[str] = []
    streams = iter("abc")

    class Stream:
        def record_event(self) -> Event:
            return Event(log, next(streams))

    plain = torch.empty
    monkeypatch.setattr(
        torch, "empty", lambda *shape, pin_memory, dtype: plain(*shape, dtype=dtype)
    )
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream())
    ring = Ring(2, (4,), torch.device("cuda"))
    ring.slot(0), ring.slot(1)
    assert log == []
    ring.release(0)
    ring.release(1)
    assert log == [], "the reader waits for nothing"
    ring.slot(3)
    assert log == ["waited for b"]
    ring.slot(2)
    ring.slot(4)
    assert log == ["waited for b", "waited for a"], "once"


def test_a_ring_without_slots_is_for_pixels_that_are_on_the_device_already():
    Ring(0, (4,), torch.device("cpu")).release(0)
