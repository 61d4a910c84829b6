"""The first signal is noted, the second acts as outside."""

from __future__ import annotations

import os
import signal

import pytest

from midog.training.interrupts import Interrupted, Interrupts


@pytest.fixture(autouse=True)
def python_handles_ctrl_c():
    """A shell that starts a job in the background has it ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_acted_on_when_asked(signum):
    with Interrupts() as interrupts:
        interrupts.check()
        os.kill(os.getpid(), signum)
        assert interrupts.wanted
        with pytest.raises(Interrupted) as caught:
            interrupts.check()
    assert caught.value.signum == signum


def test_a_second_ctrl_c_acts_at_once():
    with Interrupts():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_from_before_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
