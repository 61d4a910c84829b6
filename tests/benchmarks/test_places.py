"""The benchmark of places in slides runs on drawn ones, and both sides see the same places."""

from __future__ import annotations

from benchmarks.places import differing, main
from midog.data.patches.places import read_places
from midog.loading.slide_crops import slide_crops
from tests.tumour.slides import write_index


def test_it_prints_rates_and_their_ratio(capsys, tmp_path):
    folder = write_index(tmp_path)
    assert main([str(folder), "--items", "8", "--rounds", "1", "--workers", "0"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.startswith("index")
    assert all(float(cell) > 0 for cell in row.split()[1:])
    source = slide_crops(read_places(folder).of("train"), None)
    assert max(differing(folder, source, number) for number in range(0, 60, 7)) < 2
