"""Options of the commands on patches, where they are shown."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_both_commands_name_files_classes_and_split(midog, command: str) -> None:
    text = midog("patches", command, "--help").out
    for name in ("--stem", "--classes", "--split"):
        assert name in text
    assert ("--slide-pattern" in text) == (command == "train")
