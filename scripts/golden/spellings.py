"""What two versions may call differently: settings, options, keys of files and functions.

These tables are all that has to be extended when a name changes. A value that changes is no entry
here: it is a difference.
"""

from __future__ import annotations

SETTINGS: dict[str, tuple[str, ...]] = {
    "model.detector": ("model.kind={}",),
    "model.backbone": ("model.backbone.kind={}",),
    "model.unfrozen_layers": ("model.backbone.unfrozen_layers={}",),
    "train.device": ("machine.device={}",),
    "train.devices": ("machine.devices={}",),
    "train.num_nodes": ("machine.num_nodes={}",),
    "train.precision": ("machine.precision={}",),
    "train.compile": ("machine.compile={}",),
    "train.workers": ("machine.workers={}",),
    "train.residency": ("machine.residency={}",),
    "train.augment_on": ("machine.augment_on={}",),
}
"""Further spellings of a setting, by its key before the work. `{}` stands for the value; several
overrides are separated by `;`. The first that a checkout accepts is used."""

OPTIONS: dict[str, tuple[str, ...]] = {}
"""Further spellings of an option of the command line."""

RENAMED_KEYS: tuple[tuple[str, str, str], ...] = (
    ("state.json", r"^best_score$", "best_f1"),
    ("last.ckpt", r"^progress/best_score$", "progress/best_f1"),
)
"""Document (a pattern), key (a regular expression) and what is compared in its place.

Keys are paths: `groups/all/f1`, in settings `train.lr`, in tables and events `val/f1 @2` (row or
step). Documents are settings, state.json, model.json, last.ckpt, weights, metrics.csv, events,
evaluation.csv, evaluation.json, comparison.json, shift.json.
"""

IGNORED_KEYS: tuple[tuple[str, str], ...] = (
    ("*", r".*(patches_per_second|data_wait).*"),  # measured time
    ("*", r"(midog|schema_version)"),  # of the program, not of the data
    ("last.ckpt", r"format"),
    ("model.json", r"(format|git|versions/.*)"),
    ("model.json", r"config/.*"),  # compared as the settings are
)
"""Document and key of values that are not compared: time, versions."""

ADDED_KEYS: tuple[tuple[str, str], ...] = (
    ("settings", r"task\.kind"),
    ("model.json", r"task"),
    ("state.json", r"score_name"),
    ("last.ckpt", r"progress/score_name"),
    ("settings", r"model\.(head_norm|pyramid_norm|prior|loss_normalizer|focal_alpha|focal_gamma)"),
    ("settings", r"train\.(best|best_smoothing|average_last)"),
    ("last.ckpt", r"(progress/(best_value|smoothed_score|averaged_epoch)|mean)"),
)
"""Document and key of what only one version has."""

FUNCTIONS: dict[str, tuple[str, ...]] = {
    "random": ("midog.data.sampling:random", "midog.random_streams:generator"),
    "randoms": ("midog.data.sampling:randoms", "midog.random_streams:generators"),
    "merge": ("midog.tiling:merge",),
    "grid": ("midog.tiling:grid",),
    "looks_of": ("midog.data.augment:looks_of", "midog.augment.draw:augmentation_of"),
    "look_by_look": (
        "midog.data.augment_cpu:look_by_look",
        "midog.augment.on_cpu:patch_by_patch",
    ),
    "Workbench": ("midog.data.augment_cpu:Workbench", "midog.augment.on_cpu:Scratch"),
    "Field": ("midog.data.sampling:Field", "midog.loading.locations:SampledRoi"),
    "taught_by": ("midog.data.targets:taught_by", "midog.loading.box_targets:target_figures"),
    "augment": ("midog.data.augment:augment", "midog.augment.on_device:augment"),
}
"""Where a function or class is, `module:name`, for those that changed their name and those whose
name is not unique. All others are looked for by their name in the whole package."""
