"""The end of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

TOGETHER = """
import atexit, os, socket, sys
import torch
from midog.__main__ import leave

class Last:
    def __del__(self):
        os.write(1, b"taken apart\\n")

last = Last()
atexit.register(lambda: print("left"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
if sys.argv[1] == "together":
    meeting = f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
    for _ in range(2000):  # a thread of gloo's lets go of the tensors while the process ends
        torch.distributed.all_reduce(torch.ones(20000), async_op=True)
leave(eval(sys.argv[2]))
"""


@pytest.mark.parametrize(("code", "expected"), [("None", 0), ("0", 0), ("3", 3), ("'why'", 1)])
@pytest.mark.parametrize("how", ["alone", "together"])
def test_the_end_of_processes_that_trained_together_is_not_an_abort(how, code, expected):
    ended = subprocess.run(
        [sys.executable, "-c", TOGETHER, how, code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == expected, ended.stderr
    assert ended.stdout == ("left\ntaken apart\n" if how == "alone" else "left\n")
    assert ("why" in ended.stderr) == (code == "'why'")
    assert "terminate" not in ended.stderr
