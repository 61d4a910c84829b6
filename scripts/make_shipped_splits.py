"""Make data_splits/*.csv from the published annotation files.

Usage: python scripts/make_shipped_splits.py ANNOTATIONS
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

from midog.data.annotations.read import read_annotations
from midog.data.roi import Roi
from midog.data.split_file import Split, SplitRow, normalise_scanner, write_split
from midog.data.splits import cut_validation, leave_one_scanner_out

VAL = 0.2
"""Share of the published train part, or of what remains for training, that becomes val."""

UNLABELLED_SCANNER = "Leica GT450"  # 151 to 200, of which no labels are published
TUMOURS = {"canine lymphoma": "canine lymphosarcoma"}  # the table's word, and the annotation file's
SHORT = {"Hamamatsu XR": "xr", "Hamamatsu S360": "s360", "Aperio CS2": "cs2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "annotations", type=Path, help="folder with MIDOG.json, MIDOGpp.json and the midogpp_*.csv"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parents[1] / "data_splits"
    )
    arguments = parser.parse_args()
    for path in make_all(arguments.annotations, arguments.out):
        print(path)


def make_all(annotations: Path, out: Path) -> list[Path]:
    """Write all files into the folder `out`; return them."""
    slides = read_slides(annotations / "midogpp_slides.csv")
    midog21 = read_annotations(annotations / "MIDOG.json").rois
    midogpp = read_annotations(annotations / "MIDOGpp.json").rois
    places = {
        "midog21": published("midog21", midog21, slides, columns=False),
        "midogpp": published("midogpp", midogpp, slides, columns=True),
    }
    placed = {row.file_name: row for row in places["midog21"].rows}
    located = [
        replace(roi, scanner=placed[roi.file_name].scanner, patient=stem(roi)) for roi in midog21
    ]
    for scanner, split in leave_one_scanner_out(located, val=VAL).items():
        places[f"midog21_without_{SHORT[scanner]}"] = split
    written = []
    for name, split in places.items():
        written.append(out / f"{name}.csv")
        write_split(split, written[-1])
    return [*written, copy_file_ids(annotations / "midogpp_files.csv", out / "midogpp_files.csv")]


def read_slides(path: Path) -> dict[str, dict[str, str]]:
    """Rows of the published table by file name: slide 1 is 001.tiff."""
    with path.open(encoding="utf-8", newline="") as lines:
        return {
            f"{int(row['Slide']):03d}.tiff": row for row in csv.DictReader(lines, delimiter=";")
        }


def published(
    name: str, rois: list[Roi], slides: dict[str, dict[str, str]], *, columns: bool
) -> Split:
    """The published train and test, val cut from train; the patient is the file.

    Args:
        name: of the split.
        rois: ROIs of the annotation file.
        slides: rows of the published table; an ROI that it lacks is unlabelled.
        columns: whether to keep tumour, species and origin.
    """
    rows = []
    for roi in rois:
        slide = slides.get(roi.file_name)
        if slide is None:
            more = {"tumour": "human breast cancer", "species": "Human", "origin": "UMC Utrecht"}
            row = SplitRow(roi.file_name, UNLABELLED_SCANNER, stem(roi), "unlabelled", columns=more)
        else:
            tumour = TUMOURS.get(slide["Tumor"], slide["Tumor"])
            more = {"tumour": tumour, "species": slide["Species"], "origin": slide["Origin"]}
            scanner = normalise_scanner(slide["Scanner"])
            row = SplitRow(roi.file_name, scanner, stem(roi), slide["Dataset"], columns=more)
        rows.append(row if columns else replace(row, columns={}))
    return cut_validation(Split(name, tuple(rows)), rois, val=VAL)


def stem(roi: Roi) -> str:
    """The patient: the data name none, and every file is of another specimen."""
    return Path(roi.file_name).stem


def copy_file_ids(source: Path, target: Path) -> Path:
    """Copy the archive's file ids of images and annotation file, not of its database."""
    lines = source.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("MIDOGpp.sqlite")]
    target.write_text("\n".join(kept) + "\n", encoding="utf-8", newline="\n")
    return target


if __name__ == "__main__":
    main()
