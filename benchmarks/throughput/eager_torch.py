"""The same network in eager PyTorch behind a DataLoader, run in an environment of its own.

Built from the same table of stages and the same checkpoint. Prints one JSON line; with ``--check``
it writes the outputs for the first images, to be compared with ONNX Runtime's.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from pictures import decode
from torch import nn
from torch.nn import functional

from outgroup.backbones import efficientnet_lite0 as lite0

BATCH = 32
WORKERS = 2


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad, then convolve."""
        before, after = lite0.same_padding(x.shape[-1], self.kernel_size[0], self.stride[0])
        return super().forward(functional.pad(x, (before, after, before, after)))


def norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=lite0.BATCH_NORM_EPSILON)


class InvertedResidual(nn.Module):
    """One block; the attributes have the names that the checkpoint uses."""

    def __init__(self, block: lite0.InvertedResidual) -> None:
        super().__init__()
        wide = block.channels_in * block.expansion
        if block.expansion != 1:
            self._expand_conv = SameConv(block.channels_in, wide, 1, bias=False)
            self._bn0 = norm(wide)
        self._depthwise_conv = SameConv(
            wide, wide, block.kernel, block.stride, groups=wide, bias=False
        )
        self._bn1 = norm(wide)
        self._project_conv = SameConv(wide, block.channels_out, 1, bias=False)
        self._bn2 = norm(block.channels_out)
        self.block = block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Widen, filter, project, add."""
        shortcut = x
        if self.block.expansion != 1:
            x = functional.relu6(self._bn0(self._expand_conv(x)))
        x = functional.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        return x + shortcut if self.block.has_residual else x


class Lite0(nn.Module):
    """EfficientNet-Lite0: normalised images in, (last, second_last, logits) out."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, lite0.STEM_CHANNELS, 3, 2, bias=False)
        self._bn0 = norm(lite0.STEM_CHANNELS)
        self._blocks = nn.ModuleList(InvertedResidual(block) for block in lite0.BLOCKS)
        widest = lite0.BLOCKS[-1].channels_out
        self._conv_head = SameConv(widest, lite0.HEAD_CHANNELS, 1, bias=False)
        self._bn1 = norm(lite0.HEAD_CHANNELS)
        self._fc = nn.Linear(lite0.HEAD_CHANNELS, lite0.CLASSES)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the outputs in the order of `efficientnet_lite0.LAYERS`."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        second_last = x.mean((2, 3))
        last = functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
        return last, second_last, self._fc(last)


class Pictures(torch.utils.data.Dataset):
    """Decoded and normalised images by number."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> torch.Tensor:
        pixels = torch.from_numpy(decode(self.paths[number]).copy())
        return (pixels.permute(2, 0, 1).float() - 127) / 128


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("paths", type=Path, help="JSON list of image files")
    parser.add_argument("--check", type=Path)
    options = parser.parse_args()
    paths = json.loads(options.paths.read_text())
    network = Lite0().eval()
    network.load_state_dict(torch.load(options.weights, weights_only=True))
    with torch.inference_mode():
        first = torch.stack([Pictures(paths)[i] for i in range(min(16, len(paths)))])
        outputs = network(first)  # also the warm-up
        if options.check:
            np.savez(
                options.check, **dict(zip(lite0.LAYERS, map(np.asarray, outputs), strict=True))
            )
        loader = torch.utils.data.DataLoader(Pictures(paths), BATCH, num_workers=WORKERS)
        start = time.perf_counter()
        for images in loader:
            network(images)
        seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
