"""Read folders of images, and lists of images without labels."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from outgroup.data.samples import Samples, Skipped
from outgroup.data.values import file_name_text
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource

#: The origin of an image that has no path.
IN_MEMORY = "memory"

#: Files and folders that operating systems and servers create, in lower case.
SYSTEM_NAMES = frozenset(
    {"__macosx", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"}
    | {"system volume information", "@eadir", "lost+found"}
)

LAYOUT = """
    {root}
    ├── cat    1.jpg 2.jpg ...
    ├── dog    1.jpg 2.jpg ...
    └── ...    one folder a class, named after the class"""


@dataclass
class Walk:
    """Files and folders below a folder.

    Parameters
    ----------
    files : list of tuple of str
        Path of each file relative to `root`, as its parts, sorted. Everything that is no folder
        counts as a file.
    skipped : list of Skipped
        Hidden and system files, and folders that can't be listed or are listed elsewhere.
    """

    root: str
    files: list[tuple[str, ...]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def path(self, parts: tuple[str, ...]) -> str:
        """Return the path of a file below `root`; links are not resolved."""
        return os.path.join(self.root, *parts)


def walk(root: str) -> Walk:
    """List all files below an existing folder, in an order that does not depend on the machine.

    Links are followed. A folder that several paths lead to is listed once, at its real path if that
    is below `root`, so that a link in one class does not take images from another class.
    """
    found = Walk(root)
    seen: dict[tuple[int, int], str] = {}
    real: deque[tuple[str, ...]] = deque([()])
    linked: deque[tuple[str, ...]] = deque()
    while real or linked:
        here = real.popleft() if real else linked.popleft()
        path = found.path(here)
        try:
            status = os.stat(path)
            first = seen.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                reason = f"the same folder as {file_name_text(first)}"
                found.skipped.append(Skipped(path, reason))
                continue
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found.skipped.append(Skipped(path, f"can't be listed: {error.strerror}"))
            continue
        for entry in entries:
            parts = (*here, entry.name)
            if is_hidden(entry.name):
                found.skipped.append(Skipped(entry.path, "a hidden or system file"))
            elif not _is_folder(entry):
                found.files.append(parts)
            else:
                (linked if entry.is_symlink() else real).append(parts)
                if not here:
                    found.folders.append(entry.name)
    found.files.sort()
    found.skipped.sort(key=lambda skipped: skipped.path)
    return found


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or made by the operating system.

    >>> [is_hidden(name) for name in ("Thumbs.db", "._cat.jpg", "cat.jpg")]
    [True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def from_folder(root: str | os.PathLike[str]) -> Samples:
    """Read a folder that has one sub-folder for each class, sorted by path.

    The label of a file is the sub-folder of `root` that it is in, at any depth. Files directly in
    `root`, and sub-folders without files, are skipped.
    """
    root = os.fspath(root)
    if not os.path.isdir(root):
        raise InvalidParameterError(f"Invalid `root`: must be a folder that exists, got {root!r}.")
    found = walk(root)
    in_classes = [parts for parts in found.files if len(parts) > 1]
    if not in_classes:
        problem = f"{len(found.files)} files directly in it" if found.files else "no files"
        raise InvalidDataError(
            f"No class was found in {root!r}: it has {problem}. It must look like this:"
            + LAYOUT.format(root=file_name_text(root))
        )
    return Samples(
        [found.path(parts) for parts in in_classes],
        [file_name_text(parts[0]) for parts in in_classes],
        [None] * len(in_classes),
        [_folder_name(root)] * len(in_classes),
        skipped=[*found.skipped, *_outside_classes(found)],
    )


def _outside_classes(found: Walk) -> Iterator[Skipped]:
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
    """Read images that all have one label, such as negatives, or images to predict.

    Given are a folder, read at any depth and sorted by path; a file; an image in memory; or an
    iterable of these. An array of 4 dimensions is many images. The label None means other. The
    origin of an image of a folder is the sub-folder that it is in, or else the folder; of a file,
    the folder that it is in; of an image in memory, "memory".
    """
    sources: list[ImageSource] = []
    origins: list[str] = []
    skipped: list[Skipped] = []
    for source in _one_or_many(images):
        if not isinstance(source, (str, os.PathLike)):
            sources.append(source)
            origins.append(IN_MEMORY)
        elif not os.path.isdir(source):  # a path that does not exist fails when it is opened
            sources.append(str(os.fspath(source)))
            origins.append(_folder_name(os.path.dirname(source)))
        else:
            found = walk(os.fspath(source))
            if not found.files:
                n = len(found.skipped)
                note = f", apart from {n} hidden, system or unreadable ones" if n else ""
                raise InvalidDataError(
                    f"The folder {found.root!r} has no files in it{note}. Give a folder with "
                    "images."
                )
            name = _folder_name(found.root)
            sources += map(found.path, found.files)
            origins += [file_name_text(p[0]) if len(p) > 1 else name for p in found.files]
            skipped += found.skipped
    if not sources:
        raise InvalidDataError("Invalid `images`: must be at least one image, got none.")
    rows = len(sources)
    return Samples(sources, [label] * rows, [None] * rows, origins, skipped=skipped)


def _one_or_many(images: ImageSource | Iterable[ImageSource]) -> Iterable[ImageSource]:
    if isinstance(images, np.ndarray):
        many = images.ndim >= 4 or images.dtype.kind in "OU"  # OU: an array of paths
        return list(images) if many else [images]
    if isinstance(images, (str, os.PathLike, bytes, Image.Image)):
        return [images]
    if isinstance(images, Iterable):
        return images
    raise InvalidParameterError(
        "Invalid `images`: must be a folder, an image, or an iterable of these, got "
        f"{type(images).__name__}."
    )


def _folder_name(folder: str) -> str:
    return file_name_text(os.path.basename(os.path.abspath(folder)))
