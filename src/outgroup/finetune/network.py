"""What can be tuned: a network as steps from the image to the embedding.

The bundled network is built from the same table as its ONNX graph. Its modules are named like the
tensors of the checkpoint, so that weights go in, and tuned ones come out, by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from outgroup.backbones import lite0_stages as lite0
from outgroup.backbones.lite0_graph import build_graph, build_trunk
from outgroup.finetune._torch import functional, nn, torch


class TunableNetwork(nn.Module):  # type: ignore[misc]
    """A network from pixels to embeddings that training may change, whole or from some step on.

    Statistics of BatchNorm stay what they are: those of small batches of which half are negatives
    are no statistics of the images to come.

    Attributes
    ----------
    mean, std : tuple of 3 floats
        How pixels from 0 to 255 are normalised.
    size : int
        Side of an image in pixels.
    dim : int
        Length of the embedding "last".
    """

    mean: Any
    std: Any
    size: int
    dim: int

    @abstractmethod
    def steps(self) -> list[list[nn.Module]]:
        """Return the modules with weights in the order from the image to the embedding."""

    @abstractmethod
    def first_step(self, unfreeze: str) -> int:
        """Return the first step that is tuned for one of `outgroup.finetune.plan.UNFREEZE`."""

    @abstractmethod
    def forward(self, x: torch.Tensor, start: int = 0) -> dict[str, torch.Tensor]:
        """Return the layers of a batch.

        Parameters
        ----------
        x : Tensor of shape (n, 3, size, size), float32
            Normalised pixels; with `start`, what the step before gave.
        start : int, default=0
            The first step to take.
        """

    @abstractmethod
    def to_onnx(self) -> bytes:
        """Return the network as `Backbone.model_bytes` describes it."""

    def trunk(self, start: int) -> bytes | None:
        """Return the steps before `start` as ONNX with the flat output "activations".

        None if they can't be run by themselves.
        """
        return None

    def activation_shape(self, start: int) -> tuple[int, ...]:
        """Return the shape of what goes into step `start`, for one image."""
        raise NotImplementedError

    def unfreeze(self, start: int) -> None:
        """Let gradients reach the weights from step `start` on, and no others."""
        for number, modules in enumerate(self.steps()):
            for module in modules:
                module.requires_grad_(number >= start)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (n, size, size, 3) as `forward` takes them."""
        mean, std = (torch.tensor(v, device=pixels.device) for v in (self.mean, self.std))
        return ((pixels.float() - mean) / std).permute(0, 3, 1, 2).contiguous()

    def train(self, mode: bool = True) -> TunableNetwork:
        """Set the mode, and leave BatchNorm in that of use."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self


class Lite0(TunableNetwork):
    """EfficientNet-Lite0.

    Parameters
    ----------
    weights : mapping of str to ndarray
        The checkpoint's tensors by name, as `load_weights` returns them.

    Examples
    --------
    >>> from outgroup.backbones.efficientnet_lite0 import load_weights
    >>> network = Lite0(load_weights())
    >>> len(network.steps()), network.first_step("last")
    (18, 16)
    """

    mean = (lite0.MEAN,) * 3
    std = (lite0.STD,) * 3
    size = lite0.IMAGE_SIZE
    dim = lite0.HEAD_CHANNELS

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self._conv_stem = _convolution(3, lite0.STEM_CHANNELS, 3)
        self._bn0 = _norm(lite0.STEM_CHANNELS)
        self._blocks = nn.ModuleList(_Block(block) for block in lite0.blocks())
        self._conv_head = _convolution(lite0.STAGES[-1].channels, lite0.HEAD_CHANNELS, 1)
        self._bn1 = _norm(lite0.HEAD_CHANNELS)
        self._fc = nn.Linear(lite0.HEAD_CHANNELS, lite0.CLASSES)
        self.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
        self._fc.requires_grad_(False)  # ImageNet's classes are not what is learned

    def steps(self) -> list[list[nn.Module]]:
        """See `TunableNetwork.steps`: the first convolution, 16 blocks, the last one."""
        ends = [self._conv_stem, self._bn0], [self._conv_head, self._bn1]
        return [ends[0], *([block] for block in self._blocks), ends[1]]

    def first_step(self, unfreeze: str) -> int:
        """See `TunableNetwork.first_step`."""
        return {"last": len(self._blocks), "half": 1 + len(self._blocks) // 2, "all": 0}[unfreeze]

    def forward(self, x: torch.Tensor, start: int = 0) -> dict[str, torch.Tensor]:
        """See `TunableNetwork.forward`."""
        if start == 0:
            x = functional.relu6(self._bn0(_same(self._conv_stem, x, stride=2)))
        for block in self._blocks[max(start - 1, 0) :]:
            x = block(x)
        second_last = x.mean((2, 3))
        last = functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return {"last": last, "second_last": second_last, "logits": self._fc(last)}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the tensors by their names in the checkpoint."""
        return {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}

    def to_onnx(self) -> bytes:
        """See `TunableNetwork.to_onnx`; BatchNorm is folded as for the network as it came."""
        return build_graph(self.weights())

    def trunk(self, start: int) -> bytes | None:
        """See `TunableNetwork.trunk`."""
        return None if start == 0 else build_trunk(self.weights(), start - 1)

    def activation_shape(self, start: int) -> tuple[int, ...]:
        """See `TunableNetwork.activation_shape`."""
        strides = [2, *(block.stride for block in lite0.blocks())][:start]
        side = self.size // int(np.prod(strides))
        return lite0.channels_behind(start - 1), side, side


class _Block(nn.Module):  # type: ignore[misc]
    """One inverted-residual block."""

    def __init__(self, block: lite0.Block) -> None:
        super().__init__()
        self.block = block
        inner = block.channels_in * block.expansion
        if block.expansion != 1:
            self._expand_conv = _convolution(block.channels_in, inner, 1)
            self._bn0 = _norm(inner)
        self._depthwise_conv = _convolution(inner, inner, block.kernel, groups=inner)
        self._bn1 = _norm(inner)
        self._project_conv = _convolution(inner, block.channels_out, 1)
        self._bn2 = _norm(block.channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x
        if self.block.expansion != 1:
            x = functional.relu6(self._bn0(self._expand_conv(x)))
        x = _same(self._depthwise_conv, x, self.block.stride)
        x = self._bn2(self._project_conv(functional.relu6(self._bn1(x))))
        return x + shortcut if self.block.has_residual else x


def _convolution(channels_in: int, channels_out: int, kernel: int, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=lite0.BATCH_NORM_EPSILON)


def _same(convolution: nn.Conv2d, x: torch.Tensor, stride: int) -> torch.Tensor:
    """Apply a convolution with TensorFlow's padding, of which an odd pixel goes behind."""
    weight = convolution.weight
    before, after = lite0.same_padding(x.shape[-1], weight.shape[-1], stride)
    if before != after:
        x, before = functional.pad(x, (before, after, before, after)), 0
    return functional.conv2d(x, weight, None, stride, before, 1, convolution.groups)
