"""EfficientNet-Lite0 as a table: what every builder of this network reads.

The network is EfficientNet-B0 (Tan and Le, 2019, https://arxiv.org/abs/1905.11946, table 1) without
squeeze-and-excitation and with ReLU6 for swish (the "Lite" variant of TensorFlow's TPU models). The
weights were converted from TensorFlow, hence its "same" padding and its BatchNorm epsilon.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

IMAGE_SIZE = 224
MEAN, STD = 127.0, 128.0  # of each channel, on the scale of pixels
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
CLASSES = 1000
BATCH_NORM_EPSILON = 1e-3


class Stage(NamedTuple):
    """A run of inverted-residual blocks of one shape; only its first block strides and widens."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    repeats: int


STAGES = (
    Stage(kernel=3, stride=1, expansion=1, channels=16, repeats=1),
    Stage(kernel=3, stride=2, expansion=6, channels=24, repeats=2),
    Stage(kernel=5, stride=2, expansion=6, channels=40, repeats=2),
    Stage(kernel=3, stride=2, expansion=6, channels=80, repeats=3),
    Stage(kernel=5, stride=1, expansion=6, channels=112, repeats=3),
    Stage(kernel=5, stride=2, expansion=6, channels=192, repeats=4),
    Stage(kernel=3, stride=1, expansion=6, channels=320, repeats=1),
)


LAYERS = {"last": HEAD_CHANNELS, "second_last": STAGES[-1].channels, "logits": CLASSES}
"""The outputs: the head convolution pooled, its input pooled, the class scores."""


@dataclass(frozen=True)
class Block:
    """One inverted-residual block: widen 1x1, depthwise kernel x kernel, project 1x1."""

    index: int
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels_out: int

    @property
    def has_residual(self) -> bool:
        """Whether the block's input is added to its output."""
        return self.stride == 1 and self.channels_in == self.channels_out


def blocks() -> Iterator[Block]:
    """Yield the 16 blocks in order.

    Examples
    --------
    >>> [block.channels_out for block in blocks()][-4:]
    [192, 192, 192, 320]
    """
    index, channels = 0, STEM_CHANNELS
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            yield Block(index, stage.kernel, stride, stage.expansion, channels, stage.channels)
            index, channels = index + 1, stage.channels


def channels_behind(n_blocks: int) -> int:
    """Return the channels behind the first convolution and so many blocks.

    Examples
    --------
    >>> channels_behind(0), channels_behind(16)
    (32, 320)
    """
    return [STEM_CHANNELS, *(block.channels_out for block in blocks())][n_blocks]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "same" padding before and after an axis of `size` pixels.

    An odd pixel goes after the axis, unlike torch's symmetric padding.

    Examples
    --------
    >>> same_padding(224, kernel=3, stride=2)
    (0, 1)
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
