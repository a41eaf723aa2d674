"""Folders of images: one sub-folder a class, or all of one kind."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from outgroup.data.samples import Samples, Skipped
from outgroup.data.values import file_name_text
from outgroup.data.walking import Walk, walk
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource

IN_MEMORY = "memory"  # the origin of an image that came without a path

LAYOUT = """
    {root}
    ├── cat    1.jpg 2.jpg ...
    ├── dog    1.jpg 2.jpg ...
    └── ...    one folder a class, named like the class"""


def from_folder(root: str | os.PathLike[str]) -> Samples:
    """Return the images of a folder that holds one sub-folder a class.

    Parameters
    ----------
    root : str or os.PathLike
        The folder. The label of a file is the name of the sub-folder of `root` that it is in,
        however deep.

    Returns
    -------
    Samples
        Sorted by path. The origin is the name of `root`. Files right in `root` belong to no class
        and are among the skipped, as are sub-folders without files.

    Raises
    ------
    InvalidParameterError
        If `root` is no folder.
    InvalidDataError
        If there is no sub-folder with a file in it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> root = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("cat", "dog"):
    ...     (root / name).mkdir()
    ...     (root / name / "1.jpg").touch()
    >>> from_folder(root).labels
    ('cat', 'dog')
    """
    root = os.fspath(root)
    if not os.path.isdir(root):
        raise InvalidParameterError(
            f"The 'root' parameter must be a folder that exists. Got {root!r} instead."
        )
    found = walk(root)
    in_classes = [parts for parts in found.files if len(parts) > 1]
    if not in_classes:
        problem = f"{len(found.files)} files right in it" if found.files else "no files"
        raise InvalidDataError(
            f"No class was found in {root!r}: it has {problem}. It must look like this:"
            + LAYOUT.format(root=file_name_text(root))
        )
    return Samples(
        [found.path(parts) for parts in in_classes],
        [file_name_text(parts[0]) for parts in in_classes],
        [None] * len(in_classes),
        [_folder_name(root)] * len(in_classes),
        skipped=[*found.skipped, *_in_no_class(found)],
    )


def _in_no_class(found: Walk) -> Iterator[Skipped]:
    for parts in found.files:
        if len(parts) == 1:
            yield Skipped(found.path(parts), "in no class folder")
    filled = {parts[0] for parts in found.files}
    explained = {skipped.path for skipped in found.skipped}
    for name in found.folders:
        path = found.path((name,))
        if name not in filled and path not in explained:
            yield Skipped(path, "a class folder without files")


def from_images(
    images: ImageSource | Iterable[ImageSource], *, label: str | None = None
) -> Samples:
    """Return images that are all of one kind, such as negatives, or images to predict.

    Parameters
    ----------
    images : ImageSource or iterable of ImageSource
        A folder, of which every file is taken, however deep; a file; an image in memory; or many of
        these, mixed. An array of 4 dimensions is many images.
    label : str or None
        The label of all of them; None for other.

    Returns
    -------
    Samples
        In the order given, each folder sorted by path. The origin of a file is the sub-folder of
        the given folder that it is in, or the given folder itself; of a file given by its path the
        folder it is in; of an image in memory "memory".

    Raises
    ------
    InvalidParameterError
        If `images` is none of these.
    InvalidDataError
        If nothing was given, or a folder has no files in it.

    Examples
    --------
    >>> samples = from_images(["web/cat.jpg", b"bytes of an image"])
    >>> samples.labels, samples.origins
    ((None, None), ('web', 'memory'))
    """
    sources: list[ImageSource] = []
    origins: list[str] = []
    skipped: list[Skipped] = []
    for source in _one_or_many(images):
        if not isinstance(source, (str, os.PathLike)):
            sources.append(source)
            origins.append(IN_MEMORY)
        elif not os.path.isdir(source):  # a path that leads nowhere fails when it is opened
            sources.append(str(os.fspath(source)))
            origins.append(_folder_name(os.path.dirname(source)))
        else:
            found = walk(os.fspath(source))
            if not found.files:
                raise InvalidDataError(_no_files(found.root, len(found.skipped)))
            name = _folder_name(found.root)
            sources += map(found.path, found.files)
            origins += [file_name_text(p[0]) if len(p) > 1 else name for p in found.files]
            skipped += found.skipped
    if not sources:
        raise InvalidDataError("The 'images' parameter must hold at least one image. Got none.")
    rows = len(sources)
    return Samples(sources, [label] * rows, [None] * rows, origins, skipped=skipped)


def _one_or_many(images: ImageSource | Iterable[ImageSource]) -> Iterable[ImageSource]:
    if isinstance(images, np.ndarray):
        many = images.ndim >= 4 or images.dtype.kind in "OU"  # the latter: an array of paths
        return list(images) if many else [images]
    if isinstance(images, (str, os.PathLike, bytes, Image.Image)):
        return [images]
    if isinstance(images, Iterable):
        return images
    raise InvalidParameterError(
        "The 'images' parameter must be a folder, an image or many of these. "
        f"Got {type(images).__name__} instead."
    )


def _no_files(root: str, skipped: int) -> str:
    note = f", apart from {skipped} hidden, system or unreadable ones" if skipped else ""
    return f"The folder {root!r} has no files in it{note}. Give a folder with images."


def _folder_name(folder: str) -> str:
    return file_name_text(os.path.basename(os.path.abspath(folder)))
