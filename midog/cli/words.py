"""The words of a help text that come from settings and registries, looked up when help is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from midog.cli.flags import SETTING

_LIST = re.compile(r"\{([a-z]+)\}")


def words_of(text: str) -> str:
    """A help text with the words of what it names in braces.

    `{train.epochs}` alone is that setting's description with its default; within a text it is the
    description. `{formats}` is a list of LISTS. `{=train.epochs}` is left out.
    """
    if "{" not in text:
        return text
    from midog.config.describe import about

    alone = SETTING.fullmatch(text)
    if alone and not alone[1]:
        setting = about(alone[2])
        return f"{sentence(setting.words)} [default: {setting.shown}]"
    text = SETTING.sub(lambda m: "" if m[1] else sentence(about(m[2]).words), text)
    return _LIST.sub(lambda m: ", ".join(LISTS[m[1]]()), text).strip()


def sentence(words: str) -> str:
    """Words with a full stop, and a capital unless they start with a value or a unit."""
    first = words.split(maxsplit=1)[0]
    as_it_is = first.endswith((",", ":")) or "/" in first
    return f"{words if as_it_is else words[:1].upper() + words[1:]}."


def lists_in(texts: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """The lists that texts name and whose entries have words, by name."""
    named = dict.fromkeys(name for text in texts for name in _LIST.findall(text))
    lists = {name: LISTS[name]() for name in named}
    return {name: entries for name, entries in lists.items() if any(entries.values())}


def _configs() -> Mapping[str, str]:
    from midog.config.shipped import shipped_dir

    return {path.stem: "" for path in sorted(shipped_dir("configs").glob("*.yaml"))}


def _splits() -> Mapping[str, str]:
    from midog.config.shipped import shipped_dir

    files = sorted(shipped_dir("data_splits").glob("*.csv"))
    return {path.stem: "" for path in files if not path.stem.endswith("_files")}


def _formats() -> Mapping[str, str]:
    from midog.formats.registry import FORMATS

    return {name: entry.words for name, entry in FORMATS.items()}


def _readers() -> Mapping[str, str]:
    from midog.data.annotations.registry import READERS

    return {reader.name: reader.words for reader in READERS.values()}


def _stages() -> Mapping[str, str]:
    from midog.bench.stages import STAGES

    return {name: stage.about for name, stage in STAGES.items()}


def _tasks() -> Mapping[str, str]:
    from midog.training.tasks.registry import TASKS

    return {name: entry.about for name, entry in TASKS.items()}


def _resumable() -> Mapping[str, str]:
    from midog.config.load import resumable_keys
    from midog.config.settings import OnResume

    return dict.fromkeys(resumable_keys(OnResume.ASKED), "")


LISTS: dict[str, Callable[[], Mapping[str, str]]] = {
    "configs": _configs,
    "splits": _splits,
    "formats": _formats,
    "readers": _readers,
    "stages": _stages,
    "resumable": _resumable,
    "tasks": _tasks,
}
"""What a help text may list: a registry's names when help is shown, with the words of each."""
