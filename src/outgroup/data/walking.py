"""All files below a folder, each once, in the same order on every machine."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field

from outgroup.data.samples import Skipped
from outgroup.data.values import file_name_text

SYSTEM_NAMES = frozenset(
    {
        "__macosx",  # put into zip files by macOS
        "icon\r",
        "thumbs.db",  # Windows Explorer
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "@eadir",  # previews made by Synology
        "lost+found",
    }
)


@dataclass
class Walk:
    """What was found below a folder.

    Parameters
    ----------
    root : str
        The folder.
    files : list of tuple of str
        Each file's path relative to the root, as its parts, sorted. Whatever is no folder counts as
        a file: whoever opens it says what is wrong with it.
    folders : list of str
        Names of the folders right below the root, sorted.
    skipped : list of Skipped
        Hidden and system files, folders that can't be listed or were listed already.
    """

    root: str
    files: list[tuple[str, ...]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def path(self, parts: tuple[str, ...]) -> str:
        """Return a path below the root, as given: links are not resolved.

        >>> Walk("photos").path(("cat", "1.jpg")).replace(os.sep, "/")
        'photos/cat/1.jpg'
        """
        return os.path.join(self.root, *parts)


def walk(root: str) -> Walk:
    """Find all files below `root`.

    Links are followed. A folder that can be reached in two ways is listed once, by its real place
    before any link, so that a link in one class can't empty another one.

    Parameters
    ----------
    root : str
        An existing folder.
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
    """Tell whether a file or folder of this name was not put there as an image.

    >>> [is_hidden(name) for name in ("Thumbs.db", "._cat.jpg", "cat.jpg")]
    [True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself
        return False
