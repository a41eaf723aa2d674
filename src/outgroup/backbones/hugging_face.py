"""ONNX networks with Hugging Face's ``preprocessor_config.json``: ``onnx:PATH``, ``hf:OWNER/NAME``.

Keys read: ``do_resize``, ``size``, ``crop_pct``, ``do_center_crop``, ``crop_size``, ``resample``,
``do_rescale``, ``rescale_factor``, ``do_normalize``, ``image_mean``, ``image_std``; and outgroup's
own ``outgroup_output``, the name of the output that is the embedding.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

from outgroup.backbones.base import BACKBONES, BackboneFamily
from outgroup.backbones.onnx_backbone import OnnxBackbone
from outgroup.backbones.onnx_file import ADAPTER_VERSION, adapt, read_onnx
from outgroup.errors import BackboneError, InvalidParameterError, MissingExtraError
from outgroup.images import Preprocessing

CONFIG = "preprocessor_config.json"

_MODEL = "onnx/model.onnx"
_FILES = [_MODEL, f"{_MODEL}_data*", f"{_MODEL}.data", CONFIG]
_REPOSITORY = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")

# PIL's codes of its filters.
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


@BACKBONES.register("onnx")
class OnnxFile(BackboneFamily):
    """An ONNX image network in a file, with a ``preprocessor_config.json`` beside it."""

    spec = "onnx:PATH"
    summary = f"your own network: one float image input; {CONFIG} beside it"
    licence = "the network's own"
    source = "a file of yours"

    @classmethod
    def load(
        cls, argument: str, *, preprocessing: Preprocessing | None, output: str | None
    ) -> OnnxBackbone:
        """Return the backbone in the file `argument`."""
        if not argument:
            raise InvalidParameterError(
                "Invalid `backbone`: must be 'onnx:PATH' with the path of an ONNX file, "
                "got 'onnx:'."
            )
        path, name = Path(argument), f"onnx:{argument}"
        config = path.parent / CONFIG
        return _load(path, config, name, cls.licence, cls.source, preprocessing, output)


@BACKBONES.register("hf")
class HuggingFaceModel(BackboneFamily):
    """An ONNX model on the Hugging Face hub: ``onnx/model.onnx`` and its preprocessing.

    An argument that begins with ``.``, ``/`` or ``~`` is a local folder of the same layout.
    """

    spec = "hf:OWNER/NAME"
    summary = f"a model on the Hugging Face hub that has {_MODEL}; @REVISION pins it"
    licence = "the model's own, see its page"
    source = "https://huggingface.co/OWNER/NAME"

    @classmethod
    def load(
        cls, argument: str, *, preprocessing: Preprocessing | None, output: str | None
    ) -> OnnxBackbone:
        """Return the model of the repository or in the folder that `argument` names."""
        if argument.startswith((".", "/", "~")) or Path(argument).is_absolute():
            folder, source = Path(argument).expanduser(), argument
        else:
            folder, source = _download(argument)
        if not (folder / _MODEL).is_file():
            raise BackboneError(
                f"{argument} has no {_MODEL}. Export it with 'optimum-cli export onnx', and name "
                f"the file with onnx:PATH."
            )
        path, config, name = folder / _MODEL, folder / CONFIG, f"hf:{argument}"
        return _load(path, config, name, cls.licence, source, preprocessing, output)


def _download(argument: str) -> tuple[Path, str]:
    """Return the local folder of a repository, and its page."""
    match = _REPOSITORY.fullmatch(argument)
    if match is None:
        raise InvalidParameterError(
            f"Invalid `backbone`: must be 'hf:OWNER/NAME', 'hf:OWNER/NAME@REVISION' or "
            f"'hf:./FOLDER', got 'hf:{argument}'."
        )
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError("A backbone from the Hugging Face hub", "hub") from error
    try:
        folder = huggingface_hub.snapshot_download(
            match["repository"], revision=match["revision"], allow_patterns=_FILES
        )
    except Exception as error:  # the hub's client lets errors of its HTTP library through
        raise BackboneError(
            f"{argument} can't be downloaded from the Hugging Face hub: {error} Check the name and "
            f"the network, or copy the model here and name its folder: hf:./FOLDER"
        ) from error
    return Path(folder), f"https://huggingface.co/{match['repository']}"


def _load(
    path: Path,
    config_path: Path,
    name: str,
    licence: str,
    source: str,
    preprocessing: Preprocessing | None,
    output: str | None,
) -> OnnxBackbone:
    model, file_digest = read_onnx(path)
    config = _read_config(config_path) if config_path.exists() else {}
    if preprocessing is None:
        if not config:
            raise BackboneError(
                f"Nothing says how images are prepared for {path}. Put the model's {CONFIG} at "
                f"{config_path}, or pass preprocessing=Preprocessing(...)."
            )
        preprocessing = _preprocessing(config)
    output = output or config.get("outgroup_output")
    graph = adapt(model, preprocessing, output)
    # The serialised graph is not hashed: another version of onnx may write other bytes.
    parts = [ADAPTER_VERSION, file_digest, output, preprocessing.mean, preprocessing.std]
    return OnnxBackbone(
        lambda: graph,
        name=name,
        digest=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
        preprocessing=preprocessing,
        licence=licence,
        source=source,
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} can't be read as JSON: {error}.") from error
    if not isinstance(config, dict):
        raise BackboneError(f"{path} must hold a JSON object.")
    return config


def _preprocessing(config: dict[str, Any]) -> Preprocessing:
    """Return the preprocessing of a configuration, refused if a part can't be followed exactly."""
    try:
        resize, crop, squash = _geometry(config)
        mean, std = _normalisation(config)
        return Preprocessing(
            resize=resize,
            crop=crop,
            resample=_RESAMPLE[config.get("resample", 2)],
            mean=mean,
            std=std,
            keep_aspect=not squash,
        )
    except (InvalidParameterError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise BackboneError(
            f"{CONFIG} can't be followed ({error!r}). Pass a Preprocessing instead."
        ) from error


def _geometry(config: dict[str, Any]) -> tuple[int, int, bool]:
    """Return resize, crop, and whether the image is squashed to a square."""
    if not config.get("do_resize", True):
        raise ValueError("do_resize is false, so images of other sizes can't be used")
    size = config["size"]
    crops = config.get("do_center_crop", "crop_size" in config)
    if isinstance(size, int):
        # Without a crop, only squashing makes the square that a network takes.
        size = {"shortest_edge": size} if crops else {"height": size, "width": size}
    if "shortest_edge" in size:
        resize, squash = size["shortest_edge"], False
        if "crop_pct" in config:  # as in ConvNeXt: resized to more than `size`, cropped to `size`
            return math.floor(resize / config["crop_pct"]), resize, squash
    else:
        resize, squash = _square(size), True
    crop = _square(config["crop_size"]) if crops else resize
    return resize, crop, squash


def _square(size: int | dict[str, int]) -> int:
    if isinstance(size, int):
        return size
    if size["height"] != size["width"]:
        raise ValueError(f"{size} is not a square")
    return size["height"]


def _normalisation(config: dict[str, Any]) -> tuple[Any, Any]:
    """Return mean and standard deviation of the three channels on the scale 0 to 255."""
    # A network sees (x * factor - mean) / std, which is (x - mean / factor) / (std / factor).
    factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    mean, std = (0.0,) * 3, (1.0,) * 3
    if config.get("do_normalize", True):
        mean, std = config["image_mean"], config["image_std"]
    return tuple(value / factor for value in mean), tuple(value / factor for value in std)
