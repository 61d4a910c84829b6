"""What a contributor runs: `nox -s lint`, `quick`, `tests`, `lowest` or `docs`."""

from __future__ import annotations

import nox

nox.options.sessions = ["lint", "quick"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def quick(session: nox.Session) -> None:
    """Run the tests that take no training."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-m", "not slow", "-n", "auto", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests."""
    session.install("-e", ".[dev]")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session(venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the quick tests with the lowest versions that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", ".[dev]")
    session.run("pytest", "-m", "not slow", "-n", "auto", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site, warnings as errors."""
    session.install("-e", ".[docs]")
    session.run("zensical", "build", "--strict")
