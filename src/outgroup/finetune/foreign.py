"""Networks of one's own, and those of timm."""

from __future__ import annotations

import io
import warnings
from typing import Any

from outgroup.backbones._onnx_adapter import adapt
from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.finetune._torch import nn, torch
from outgroup.finetune.network import TunableNetwork
from outgroup.images import Preprocessing

TIMM = "timm:"

_OPSET = 17


class ModuleNetwork(TunableNetwork):
    """Any module from normalised images to an embedding.

    Its steps are its modules with weights in the order in which they were made, those inside an
    ``nn.Sequential`` one by one. Weights that are in none of these, such as the class token of a
    vision transformer, are not tuned.

    Parameters
    ----------
    module : nn.Module
        Takes float images (n, 3, size, size), gives (n, d), or (n, d, h, w), which is averaged.
    preprocessing : Preprocessing
        How its images are resized and normalised.

    Raises
    ------
    BackboneError
        If it gives anything else.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3))
    >>> network = ModuleNetwork(module, Preprocessing(resize=16, crop=16))
    >>> network.dim, len(network.steps()), network.first_step("last")
    (8, 2, 1)
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
        """See `TunableNetwork.first_step`."""
        steps = self.steps()
        # what only scales and shifts, such as a last normalisation, is not much of a part
        matrices = [any(p.ndim > 1 for p in part[0].parameters()) for part in steps]
        last = max((i for i, has in enumerate(matrices) if has), default=len(steps) - 1)
        return {"last": last, "half": len(steps) // 2, "all": 0}[unfreeze]

    def forward(self, x: torch.Tensor, start: int = 0) -> dict[str, torch.Tensor]:
        """See `TunableNetwork.forward`; `start` must be 0: it can't be entered midway."""
        out = self.module(x)
        return {"last": out.mean((2, 3)) if out.ndim == 4 else out}

    def to_onnx(self) -> bytes:
        """See `TunableNetwork.to_onnx`.

        torch writes the graph: by its older exporter, which needs no other package, and where that
        can't, by the newer one, which needs onnxscript.
        """
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
                "The network must give one vector, or one map of features, for each image. For "
                f"one image it gave {got}. Wrap it in a module that returns its embedding."
            )
        return int(out.shape[1])

    def _blank(self) -> torch.Tensor:
        weight = next(iter(self.module.parameters()), torch.zeros(1))
        return torch.zeros(1, 3, self.size, self.size, device=weight.device)


def network_from_timm(name: str) -> ModuleNetwork:
    """Return a pretrained network of timm, without its classifier, with timm's preprocessing.

    Raises
    ------
    BackboneError
        If timm is not installed, or can't be imported.
    InvalidParameterError
        If timm has no such network.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise BackboneError(f"{TIMM}{name} needs timm: pip install timm") from error
    except Exception as error:  # timm imports torchvision, which may be of another torch
        raise BackboneError(
            f"{TIMM}{name} needs timm, which is installed and can't be imported: {error}. Install "
            "the builds of torch and torchvision that belong together."
        ) from error
    if name not in timm.list_models():
        raise InvalidParameterError(
            f"The 'network' parameter must be 'timm:NAME' with a name of timm.list_models(). "
            f"Got {TIMM + name!r} instead."
        )
    module = timm.create_model(name, pretrained=True, num_classes=0)
    return ModuleNetwork(module, timm_preprocessing(timm.data.resolve_model_data_config(module)))


def timm_preprocessing(config: dict[str, Any]) -> Preprocessing:
    """Return the preprocessing that timm's data configuration describes.

    Examples
    --------
    >>> config = {"input_size": (3, 224, 224), "crop_pct": 0.875, "interpolation": "bicubic",
    ...           "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    >>> timm_preprocessing(config).resize, timm_preprocessing(config).mean
    (256, (127.5, 127.5, 127.5))
    """
    crop = int(config["input_size"][-1])
    scale = [tuple(255.0 * value for value in config[name]) for name in ("mean", "std")]
    return Preprocessing(
        resize=int(crop / config.get("crop_pct", 1.0)),
        crop=crop,
        resample=config.get("interpolation", "bicubic"),
        mean=scale[0],
        std=scale[1],
    )


class _Embedding(nn.Module):  # type: ignore[misc]
    def __init__(self, network: ModuleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)["last"]


def _parts(module: nn.Module) -> list[nn.Module]:
    """Return the children of a module, those of a mere sequence in its place."""
    parts: list[nn.Module] = []
    for child in module.children():
        nested = isinstance(child, (nn.Sequential, nn.ModuleList))
        parts += _parts(child) if nested else [child]
    return parts


def _exported(module: nn.Module, image: torch.Tensor) -> bytes:
    names: dict[str, Any] = {"input_names": ["image"], "output_names": ["features"]}
    names["dynamic_axes"] = {"image": {0: "n"}, "features": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter: that there is a newer one
        try:
            file = io.BytesIO()
            torch.onnx.export(module, (image,), file, dynamo=False, opset_version=_OPSET, **names)
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
