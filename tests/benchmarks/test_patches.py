"""The benchmark of patches runs on drawn ones, and both sides take the same patches."""

from __future__ import annotations

from benchmarks.patches import main


def test_it_prints_rates_and_their_ratio(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MIDOG_CACHE", str(tmp_path))
    monkeypatch.setattr("benchmarks.patches.draw_file.__defaults__", (128, 96))
    assert main(["--items", "8", "--rounds", "1"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.startswith("train patches")
    assert row.split()[0] == "drawn"
    assert all(float(cell) > 0 for cell in row.split()[1:])
