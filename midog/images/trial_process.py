"""The process that opens files which could end it: a script of its own, started by `trial`.

It takes a request a line, as JSON, and answers a line, as JSON: what the library had to say, or
null. Where a library ends the process, its last words stand in the file behind stderr.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import sys
from collections.abc import Mapping
from typing import cast

_MEMORY = 8 * 2**30  # bytes of address space: a damaged number must not fill the machine's
_START, _END = b"\xff\xd8", b"\xff\xd9"


def main() -> None:
    """Answer requests until the parent is gone."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for line in sys.stdin:
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
        request = json.loads(line)
        answer = TASKS[request["task"]](request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def try_slide(request: Mapping[str, object]) -> None:
    """Open a slide and read a px of every level. An error is the parent's to find and report."""
    import openslide

    with contextlib.suppress(Exception), openslide.OpenSlide(str(request["path"])) as slide:
        dict(slide.properties)
        for level, (width, height) in enumerate(slide.level_dimensions):
            for share in (0.0, 0.5):
                factor = slide.level_downsamples[level] * share
                with contextlib.suppress(openslide.OpenSlideError):
                    slide.read_region((int(width * factor), int(height * factor)), level, (1, 1))


def try_jpegs(request: Mapping[str, object]) -> str | None:
    """What libjpeg has to say of the first of some JPEGs that it does not decode without a word: it
    repairs what it can, and warns."""
    import cv2
    import numpy as np

    tables = base64.b64decode(str(request["tables"]))
    with open(str(request["path"]), "rb") as file:
        for offset, count in cast("list[list[int]]", request["places"]):
            file.seek(offset)
            content = file.read(count)
            if tables:  # those of a TIFF are stored once, for all its tiles
                content = tables.removesuffix(_END) + content.removeprefix(_START)
            values = np.frombuffer(content, np.uint8)
            # all is read, little is kept
            whole = cv2.imdecode(values, cv2.IMREAD_REDUCED_GRAYSCALE_8)
            if whole is None or os.fstat(2).st_size:
                return _said() or "it cannot be decoded"
    return None


def _said() -> str:
    """The first line of what a library wrote to stderr."""
    with open(os.dup(2), "rb") as words:
        words.seek(0)
        return words.readline().decode(errors="replace").strip()


TASKS = {"slide": try_slide, "jpegs": try_jpegs}

if __name__ == "__main__":
    main()
