"""The script that tries files: a line in, a line out, an end with its parent's."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from midog.images import trial_process
from tests.images.pictures import BIG


def test_it_answers_line_by_line_and_ends_when_nobody_asks(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(BIG).save(path)
    size = path.stat().st_size
    jpeg = {"task": "jpegs", "path": str(path), "places": [[0, size]], "tables": ""}
    half = {"places": [[0, size], [0, size // 2], [0, size]]}
    requests = [jpeg, {"task": "slide", "path": str(path)}, jpeg | half, jpeg]
    with tempfile.TemporaryFile() as words:
        ran = subprocess.run(
            [sys.executable, "-P", trial_process.__file__],
            input="".join(json.dumps(request) + "\n" for request in requests),
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    assert answers[:2] == [None, None]
    assert answers[2]
    assert answers[3] is None
