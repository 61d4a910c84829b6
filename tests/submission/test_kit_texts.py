"""What a kit's texts state: the facts of the platform, and scripts that a shell can read."""

from __future__ import annotations

import subprocess

import pytest

from midog.submission.kit_texts import texts_of

TEXTS = texts_of(model="runs/a", threshold="0.4 (given)", version="1.2", python="3.12")


def test_the_image_is_of_this_python_and_runs_the_entry_point_as_another_user() -> None:
    lines = TEXTS["Dockerfile"].splitlines()
    assert "FROM --platform=linux/amd64 docker.io/library/python:3.12-slim AS runtime" in lines
    assert lines.index("USER user") < lines.index('ENTRYPOINT ["python", "inference.py"]')
    assert "USER root" not in lines
    last_stage = lines[lines.index("FROM runtime AS whole") :]
    assert "COPY --chown=user:user model /opt/app/model" in last_stage


@pytest.mark.parametrize("name", ["try.sh", "save.sh"])
def test_a_shell_reads_the_scripts(name: str) -> None:
    subprocess.run(["bash", "-n"], input=TEXTS[name].encode(), check=True)


def test_the_image_is_tried_as_the_platform_runs_it() -> None:
    tried = TEXTS["try.sh"]
    assert "--network none --memory=16g" in tried
    assert 'cp "$roi" "$job/input/images/histopathology-roi-cropout/"' in tried
    assert '[{"image": {"name": "roi"}, "interface": {"slug": "histopathology-region-' in tried
    assert "/output/mitotic-figures.json" in tried.replace("$job/output/", "/output/")


def test_the_readme_names_the_model_and_its_threshold() -> None:
    assert "| model | runs/a |" in TEXTS["README.md"]
    assert "0.4 (given)" in TEXTS["README.md"]
    assert "`/opt/ml/model`" in TEXTS["README.md"]
