"""Write configs/default.yaml: every setting with its default and its description."""

from __future__ import annotations

from pathlib import Path

from midog.config.describe import default_yaml

if __name__ == "__main__":
    (Path(__file__).resolve().parents[1] / "configs" / "default.yaml").write_text(default_yaml())
