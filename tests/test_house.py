"""The floors of the house: who may import whom, that every module has its tests, and what `midog`
exports."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import measure_house as house
import pytest

import midog

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "midog"

WHOLE_CONFIG = 24
"""Most functions that may take a whole RunConfig: a run or model is opened, written, described."""

# A file imports only from files above it. A name in a folder's line stands for folder/name.py.
FLOORS = """
_version errors mpp signals locks files gzipped names json_text walk boxes progress devices tiling
random_streams stains
norms
config: settings
augment: op share flip colour blur gaussian focus constants
augment: stain_shift light noise_field noise jpeg_blocks jpeg
augment: colour_spaces randstainna low_frequencies fda magnification pasted copy_paste
augment: colour_jitter warp pixel_dropout
augment: ops
models: backbone_registry detector_settings registry
models.classifiers: settings registry
training.tasks: registry
config: sampling training schema earlier shipped yaml_text load describe
images: pixels cache dicom encoded_size trial_process trial tiff_mapped tiff_segments jpeg_tiles
images: tiff_bounds opened_file stated_mpp orientation tiff_colours tiff_pictures open_slide
images: open_tiff open_picture open_mha open_file damaged_tiles image stack decode
images: concentric open_slides
models: frame protocol backbones timm_backbone pyramid anchors heads losses loss_balance postprocess
models: detection_copy pyramid_detector retinanet fcos_losses fcos
models: proposals rcnn_losses roi_pooling faster_rcnn
models.classifiers: views network
models: centre_maps centre_detector centroid unet spread_scores weights build adversary
models.classifiers: losses all_cnn groups group_layers group_nets inception two_towers
models.classifiers: mask_losses unet first_weights
models: classifier
metrics: points near_pairs matching ignored pooled_points dense_points pooled_matches counts
metrics: sweep average_precision froc challenge_scores thresholds
metrics: bootstrap_areas oracle bootstrap permutation agreement calibration mistakes matched_rois
metrics: rank_correlation value_mix scanner_draws scanner_matrix
metrics: pixel_counts pixel_ranking lesion_froc
metrics: windows window_places densest hotspot
metrics: scored_rois two_classes class_scores
data: text_file csv_text columns roi mpp roi_types facts candidates seen find_images
data.annotations: class_names csv_layout reader figures csv_figures csv_points csv_boxes
data.annotations: other_kinds json_records midog_coco_json per_image geojson headerless
data.annotations: sliderunner registry read
data: split_file join_split splits find_files several_folders in_use folder make_splits cut_areas
data: folder_report check
data.patches: patch_set deal hdf5 folders places read
tissue: kinds rules left_out mask from_pixels rings qupath_areas from_areas picture chosen
tissue: window_share
tumour: asap_xml truth read sample sample_slides
data.phantom: paint scanners cells figures placing ground tissue draw
data.phantom: textures slide_plan slide draw_slides
data.download: remote_file answers transfer manifest archives unpack download
augment: colour_map draw on_device on_cpu alone
loading: source buffers batches crops patches slide_crops
loading: mined_alarms locations box_targets placement
loading: rois_on_device cutting rois
loading: references
formats: file_names shared atypical challenge csv_table coco geojson geojson_points overlay registry
formats: hotspot_files density
inference: network tile_plan stage_times tiles orientations tile_results strip_merge fusion
inference: model_card model_folder stored_threshold ensemble_folder onnx_network onnx_export
inference: loaded_models score_shift
inference: member opened_image views calibration detector
inference: crop_logits point_crops patch_classifier atypical
inference: score_rule verifier verified detector_choice tissue_tiles
inference: image_identity output_entries output_folder image_files manifest given_images jobs
inference: outcome shard open_ahead batch order
inference: image_levels
heatmap: grid stored_rows heat_map view_logits mask_means windows compute map_tiff map_pictures
heatmap: against_truth truth_of_slides slide_record make_maps tumour_area
training: batch_norm
training: interrupts runs ema checkpoint identity changes resume restore skip learner ranks
training.tasks: task
training: launch failures watch optimise weight_mean log best saver loop session
training.tasks: unlabelled_images detection_scores detection_pictures mining detection
training.tasks: detection_data
training.tasks: adversarial adversarial_data
training.tasks: crop_task patches_scores
training: train
evaluation: groups measure threshold_cost figure_free measures
submission: contract refusals class_refusals stack_truth container detection_job
submission: classification_job job kit_texts kit
evaluation: detection_layouts detection_files uncounted points written_scores hotspot_counts result
evaluation: scoring
evaluation: comparison goals tuning calibrated_tuning
evaluation: challenge_truth challenge_metrics
evaluation: patch_measures patch_result patches patch_challenge
evaluation: heatmap_result heatmaps heatmap_folder
submission: check
studies: costs designs trainings
shift: images patches distances halves feature_distances features
studies: scanners
shift: result confounders tested_runs left_out domain_shift
training.tasks: verify_scores verify_crops verify_weights verify
training.tasks: patches patches_data
evaluation: labelled_detections
training.tasks: verify_data rule_fit
studies: out_of_fold
studies: study_settings columns study_file row_settings budget rates tested
studies: second_look plan selection detect cells table scanner_matrix result store outlook
report: page charts pictures worst_mistakes mistake_sheet
report: evaluation_style evaluation_charts evaluation_page
report: preview
report: shift_rows shift_words shift_tables shift_charts shift_page
report: study_page patches_charts patches_page
studies: run
scale: worker pool ray_cluster
bench: timing machine options measured drawn_rois conditions network_cost random_detector
bench: forward samples augmentation step infer sweep stages estimate run tables
demo
cli: flags words options terminal outputs shared command score_tables patch_tables
cli: patch_options data
cli: splits settings
cli: train alarms sample patches
cli: export submission infer_words infer_given infer_engines infer scores tune
cli: heatmap_tables heatmap_evaluate heatmap
cli: ensemble shift bench demo main
__main__
cli: study
"""


def floors() -> list[str]:
    """Modules from the ground up, as dotted names."""
    names = []
    for line in FLOORS.strip().splitlines():
        folder, colon, rest = line.partition(":")
        for name in (rest if colon else line).split():
            parts = ["midog", *(folder.split(".") if colon else []), name]
            names.append(".".join(parts))
    return names


@cache
def modules() -> dict[str, Path]:
    """Every module of the package; an __init__ that only says what lives there is none."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ["midog", *path.relative_to(PACKAGE).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
            if len(ast.parse(path.read_text()).body) == 1:
                continue
        found[".".join(parts)] = path
    return found


@cache
def imports_of(path: Path) -> set[str]:
    """Modules of midog that a file imports, anywhere in it but under TYPE_CHECKING.

    The functions of a registry's entries may import what is above it: they run when a thing is
    built, long after all is imported.
    """
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    if path.stem.endswith("registry"):
        when_built = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        skipped |= {id(node) for function in when_built for node in ast.walk(function)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            known = modules()
            found |= {
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in known else node.module
                for a in node.names
            }
    return {name for name in found if name.startswith("midog.")}


def test_every_module_has_its_floor():
    assert set(floors()) | {"midog"} == set(modules())


@pytest.mark.parametrize("name", floors())
def test_a_module_imports_only_from_floors_below_it(name):
    order = floors()
    below = set(order[: order.index(name)])
    assert imports_of(modules()[name]) <= below


@pytest.mark.parametrize("name", [name for name in floors() if name.startswith("midog.models.")])
def test_models_take_plain_arguments(name):
    others = {each for each in imports_of(modules()[name]) if not each.startswith("midog.models.")}
    assert others <= {
        "midog.errors",
        "midog.norms",
        "midog.config.schema",
        "midog.config.settings",
    }


@pytest.mark.parametrize("name", [name for name in floors() if name.startswith("midog.metrics.")])
def test_metrics_need_no_torch(name):
    roots = {
        (
            node.module.split(".")[0]
            if isinstance(node, ast.ImportFrom)
            else node.names[0].name.split(".")[0]
        )
        for node in ast.walk(ast.parse(modules()[name].read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and getattr(node, "module", "x")
    }
    assert roots <= set(sys.stdlib_module_names) | {"numpy", "scipy", "pandas", "midog"}


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_module_has_its_test_file(name):
    parts = name.split(".")[1:] or ["house"]
    folder = ROOT / "tests" / Path(*parts[:-1])
    tests = (
        folder / parts[-1] / f"test_{parts[-1]}.py"
        if (PACKAGE / Path(*parts)).is_dir()
        else folder / f"test_{parts[-1]}.py"
    )
    assert tests.is_file()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_the_first_line_says_what_lives_there(path):
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.read_text().startswith('"""')


@pytest.mark.parametrize(
    "measure", [house.long_files, house.long_functions, house.long_lines], ids=lambda m: m.__name__
)
def test_files_functions_and_lines_are_within_the_limits_of_the_house(measure):
    assert measure(ROOT) == []


def test_few_functions_take_the_whole_config():
    assert len(house.takes_whole_config(ROOT)) <= WHOLE_CONFIG


EXPORTS = """Detections Detector MidogError PatchClassifier Roi RunConfig best_threshold build_model
domain_shift evaluate hotspot load_config match_points tissue_mask"""


@pytest.mark.parametrize("name", [*EXPORTS.split(), "read_rois", "train"])
def test_midog_exports(name):
    assert name in midog.__all__
    assert getattr(midog, name).__name__ == name


def test_there_are_no_other_exports():
    assert set(midog.__all__) == {*EXPORTS.split(), "read_rois", "train", "__version__"}
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = midog.nothing_such


def test_importing_midog_and_its_command_line_loads_no_torch():
    heavy = ("torch", "matplotlib", "pandas", "numpy")
    code = (
        f"import sys, midog, midog.cli.main; print([name for name in {heavy} if name in"
        " sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_importing_everything_has_no_side_effects(tmp_path):
    code = (
        "import importlib, logging\nbefore = logging.getLogger().level,"
        " list(logging.getLogger().handlers)\n"
    )
    code += "import torch; threads = torch.get_num_threads()\n"
    code += (
        f"for name in {sorted(set(modules()) - {'midog.__main__'})!r}:"
        " importlib.import_module(name)\n"
    )
    code += "assert (logging.getLogger().level, list(logging.getLogger().handlers)) == before\n"
    code += "assert torch.get_num_threads() == threads\n"
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    ours = [
        path for path in tmp_path.iterdir() if path.name not in {".cache", ".config"}
    ]  # matplotlib makes those
    assert ours == []


def test_the_documentation_shows_every_export_where_it_lives():
    text = (ROOT / "docs" / "python-api.md").read_text()
    shown = {line.removeprefix("::: ") for line in text.splitlines() if line.startswith(":::")}
    exports = [getattr(midog, name) for name in midog.__all__ if name != "__version__"]
    assert shown == {f"{export.__module__}.{export.__name__}" for export in exports}
