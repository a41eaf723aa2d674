"""Networks that can be tuned: a sequence of steps from the image to the embedding.

`Lite0` is the bundled network. Its modules are named as the tensors of the checkpoint are, so that
weights go in and tuned weights come out by name. `ModuleNetwork` takes any other torch module.
"""

from __future__ import annotations

import io
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from outgroup._numeric import require
from outgroup.backbones import efficientnet_lite0 as lite0
from outgroup.backbones.efficientnet_lite0 import build_graph, build_trunk
from outgroup.backbones.onnx_file import adapt
from outgroup.errors import BackboneError
from outgroup.images import Preprocessing

TIMM = "timm:"


class TunableNetwork(nn.Module):  # type: ignore[misc]
    """A network from pixels to embeddings, of which all steps or the last ones can be tuned.

    Pixels from 0 to 255 are normalised by `mean` and `std`; `size` is the side of an image, `dim`
    the length of the embedding "last". The statistics of BatchNorm are never updated: those of
    small batches, half of them negatives, are not the statistics of images of the classes.
    """

    mean: Any
    std: Any
    size: int
    dim: int

    @abstractmethod
    def steps(self) -> list[list[nn.Module]]:
        """Return the modules with weights, in the order from the image to the embedding."""

    @abstractmethod
    def first_step(self, unfreeze: str) -> int:
        """Return the first step that is tuned for "last", "half" or "all"."""

    @abstractmethod
    def forward(self, x: torch.Tensor, start: int = 0) -> dict[str, torch.Tensor]:
        """Return the layers for normalised pixels, or for the activations that enter `start`."""

    @abstractmethod
    def to_onnx(self) -> bytes:
        """Return the network as `Backbone.model_bytes` describes it."""

    def trunk(self, start: int) -> tuple[bytes, tuple[int, ...]] | None:
        """Return the steps before `start` as ONNX, with the flat output "activations", or None.

        The shape is that of the activations of one image.
        """
        return None

    def unfreeze(self, start: int) -> None:
        """Freeze the weights before step `start`, and let the others learn."""
        for number, modules in enumerate(self.steps()):
            for module in modules:
                module.requires_grad_(number >= start)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (n, size, size, 3) as `forward` takes them."""
        mean, std = (torch.tensor(v, device=pixels.device) for v in (self.mean, self.std))
        return ((pixels.float() - mean) / std).permute(0, 3, 1, 2).contiguous()

    def train(self, mode: bool = True) -> TunableNetwork:
        """Set the mode; BatchNorm stays in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self


class Lite0(TunableNetwork):
    """EfficientNet-Lite0, the bundled network, with the tensors of its checkpoint by name."""

    mean = (lite0.MEAN,) * 3
    std = (lite0.STD,) * 3
    size = lite0.IMAGE_SIZE
    dim = lite0.HEAD_CHANNELS

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self._conv_stem = _convolution(3, lite0.STEM_CHANNELS, 3)
        self._bn0 = _norm(lite0.STEM_CHANNELS)
        self._blocks = nn.ModuleList(_Block(block) for block in lite0.BLOCKS)
        self._conv_head = _convolution(lite0.BLOCKS[-1].channels_out, lite0.HEAD_CHANNELS, 1)
        self._bn1 = _norm(lite0.HEAD_CHANNELS)
        self._fc = nn.Linear(lite0.HEAD_CHANNELS, lite0.CLASSES)
        self.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
        self._fc.requires_grad_(False)  # ImageNet's classes are not learned

    def steps(self) -> list[list[nn.Module]]:
        """See `TunableNetwork.steps`: the first convolution, 16 blocks, the last convolution."""
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

    def to_onnx(self) -> bytes:
        """See `TunableNetwork.to_onnx`."""
        return build_graph(self._weights())

    def trunk(self, start: int) -> tuple[bytes, tuple[int, ...]] | None:
        """See `TunableNetwork.trunk`."""
        if start == 0:
            return None
        strides = [2, *(block.stride for block in lite0.BLOCKS)][:start]
        side = self.size // int(np.prod(strides))
        shape = (lite0.channels_behind(start - 1), side, side)
        return build_trunk(self._weights(), start - 1), shape

    def _weights(self) -> dict[str, np.ndarray]:
        return {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}


class _Block(nn.Module):  # type: ignore[misc]
    """One inverted-residual block."""

    def __init__(self, block: lite0.InvertedResidual) -> None:
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
    """Apply a convolution with TensorFlow's "same" padding, which puts an odd pixel at the end."""
    weight = convolution.weight
    before, after = lite0.same_padding(x.shape[-1], weight.shape[-1], stride)
    if before != after:
        x, before = functional.pad(x, (before, after, before, after)), 0
    return functional.conv2d(x, weight, None, stride, before, 1, convolution.groups)


class ModuleNetwork(TunableNetwork):
    """Any torch module from normalised images (n, 3, size, size) to an embedding.

    The module returns (n, d), or (n, d, h, w), which is averaged. Its steps are its children with
    weights in the order of their creation; those of an ``nn.Sequential`` or ``nn.ModuleList`` count
    one by one. Weights outside all children, such as the class token of a vision transformer, are
    not tuned.
    """

    def __init__(self, module: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.module = module
        self.preprocessing = preprocessing
        self.mean, self.std = preprocessing.mean, preprocessing.std
        self.size = preprocessing.crop
        self.dim = self._probe()

    def steps(self) -> list[list[nn.Module]]:
        """See `TunableNetwork.steps`."""
        found = [[part] for part in _parts(self.module) if any(True for _ in part.parameters())]
        return found or [[self.module]]

    def first_step(self, unfreeze: str) -> int:
        """See `TunableNetwork.first_step`; "last" is the last step with a matrix of weights."""
        steps = self.steps()
        matrices = [any(p.ndim > 1 for p in part[0].parameters()) for part in steps]
        last = max((i for i, has in enumerate(matrices) if has), default=len(steps) - 1)
        return {"last": last, "half": len(steps) // 2, "all": 0}[unfreeze]

    def forward(self, x: torch.Tensor, start: int = 0) -> dict[str, torch.Tensor]:
        """See `TunableNetwork.forward`; `start` must be 0."""
        out = self.module(x)
        return {"last": out.mean((2, 3)) if out.ndim == 4 else out}

    def to_onnx(self) -> bytes:
        """See `TunableNetwork.to_onnx`."""
        import onnx

        module = _Embedding(self).eval().cpu()
        model = onnx.load_model_from_string(_exported(module, self._blank().cpu()))
        return adapt(model, self.preprocessing, "features")

    def _probe(self) -> int:
        self.eval()
        try:
            with torch.no_grad():
                out = self.module(self._blank())
        except Exception as error:  # whatever a foreign module raises
            raise BackboneError(
                f"The network can't be run on an image of {self.size} pixels: {error}"
            ) from error
        if not isinstance(out, torch.Tensor) or out.ndim not in (2, 4) or len(out) != 1:
            got = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
            raise BackboneError(
                "The network must return one vector, or one map of features, for each image. For "
                f"one image it returned {got}. Wrap it in a module that returns its embedding."
            )
        return int(out.shape[1])

    def _blank(self) -> torch.Tensor:
        weight = next(iter(self.module.parameters()), torch.zeros(1))
        return torch.zeros(1, 3, self.size, self.size, device=weight.device)


def network_from_timm(name: str) -> ModuleNetwork:
    """Return a pretrained network of timm, without its classifier, with timm's preprocessing."""
    try:
        import timm
    except ModuleNotFoundError as error:
        raise BackboneError(f"{TIMM}{name} needs timm: pip install timm") from error
    except Exception as error:  # timm imports torchvision, which may be of another torch
        raise BackboneError(
            f"{TIMM}{name} needs timm, which is installed but can't be imported: {error}. Install "
            "builds of torch and torchvision that match."
        ) from error
    fine = name in timm.list_models()
    require(fine, "network", "'timm:NAME' with a name of timm.list_models()", TIMM + name)
    module = timm.create_model(name, pretrained=True, num_classes=0)
    return ModuleNetwork(module, timm_preprocessing(timm.data.resolve_model_data_config(module)))


def timm_preprocessing(config: dict[str, Any]) -> Preprocessing:
    """Return the preprocessing that timm's data configuration describes."""
    crop = int(config["input_size"][-1])
    mean, std = (tuple(255.0 * value for value in config[name]) for name in ("mean", "std"))
    return Preprocessing(
        resize=int(crop / config.get("crop_pct", 1.0)),
        crop=crop,
        resample=config.get("interpolation", "bicubic"),
        mean=mean,
        std=std,
    )


class _Embedding(nn.Module):  # type: ignore[misc]
    """The embedding alone, for the exporter."""

    def __init__(self, network: ModuleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)["last"]


def _parts(module: nn.Module) -> list[nn.Module]:
    """Return the children of a module; sequences are replaced by their own children."""
    parts: list[nn.Module] = []
    for child in module.children():
        nested = isinstance(child, (nn.Sequential, nn.ModuleList))
        parts += _parts(child) if nested else [child]
    return parts


def _exported(module: nn.Module, image: torch.Tensor) -> bytes:
    """Export by torch's older exporter or, where it fails, by the newer one."""
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["features"]}
    names["dynamic_axes"] = {"image": {0: "n"}, "features": {0: "n"}}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter warns that there is a newer one
        try:
            torch.onnx.export(module, (image,), file, dynamo=False, opset_version=17, **names)
        except Exception as error:  # torch's exporters raise many kinds
            try:
                import onnxscript  # noqa: F401
            except ImportError:
                raise BackboneError(
                    f"torch's older exporter can't write this network as ONNX ({error}). The newer "
                    "one may: pip install onnxscript"
                ) from error
            file = io.BytesIO()
            torch.onnx.export(module, (image,), file, dynamo=True, **names)
    return file.getvalue()
