"""What a run is made of before it learns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from midog.config import load_config
from midog.errors import DataError
from midog.models import build_model
from midog.training import setup


def test_the_average_of_a_short_run_is_not_its_beginning():
    net = nn.Linear(1, 1)
    nn.init.constant_(net.weight, 100.0)
    average = setup.make_average(net, 0.999)
    nn.init.constant_(net.weight, 0.0)
    for _ in range(30):
        average.update_parameters(net)
    assert average.module.weight.item() < 1e-3


def test_the_average_tends_to_the_decay():
    net = nn.Linear(1, 1)
    average = setup.make_average(net, 0.5)
    for value in (1.0, 2.0, 4.0):
        nn.init.constant_(net.weight, value)
        average.update_parameters(net)
    # the first update copies; then shares of 1 - min(0.5, 2/11) and 1 - min(0.5, 3/12)
    expected = 1 + (2 - 1) * (1 - 2 / 11)
    expected += (4 - expected) * (1 - 3 / 12)
    assert average.module.weight.item() == pytest.approx(expected)


def test_batchnorm_statistics_are_averaged_too():
    net = nn.BatchNorm1d(2)
    average = setup.make_average(net, 0.9)
    net.running_mean.fill_(3.0)
    net.num_batches_tracked.fill_(7)
    average.update_parameters(net)
    assert average.module.running_mean.tolist() == [3, 3]
    assert average.module.num_batches_tracked.item() == 7


@pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")])
def test_the_optimizer_moves_what_learns_and_decays_no_norm(name, kind):
    config = load_config(None, [f"train.optimizer={name}", "train.weight_decay=0.1", "model.unfrozen_layers=2"])
    net = build_model(config, pretrained=False)
    optimizer = setup.make_optimizer(net, config)
    assert type(optimizer).__name__ == kind
    moved = {id(each) for group in optimizer.param_groups for each in group["params"]}
    assert moved == {id(each) for each in net.parameters() if each.requires_grad}
    for group in optimizer.param_groups:
        assert all((each.ndim > 1) == (group["weight_decay"] > 0) for each in group["params"])


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_precision_auto_is_settled_for_the_device_and_a_given_one_is_kept(monkeypatch, bf16, precision):
    monkeypatch.setattr(setup, "has_bf16", lambda device: bf16)
    assert setup.resolve(load_config(None, ["train.device=cpu"])).train.precision == precision
    given = load_config(None, ["train.device=cpu", "train.precision=32-true"])
    assert setup.resolve(given) == given


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_boxes_and_images_reach_the_model_in_float32_and_it_computes_in_the_precision(precision):
    seen = {}

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, images, targets):
            seen.update(images=images, boxes=targets[0]["boxes"], out=self.layer(images).dtype)
            return self.layer(images).sum()

    fabric = setup.make_fabric(load_config(None, ["train.device=cpu", f"train.precision={precision}"]))
    model = Spy()
    wrapped = fabric.setup(model, torch.optim.SGD(model.parameters()))[0]
    boxes = torch.tensor([[403.0, 451.0, 453.0, 501.0]])
    wrapped(torch.full((1, 4), 1 / 3), [{"boxes": boxes}])
    assert seen["boxes"].dtype == seen["images"].dtype == torch.float32
    assert torch.equal(seen["boxes"], boxes), "bfloat16 would have made 403 px 404"
    assert seen["out"] == (torch.bfloat16 if precision == "bf16-mixed" else torch.float32)


def test_the_description_counts_data_patches_and_parameters(phantom, tiny):
    config = load_config(None, tiny)
    rois = setup.read_training_rois(config)
    lines = "\n".join(setup.describe(config, rois))
    figures = sum(int((roi.boxes.labels == 1).sum()) for roi in rois if roi.split == "train")
    assert f"train: 2 ROIs (1 Phantom A, 1 Phantom B), {figures} mitotic figures" in lines
    assert "patches per epoch: 12 of 64x64 px, 3 updates; 36 in all" in lines
    assert "retinanet on resnet18" in lines


def test_a_missing_training_image_is_named_before_anything_starts(phantom, tiny, tmp_path):
    import shutil

    copy = tmp_path / "data"
    shutil.copytree(phantom, copy)
    (copy / "images" / "001.tiff").unlink()
    with pytest.raises(DataError, match=r"001\.tiff"):
        setup.read_training_rois(load_config(None, [*tiny, f"data.dir={str(copy)!r}"]))
