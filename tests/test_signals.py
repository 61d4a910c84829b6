"""Stops: what is raised, when an import is under way, and the exit codes of a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from midog.signals import STOPS, Interrupted, exit_code, raising_stops

ROOT = Path(__file__).resolve().parents[1]
CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_is_raised_and_noted_and_the_handlers_are_as_before_after_it(stop):
    before = [signal.getsignal(one) for one in STOPS]
    with raising_stops() as stops, pytest.raises(Interrupted) as caught:
        os.kill(os.getpid(), stop)
    assert (caught.value.signum, stops.signum) == (stop, stop)
    assert [signal.getsignal(one) for one in STOPS] == before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raising_stops() as stops:
            os.kill(os.getpid(), signal.SIGHUP)
        assert stops.signum is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("signum", "code"), [*CODES, (None, 130), (0, 130)])
def test_exit_codes_are_those_that_shells_expect(signum, code):
    assert exit_code(signum) == code


def stopped_while(body: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run `midog settings` in a process in which `midog.cli.settings` is that module."""
    (tmp_path / "stopping.py").write_text(textwrap.dedent(body))
    code = textwrap.dedent(
        """\
        import sys
        from midog.cli.command import Entry
        from midog.cli import main
        main.COMMANDS["settings"] = Entry("Train", "Settings.", "stopping:command")
        sys.argv = ["midog", "settings"]
        from midog.__main__ import main
        main()
        """
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize(("stop", "code"), CODES)
def test_a_stop_during_an_import_waits_for_it_and_is_one_line(tmp_path, stop, code):
    done = stopped_while(
        f"""
        import os, time
        try:
            os.kill(os.getpid(), {int(stop)})
            print("imported", flush=True)
        except BaseException:  # as C code of a library may not survive it
            os.abort()
        def command() -> None:
            \"\"\"Wait.\"\"\"
            time.sleep(60)
        """,
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "imported\n", "stopped\n")


def test_a_second_stop_does_not_wait_for_the_import(tmp_path):
    done = stopped_while(
        f"""
        import os, time
        os.kill(os.getpid(), {int(signal.SIGINT)})
        os.kill(os.getpid(), {int(signal.SIGTERM)})
        time.sleep(60)
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (143, "stopped\n")


def test_whatever_a_library_makes_of_a_stop_it_stays_one(tmp_path):
    done = stopped_while(
        f"""
        import os
        def command() -> None:
            \"\"\"Fail.\"\"\"
            try:
                os.kill(os.getpid(), {int(signal.SIGTERM)})
            except KeyboardInterrupt:
                raise RecursionError("initialisation failed") from None
        """,
        tmp_path,
    )
    assert done.returncode == 143
    assert "Traceback" not in done.stderr
