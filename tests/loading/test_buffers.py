"""Slots are used in turn, and one only again when its reader is done with it."""

from __future__ import annotations

import torch

from midog.loading.buffers import BufferPool, Buffers, pinned


class Event:
    """Stands for a CUDA event."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def synchronize(self) -> None:
        self.log.append(f"waited for {self.name}")


def test_slots_come_in_turn():
    buffers = Buffers(3, (2, 4))
    slots = [buffers.slot(number) for number in range(6)]
    assert slots[0].shape == (2, 4)
    assert slots[0].dtype == torch.uint8
    assert [slot.data_ptr() for slot in slots[:3]] == [slot.data_ptr() for slot in slots[3:]]
    assert len({slot.data_ptr() for slot in slots}) == 3


def test_on_the_cpu_nothing_is_pinned_or_waited_for():
    buffers, values = Buffers(1, (2,), torch.device("cpu")), torch.ones(2)
    assert pinned(values, torch.device("cpu")) is pinned(values, None) is values
    buffers.slot(0)
    buffers.release(0)
    buffers.slot(1)


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
    buffers = Buffers(2, (4,), torch.device("cuda"))
    buffers.slot(0), buffers.slot(1)
    assert log == []
    buffers.release(0)
    buffers.release(1)
    assert log == [], "the reader waits for nothing"
    buffers.slot(3)
    assert log == ["waited for b"]
    buffers.slot(2)
    buffers.slot(4)
    assert log == ["waited for b", "waited for a"], "once"


def test_buffers_without_slots_are_for_pixels_that_are_on_the_device_already():
    Buffers(0, (4,), torch.device("cpu")).release(0)


def test_a_pool_gives_buffers_of_the_kind_that_was_put_back():
    pool = BufferPool()
    first, second = pool.take(3, (4,)), pool.take(3, (4,))
    assert first is not second
    pool.put_back(first)
    pool.put_back(second)
    assert pool.take(2, (4,)) not in (first, second)
    assert {pool.take(3, (4,)), pool.take(3, (4,))} == {first, second}
    assert pool.take(3, (4,)) not in (first, second)
