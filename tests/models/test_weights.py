"""Weights: what is loaded and what stays fresh, fetching from a local server, and what the user is
told."""

from __future__ import annotations

import hashlib
import http.server
import logging
import os
import pickle
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import (
    ResNet18_Weights,
    ResNet34_Weights,
    ResNet50_Weights,
    resnet18,
    resnet34,
)
from torchvision.models.detection import (
    FasterRCNN_ResNet50_FPN_V2_Weights,
    FasterRCNN_ResNet50_FPN_Weights,
    FCOS_ResNet50_FPN_Weights,
    RetinaNet_ResNet50_FPN_V2_Weights,
    fasterrcnn_resnet50_fpn,
    fasterrcnn_resnet50_fpn_v2,
    fcos_resnet50_fpn,
    retinanet_resnet50_fpn_v2,
)

from midog.errors import WeightsError
from midog.models.protocol import DetectionNetwork
from midog.models.registry import (
    BACKBONES,
    DETECTORS,
    FasterRCNNSettings,
    FCOSSettings,
    ResNetSettings,
    RetinaNetSettings,
    build_detector,
)
from midog.models.retinanet import RetinaNet
from midog.models.weights import load_pretrained
from tests.models.networks import retinanet

SIZES = ((40.0,), (80.0,), (160.0,), (320.0,), (500.0,))
SECOND_STAGE_ANEW = {"rpn.head", "roi_heads.box_predictor", "draws"}
COCO_NAME = "retinanet_resnet50_fpn_v2_coco-5905b1c5.pth"


def detector(
    backbone: str = "resnet18", levels: int = 2, classes: int = 1, **settings: Any
) -> RetinaNet:
    return retinanet(backbone, classes, anchor_sizes=SIZES[:levels], **settings)


def load(network: DetectionNetwork, weights: str, backbone: str) -> None:
    settings = RetinaNetSettings(backbone=ResNetSettings(kind=backbone), weights=weights)
    load_pretrained(network, settings)


def filled(model: torch.nn.Module, value: float = 0.5) -> dict[str, Tensor]:
    """The model's state with one value everywhere: what was loaded is told from what was not."""
    return {name: torch.full_like(tensor, value) for name, tensor in model.state_dict().items()}


def loaded(model: torch.nn.Module, value: float = 0.5) -> set[str]:
    """Names, up to their third part, of the weights that hold that value all over."""
    state = {n: t for n, t in model.state_dict().items() if t.is_floating_point()}
    return {
        ".".join(name.split(".")[:3]) for name, tensor in state.items() if (tensor == value).all()
    }


def fresh(model: torch.nn.Module, value: float = 0.5) -> set[str]:
    return {".".join(name.split(".")[:3]) for name in model.state_dict()} - loaded(model, value)


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder in which fetched weights are looked for; not yet made."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


class Server:
    """A local HTTP server of one folder that counts its requests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                path = outer.folder / Path(self.path).name
                if not path.is_file():
                    self.send_error(404)
                    return
                body = path.read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if "broken" in self.path else body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "served").mkdir()
    server = Server(tmp_path / "served")
    yield server
    server.stop()


def publish(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    stem: str = "resnet18",
    digest: str | None = None,
) -> str:
    """Puts a ResNet-18 on the server, named after its hash, as ImageNet's; returns the name."""
    draft = server.folder / "draft"
    torch.save(filled(resnet18()), draft)
    name = f"{stem}-{digest or hashlib.sha256(draft.read_bytes()).hexdigest()[:8]}.pth"
    draft.rename(server.folder / name)
    entry = replace(BACKBONES["resnet18"], imagenet=f"{server.url}/{name}")
    monkeypatch.setitem(BACKBONES, "resnet18", entry)
    return name


def test_the_urls_are_torchvisions() -> None:
    imagenet = (ResNet18_Weights, ResNet34_Weights, ResNet50_Weights)
    kinds = ("resnet18", "resnet34", "resnet50")
    assert {kind: BACKBONES[kind].imagenet for kind in kinds} == {
        kind: theirs.IMAGENET1K_V1.url for kind, theirs in zip(kinds, imagenet, strict=True)
    }
    assert DETECTORS["retinanet"].coco == {
        "resnet50": RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1.url
    }
    assert DETECTORS["fcos"].coco == {"resnet50": FCOS_ResNet50_FPN_Weights.COCO_V1.url}
    of_version = {1: FasterRCNN_ResNet50_FPN_Weights, 2: FasterRCNN_ResNet50_FPN_V2_Weights}
    coco = DETECTORS["faster_rcnn"].coco
    assert callable(coco)
    for version, theirs in of_version.items():
        assert coco(FasterRCNNSettings(version=version)) == {"resnet50": theirs.COCO_V1.url}


def test_none_leaves_all_as_it_is(checkpoints: Path) -> None:
    model = detector()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    load(model, "none", "resnet18")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_frozen_random_stages_are_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    load(detector(unfrozen_layers=5), "none", "resnet18")
    assert caplog.text == ""
    load(detector(unfrozen_layers=3), "none", "resnet18")
    assert "stay at random weights" in caplog.text


@pytest.fixture(scope="module")
def coco_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file as torchvision publishes it: 91 classes, 9 anchors."""
    path = tmp_path_factory.mktemp("coco") / COCO_NAME
    torch.save(filled(retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None)), path)
    yield path
    path.unlink()


@pytest.mark.parametrize("levels", [5, 2])
def test_coco_fills_backbone_and_pyramid_and_leaves_the_head(
    levels: int, coco_file: Path, checkpoints: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    checkpoints.mkdir(parents=True)
    os.link(coco_file, checkpoints / COCO_NAME)
    model = detector("resnet50", levels)
    head = {name: value.clone() for name, value in model.head.state_dict().items()}
    load(model, "coco", "resnet50")
    assert all(torch.equal(value, head[name]) for name, value in model.head.state_dict().items())
    assert {name.split(".")[0] for name in fresh(model)} == {"head"}
    assert (
        "fresh: head.classification_head.cls_logits, head.classification_head.conv" in caplog.text
    )


def old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names that pyramids have in files of before torchvision 0.13."""
    return {
        name.replace(".0.weight", ".weight").replace(".0.bias", ".bias")
        if "fpn.inner" in name or "fpn.layer" in name
        else name: value
        for name, value in state.items()
    }


@pytest.mark.parametrize(
    ("settings", "make", "anew"),
    [
        (
            FCOSSettings(kind="fcos"),
            fcos_resnet50_fpn,
            {"head.classification_head", "head.regression_head"},
        ),
        (FasterRCNNSettings(kind="faster_rcnn"), fasterrcnn_resnet50_fpn_v2, SECOND_STAGE_ANEW),
        (
            FasterRCNNSettings(kind="faster_rcnn", version=1),
            fasterrcnn_resnet50_fpn,
            SECOND_STAGE_ANEW,
        ),
    ],
    ids=["fcos", "faster_rcnn 2", "faster_rcnn 1"],
)
def test_coco_of_other_detectors_fills_all_but_what_is_of_the_classes(
    settings: Any, make: Any, anew: set[str], checkpoints: Path
) -> None:
    theirs = filled(make(weights=None, weights_backbone=None))
    state = old_names(theirs) if make is not fasterrcnn_resnet50_fpn_v2 else theirs
    coco = DETECTORS[settings.kind].coco
    urls = coco(settings) if callable(coco) else coco
    checkpoints.mkdir(parents=True)
    published = checkpoints / Path(urls["resnet50"]).name
    torch.save(state, published)
    model = build_detector(settings, 1, 1.0)
    load_pretrained(model, settings)
    published.unlink()
    assert {".".join(name.split(".")[:2]) for name in fresh(model)} == anew


def test_coco_fills_the_backbone_where_pyramid_and_head_are_narrower(
    coco_file: Path, checkpoints: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    checkpoints.mkdir(parents=True)
    os.link(coco_file, checkpoints / COCO_NAME)
    model = detector("resnet50", 2, channels=128, head_convs=2)
    load(model, "coco", "resnet50")
    assert {name.split(".")[1] for name in loaded(model) if name.startswith("backbone")} == {"body"}
    assert not any("body" in name for name in fresh(model))
    assert "fresh: backbone.fpn.inner_blocks, backbone.fpn.layer_blocks, head." in caplog.text


def test_a_files_pyramid_and_head_of_other_widths_are_left_fresh(tmp_path: Path) -> None:
    save_file(filled(detector(levels=3)), tmp_path / "wide.safetensors")
    model = detector(channels=64, head_convs=2)
    load(model, str(tmp_path / "wide.safetensors"), "resnet18")
    assert not any("body" in name for name in fresh(model))


@pytest.mark.parametrize("backbone", ["resnet18", "resnet34"])
def test_coco_is_there_for_resnet50_alone(backbone: str) -> None:
    with pytest.raises(
        WeightsError, match=r"coco exists for resnet50 only.*model.weights=imagenet"
    ):
        load(detector(backbone), "coco", backbone)


@pytest.mark.parametrize("levels", [2, 5])
def test_imagenet_is_fetched_once_and_fills_the_body(
    levels: int,
    server: Server,
    checkpoints: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = publish(server, monkeypatch)
    for _ in range(2):
        model = detector(levels=levels)
        load(model, "imagenet", "resnet18")
        assert {name.split(".")[1] for name in loaded(model)} == {"body"}
        assert not any("body" in name for name in fresh(model))
    assert server.requests == 1
    assert [path.name for path in checkpoints.iterdir()] == [name]
    assert capsys.readouterr().out == ""


def test_offline_says_which_file_to_put_where(
    checkpoints: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    entry = replace(DETECTORS["retinanet"], coco={"resnet50": f"{server.url}/{COCO_NAME}"})
    monkeypatch.setitem(DETECTORS, "retinanet", entry)
    with pytest.raises(WeightsError) as caught:
        load(detector(), "coco", "resnet50")
    line = str(caught.value)
    assert "Connection refused" in line
    assert f"put the file {COCO_NAME} into {checkpoints}, or" in line
    assert "model.weights=none" in line
    assert "\n" not in line
    assert list(checkpoints.iterdir()) == []


@pytest.mark.parametrize(
    ("stem", "digest", "said"),
    [("resnet18", "00000000", "invalid hash"), ("broken", None, "invalid hash|Incomplete")],
)
def test_wrong_bytes_are_not_kept(
    stem: str,
    digest: str | None,
    said: str,
    server: Server,
    checkpoints: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(server, monkeypatch, stem, digest)
    with pytest.raises(WeightsError, match=said):
        load(detector(), "imagenet", "resnet18")
    assert list(checkpoints.iterdir()) == []


def test_a_file_that_the_server_lacks(
    server: Server, checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.folder / publish(server, monkeypatch)).unlink()
    with pytest.raises(WeightsError, match=r"404.*put the file resnet18-"):
        load(detector(), "imagenet", "resnet18")


def test_a_checkpoints_folder_that_cannot_be_made(checkpoints: Path) -> None:
    checkpoints.parent.parent.write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match="cannot be fetched"):
        load(detector(), "imagenet", "resnet18")


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_fetched_file_is_to_be_deleted(
    damage: str, server: Server, checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish(server, monkeypatch)
    whole = (server.folder / name).read_bytes()
    checkpoints.mkdir(parents=True)
    cached = checkpoints / name
    cached.write_bytes(
        {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"<html>not found</html>"}[
            damage
        ]
    )
    with pytest.raises(WeightsError) as caught:
        load(detector(), "imagenet", "resnet18")
    assert f"delete {cached}" in str(caught.value)
    assert server.requests == 0


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_whole_model_comes_back_as_it_was(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    saved, path = detector(), tmp_path / f"model{suffix}"
    save_file(saved.state_dict(), path) if suffix == ".safetensors" else torch.save(
        {"model": saved.state_dict()}, path
    )
    model = detector()
    load(model, str(path), "resnet18")
    assert all(
        torch.equal(value, saved.state_dict()[name]) for name, value in model.state_dict().items()
    )
    assert "fresh: none" in caplog.text


def test_a_head_of_other_classes_is_left_fresh(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    save_file(filled(detector(classes=2)), tmp_path / "two.safetensors")
    model = detector(classes=1)
    load(model, str(tmp_path / "two.safetensors"), "resnet18")
    assert fresh(model) == {"head.classification_head.cls_logits"}
    assert "fresh: head.classification_head.cls_logits" in caplog.text


def test_a_bare_resnet_fills_the_body(tmp_path: Path) -> None:
    state = {
        n: t for n, t in filled(resnet18()).items() if "num_batches_tracked" not in n
    }  # as older files are
    torch.save(state, tmp_path / "resnet.pth")
    model = detector()
    load(model, str(tmp_path / "resnet.pth"), "resnet18")
    assert not any("body" in name for name in fresh(model))


def test_another_resnet_is_refused(tmp_path: Path) -> None:
    torch.save(resnet34().state_dict(), tmp_path / "r34.pth")
    with pytest.raises(WeightsError, match=r"not those of model.backbone=resnet18"):
        load(detector(), str(tmp_path / "r34.pth"), "resnet18")


def test_nothing_that_fits(tmp_path: Path) -> None:
    save_file({"encoder.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="nothing in it fits retinanet on resnet18"):
        load(detector(), str(tmp_path / "other.safetensors"), "resnet18")


class Malice:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_pickled_code_is_refused_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Malice(tmp_path / "ran"), protocol=2))
    torch.save({"model": Malice(tmp_path / "ran")}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(WeightsError, match=r"other than tensors, which are refused"):
            load(detector(), str(tmp_path / name), "resnet18")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cocoo", "use coco, imagenet, none, or a"),
        ("missing.pth", "no such file"),
        ("folder.pth", "no such file"),
    ],
)
def test_names_that_are_no_weights(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    with pytest.raises(WeightsError, match=said):
        load(detector(), str(tmp_path / name), "resnet18")


@pytest.mark.parametrize("name", ["half.safetensors", "list.pth"])
def test_files_that_hold_no_state(name: str, tmp_path: Path) -> None:
    (tmp_path / "half.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="state dict"):
        load(detector(), str(tmp_path / name), "resnet18")
