"""Configs and splits that ship, in a checkout and in the wheel."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

from midog.config.shipped import shipped_dir


def test_shipped_files_are_found_in_a_checkout():
    assert shipped_dir("configs") == Path(__file__).resolve().parents[2] / "configs"
    assert (shipped_dir("data_splits") / "midog21.csv").is_file()


LOOK = """
import json
from midog.config.load import load_config
from midog.config.shipped import shipped_dir
from midog.data.split_file import read_split
import midog.loading.batches
print(json.dumps({
    "home": midog.__file__,
    "split": len(read_split("midog21").rows),
    "epochs": load_config("reference").train.epochs,
    "places": [str(shipped_dir(name)) for name in ("configs", "data_splits")],
}))
"""


def test_the_wheel_carries_configs_splits_and_every_module(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).resolve().parents[2]
    wheel = next(WheelBuilder(str(root)).build(directory=str(tmp_path / "dist")))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    sources = {str(path.relative_to(root)) for path in (root / "midog").rglob("*.py")}
    assert sources | {"midog/py.typed"} <= names
    assert not [
        name
        for name in names
        if name.startswith(("tests/", "configs/", "data_splits/", "scripts/"))
    ]
    environment = {
        "PYTHONPATH": str(tmp_path / "site"),
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen["home"].startswith(str(tmp_path / "site")), "it is the wheel that was looked at"
    assert (seen["split"], seen["epochs"]) == (200, 2400)
    assert all(place.startswith(str(tmp_path / "site")) for place in seen["places"])
