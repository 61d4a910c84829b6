"""What `midog infer` prints of several images: by scanner where a manifest states them, of all
shards where there are several."""

from __future__ import annotations

from pathlib import Path

from midog.cli.infer_words import print_outcome, print_shard
from midog.inference.jobs import Job
from midog.inference.outcome import Outcome
from midog.inference.output_entries import Entry, write_entry
from midog.inference.shard import Shard


def test_figures_are_summed_by_the_scanners_that_a_manifest_states(capsys):
    jobs = [
        Job(Path("a.tif"), scanner="XR"),
        Job(Path("b.tif"), scanner="CS2"),
        Job(Path("c.tif"), scanner="XR"),
        Job(Path("d.tif")),
    ]
    figures = {"a.tif": 2, "b.tif": 3, "c.tif": 4, "d.tif": 5}
    print_outcome(Outcome(figures=figures), jobs, Path("out"))
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "a.tif\t2 mitotic figures"
    assert printed.err.splitlines() == [
        "CS2: 1 images done, 3 mitotic figures",
        "XR: 2 images done, 6 mitotic figures",
        "4 images done, 14 mitotic figures; detections are in out/",
    ]


def test_a_shard_counts_what_is_done_of_all_shards(tmp_path, capsys):
    jobs = [Job(Path(f"{name}.tif")) for name in "abc"]
    write_entry(tmp_path, "a", Entry("", "", None, "", {}))
    write_entry(tmp_path, "c", Entry("", "", None, "", {}))
    print_shard(Shard(1, 2), jobs, tmp_path)
    line = "shard 1/2: 2 of the 3 images of all shards are done by now\n"
    assert capsys.readouterr().err == line


def test_atypical_figures_are_counted_where_they_are_told(capsys):
    outcome = Outcome(figures={"a.tif": 2, "b.tif": 3}, atypical={"a.tif": 1, "b.tif": 0})
    print_outcome(outcome, [Job(Path("a.tif")), Job(Path("b.tif"))], Path("out"))
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "a.tif\t2 mitotic figures, 1 atypical",
        "b.tif\t3 mitotic figures, 0 atypical",
    ]
    assert "5 mitotic figures, 1 of them atypical" in printed.err
