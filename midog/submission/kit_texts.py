"""The texts of a kit: its Dockerfile, its entry point, its scripts and what they say of it."""

from __future__ import annotations

from midog.submission import contract
from midog.submission.contract import DETECTION, Track

ENTRY_POINT = '''\
"""The entry point of the container: `python inference.py`, without arguments."""

from midog.submission.job import main

if __name__ == "__main__":
    raise SystemExit(main())
'''

_DOCKERFILE = """\
# {does} as an algorithm of MIDOG 2025, track {track}, on grand-challenge.org.
FROM --platform=linux/amd64 docker.io/library/python:{python}-slim AS runtime

# Output is shown as it comes; caches go where any user may write.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/tmp

RUN groupadd -r user && useradd -m --no-log-init -r -g user user
USER user
WORKDIR {app}

COPY --chown=user:user requirements.txt {app}/
RUN python -m pip install --user --no-cache-dir --no-color --requirement {app}/requirements.txt

COPY --chown=user:user midog {app}/midog
COPY --chown=user:user inference.py {app}/
ENTRYPOINT ["python", "inference.py"]

# The image ends above for a model that is uploaded by itself: docker build --target runtime
FROM runtime AS whole
COPY --chown=user:user model {app}/model
"""

_TRY = """\
#!/usr/bin/env bash
# Build the image and run it on one {image} as the platform does: ./try.sh {IMAGE}.tiff
set -euo pipefail
cd "$(dirname "${{BASH_SOURCE[0]}}")"
{image}=$(realpath "$1")
docker build --platform=linux/amd64 --tag {tag} .

job=$(mktemp -d)
mkdir -p "$job/input/{images}" "$job/output"
cp "${image}" "$job/input/{images}/"
cat > "$job/input/{inputs}" <<'END'
[{{"image": {{"name": "{image}"}}, "interface": {{"slug": "{slug}"}}}}]
END
chmod -R o+rX "$job" && chmod o+rwX "$job/output"
# Add --gpus all where there is a GPU.
docker run --rm --platform=linux/amd64 --network none --memory={memory}g --shm-size=8g \\
  --volume "$job/input":/input:ro --volume "$job/output":/output {tag}
echo "$job/output/{output}"
"""

_SAVE = """\
#!/usr/bin/env bash
# Write the two files to upload: the image, and the model alone for who uploads it by itself.
set -euo pipefail
cd "$(dirname "${{BASH_SOURCE[0]}}")"
docker build --platform=linux/amd64 --tag {tag} .
docker save {tag} | gzip -c > {tag}.tar.gz
tar -czf model.tar.gz -C model .
echo "{tag}.tar.gz model.tar.gz"
"""

_README = """\
# {title}

`midog submission make` wrote this folder: an algorithm for grand-challenge.org.

| | |
|---|---|
| model | {model} |
| threshold | {threshold} |
| packed by | midog {version}, Python {python} |

- `./try.sh {IMAGE}.tiff` builds the image and runs it on one {image} as the platform does: no
  network, not root, {memory} GB.
- `./save.sh` writes `{tag}.tar.gz`, which is uploaded as the container image of an algorithm.
- The model lies in the image. To change it alone, upload `model.tar.gz` as the algorithm's model:
  what the platform unpacks at `{mounted}` is taken before the one in the image.
  `docker build --target runtime .` builds an image without one.
- Without Docker, in an environment with `requirements.txt`:
  `python inference.py --input IN --output OUT`, with `IN/{inputs}` and one {image} in
  `IN/{images}/`.

`requirements.txt` pins what this model was packed with. Where the platform's GPU driver is older
than the CUDA of this torch, the container runs on the CPU: pin a torch of an older CUDA then.
"""


def texts_of(
    track: Track = DETECTION,
    *,
    model: str,
    threshold: str,
    version: str,
    python: str,
    tag: str = "midog-entry",
) -> dict[str, str]:
    """Return the texts of a kit by file name.

    Args:
        track: Which one it is for.
        model: What it detects or classifies with, in words.
        threshold: From which score on, in words.
        version: Of midog.
        python: Its version, such as 3.12.
        tag: Name of the image.
    """
    values = {
        "app": contract.APP.as_posix(),
        "does": track.does,
        "IMAGE": track.image.upper(),
        "image": track.image,
        "images": track.images.as_posix(),
        "inputs": contract.INPUTS_NAME,
        "memory": contract.MEMORY_GB,
        "model": model,
        "mounted": contract.MODEL.as_posix(),
        "output": track.output_name,
        "python": python,
        "slug": track.slug,
        "tag": tag,
        "threshold": threshold,
        "title": f"An entry to MIDOG 2025, track {track.number}",
        "track": track.number,
        "version": version,
    }
    return {
        "Dockerfile": _DOCKERFILE.format(**values),
        "README.md": _README.format(**values),
        "inference.py": ENTRY_POINT,
        "save.sh": _SAVE.format(**values),
        "try.sh": _TRY.format(**values),
    }
