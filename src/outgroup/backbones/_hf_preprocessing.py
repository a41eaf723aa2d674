"""Read the ``preprocessor_config.json`` that Hugging Face puts beside a vision model.

Keys read: ``do_resize``, ``size``, ``crop_pct``, ``do_center_crop``, ``crop_size``, ``resample``,
``do_rescale``, ``rescale_factor``, ``do_normalize``, ``image_mean``, ``image_std``; and of
outgroup's own, ``outgroup_output``, the name of the output that is the embedding.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from outgroup.errors import BackboneError, InvalidParameterError
from outgroup.images import Preprocessing

OUTPUT_KEY = "outgroup_output"

# PIL's codes of its filters.
_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration in a file.

    Raises
    ------
    BackboneError
        If the file can't be read or is not a JSON object.
    """
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} can't be read as JSON: {error}.") from error
    if not isinstance(config, dict):
        raise BackboneError(f"{path} must hold a JSON object.")
    return config


def preprocessing_from_config(config: dict[str, Any]) -> Preprocessing:
    """Return the preprocessing that a configuration describes.

    Raises
    ------
    BackboneError
        If the configuration can't be followed to the letter; the message says which part.

    Examples
    --------
    >>> preprocessing_from_config(
    ...     {"size": {"shortest_edge": 256}, "crop_size": 224, "do_normalize": False}
    ... ).resize
    256
    """
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
            f"preprocessor_config.json can't be followed ({error!r}). Pass a Preprocessing instead."
        ) from error


def _geometry(config: dict[str, Any]) -> tuple[int, int, bool]:
    """Return resize, crop, and whether the picture is squashed to a square."""
    if not config.get("do_resize", True):
        raise ValueError("do_resize is false, so images of other sizes can't be used")
    size = config["size"]
    crops = config.get("do_center_crop", "crop_size" in config)
    if isinstance(size, int):
        # Without a crop, only squashing makes the square that a network takes.
        size = {"shortest_edge": size} if crops else {"height": size, "width": size}
    if "shortest_edge" in size:
        resize, squash = size["shortest_edge"], False
        if "crop_pct" in config:  # as ConvNeXt: crop to `size` what was resized to more
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


def _normalisation(
    config: dict[str, Any],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and standard deviation on the scale 0 to 255."""
    # A network sees (x * factor - mean) / std, which is (x - mean / factor) / (std / factor).
    factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    if config.get("do_normalize", True):
        mean, std = config["image_mean"], config["image_std"]
    else:
        mean, std = (0.0,) * 3, (1.0,) * 3
    (m0, m1, m2), (s0, s1, s2) = mean, std
    return (m0 / factor, m1 / factor, m2 / factor), (s0 / factor, s1 / factor, s2 / factor)
