"""Which column of a Parquet file holds the images, and a cell of it as an image."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import Any

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import MAX_BYTES, ImageSource

#: What a column of images is mostly called, the most usual first.
NAMES = ("image", "img", "jpg", "jpeg", "png", "webp", "picture", "photo", "bytes", "content")
PATH_NAMES = ("path", "file_name", "filename", "file", "image_path", "url", "image_url")

URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
NO_DOWNLOAD = (
    "a URL; images are not downloaded, do that first (for example with img2dataset, whose shards "
    "can be read)"
)


def image_column(schema: Any, wanted: str | None, path: str) -> str:
    """Return the name of the column that holds the images.

    In this order: the one that is `wanted`; one that the Hugging Face library says is of images; a
    struct with a field "bytes"; bytes; text of paths. Of several it is the one of a usual name.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the file.
    wanted : str or None
        The name that was asked for.
    path : str
        The file, for messages.

    Raises
    ------
    InvalidParameterError
        If there is no column of the name that is wanted.
    InvalidDataError
        If there is no column of images, or several that may be meant.
    """
    listed = ", ".join(map(repr, schema.names))
    if wanted is not None:
        if wanted not in schema.names:
            raise InvalidParameterError(
                f"The column behind the '#' must be one of {listed}. Got {wanted!r} instead."
            )
        return wanted
    tiers = (
        (_declared(schema), NAMES),
        ([f.name for f in schema if _is_struct(f.type)], NAMES),
        ([f.name for f in schema if _is_binary(f.type)], NAMES),
        ([f.name for f in schema if _is_text(f.type) and f.name in PATH_NAMES], PATH_NAMES),
    )
    for found, names in tiers:
        usual = [name for name in names if name in found]
        if usual or len(found) == 1:
            return (usual or found)[0]
        if found:
            raise InvalidDataError(
                f"{path} has several columns that may hold images: {', '.join(map(repr, found))}. "
                f"Name one behind a '#': {path}#{found[0]}"
            )
    raise InvalidDataError(f"{path} has no column of images. Its columns are {listed}.")


def _declared(schema: Any) -> list[str]:
    """Return the columns that the Hugging Face library wrote as images."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        kinds = {name: dict(feature).get("_type") for name, feature in features.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return []
    return [name for name in schema.names if kinds.get(name) == "Image"]


def _is_struct(kind: Any) -> bool:
    import pyarrow.types

    if not pyarrow.types.is_struct(kind):
        return False
    index = kind.get_field_index("bytes")
    return index >= 0 and _is_binary(kind.field(index).type)


def _is_binary(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def image_of_cell(cell: object, folder: str | None) -> tuple[ImageSource | None, str]:
    """Return the image of a cell, or None and the reason why there is none.

    Parameters
    ----------
    cell : object
        Bytes, a path, or a dict with the fields "bytes" and "path".
    folder : str or None
        The local folder that paths start from; None where there is none.

    Examples
    --------
    >>> image_of_cell({"bytes": None, "path": None}, None)
    (None, 'an empty row')
    """
    if isinstance(cell, dict):
        cell = cell["bytes"] if cell["bytes"] is not None else cell.get("path")
    if not cell:
        return None, "an empty row"
    if isinstance(cell, bytes):
        if len(cell) > MAX_BYTES:
            return None, f"more than the {MAX_BYTES:,} bytes that are read of one image"
        return cell, ""
    if not isinstance(cell, str):
        return None, "neither the bytes of an image nor a path"
    if URL.match(cell):
        return None, NO_DOWNLOAD
    if folder is None:
        return None, "a path on another machine"
    return os.path.join(folder, cell), ""


def text_columns(names: Iterable[str], image: str) -> list[str]:
    """Return which of the columns tell source and group."""
    return [name for name in ("source", "group") if name in names and name != image]
