"""The architecture of EfficientNet-Lite0, because no installed library has it.

transformers' EfficientNet has squeeze-and-excitation and swish, which the Lite variants leave out; timm and
torchvision are not installed. Names follow the published PyTorch weights, without their leading underscores.

B: pictures. H, W: rows and columns of pixels. h, w: H / 32 and W / 32, rounded up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

WIDTH = 1280
CLASSES = 1000  # of ImageNet
STEM = 32
# (repeats, kernel, stride of the first, expansion, channels out), Tan and Le 2019, Table 1
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class SameConvolution(nn.Conv2d):
    """Padded as TensorFlow's "SAME": output = input / stride, rounded up; an odd pixel of padding goes
    behind.
    """

    def forward(self, x: Tensor) -> Tensor:
        padding = []
        # innermost dimension first, as `pad` wants it
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            needed = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [needed // 2, needed - needed // 2]
        return super().forward(pad(x, padding) if any(padding) else x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """Inverted bottleneck: expand, depthwise convolution, project; residual where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        if expansion != 1:
            self.expand_conv = nn.Conv2d(inputs, inner, 1, bias=False)
            self.bn0 = _norm(inner)
        self.depthwise_conv = SameConvolution(inner, inner, kernel, stride, groups=inner, bias=False)
        self.bn1 = _norm(inner)
        self.project_conv = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn2 = _norm(outputs)
        self.expands = expansion != 1
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        y = relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self.adds else y


def draw(network: nn.Module) -> None:
    """Random weights that preserve the variance of activations (He et al. 2015), unlike torch's default."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


class EfficientNetLite0(nn.Module):
    """4.65 M parameters; the 1,000 ImageNet classes are `fc`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConvolution(3, STEM, 3, 2, bias=False)
        self.bn0 = _norm(STEM)
        blocks, channels = [], STEM
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for repeat in range(repeats):
                blocks.append(Block(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.conv_head = nn.Conv2d(channels, WIDTH, 1, bias=False)
        self.bn1 = _norm(WIDTH)
        self.fc = nn.Linear(WIDTH, CLASSES)

    def feature_map(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] RGB as (value − 127) / 128 -> [B, 1280, h, w]."""
        x = relu6(self.bn0(self.conv_stem(pixels)))
        for block in self.blocks:
            x = block(x)
        return relu6(self.bn1(self.conv_head(x)))

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, 1280]: the mean over places, float32."""
        return self.feature_map(pixels).mean(dim=(2, 3), dtype=torch.float32)
