"""JPEG: what is lost where slides are stored at a lower quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.augment.op import Numbers, Parameters


def jpeg_qualities(numbers: Numbers, depth: float) -> Parameters:
    """Return qualities (B,) int64, 100 - depth to 100."""
    import numpy as np

    return {"qualities": np.rint(100 - depth * numbers[:, 0]).astype(np.int64)}


def _on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    from midog.augment.jpeg_blocks import through_jpeg

    return through_jpeg(images, parameters["qualities"])


def _on_cpu(patch: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.uint8]:
    """The patch written as a JPEG file in memory, and read."""
    import cv2
    import numpy as np

    quality = [cv2.IMWRITE_JPEG_QUALITY, int(parameters["qualities"])]
    written, file = cv2.imencode(".jpg", cv2.cvtColor(patch, cv2.COLOR_RGB2BGR), quality)
    assert written
    read = cv2.imdecode(file, cv2.IMREAD_COLOR)
    assert read is not None
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB, dst=read))


JPEG = Op(
    about="how far JPEG quality falls below 100: 60 draws qualities from 40 to 100",
    setting=Annotated[float, Field(ge=0, le=95)],
    default=0.0,
    draws=1,
    parameters=jpeg_qualities,
    on_device=_on_device,
    on_cpu=_on_cpu,
    example=70.0,
)
