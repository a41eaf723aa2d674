"""Files of an archive as images: what is none is left out, and what is said beside one is read.

WebDataset keeps what belongs to one sample in files of one *key*, the path up to the first dot of
the file's name, one behind the other: ``0001.jpg``, ``0001.json``, ``0001.txt``. Here a plain
archive is the same, with nothing beside its images.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from outgroup.data.values import file_name_text
from outgroup.data.walking import is_hidden
from outgroup.images import MAX_BYTES
from outgroup.pool.containers.base import DamagedMemberError, Log, Member

#: Endings of what WebDataset keeps beside images; of these only "json" is read.
BESIDE = frozenset(
    [
        *("json", "jsn", "txt", "text", "caption", "transcript", "cls", "cls2", "index", "inx"),
        *("id", "npy", "npz", "pyd", "pickle", "pkl", "pth", "pt", "ten", "tb", "mp", "msg"),
        *("msgpack", "cbor", "bbox"),
    ]
)

#: A sidecar with more is none.
MAX_JSON = 1 << 20

#: What is held back until its key ends: enough for any sample, and little enough for any memory.
MAX_HELD, MAX_HELD_BYTES = 16, 64 << 20


@dataclass(frozen=True)
class ArchiveFile:
    """One entry of an archive.

    Parameters
    ----------
    name : str
        Its path in there, as it is written there.
    size : int
        Bytes that it says it has.
    unusable : str or None
        Why it can't be taken, where that is so; empty for a folder, which nobody misses.
    read : callable
        Returns its bytes. Raises `DamagedMemberError` where the other entries can be read all the
        same, and anything else where they can't.
    """

    name: str
    size: int
    unusable: str | None
    read: Callable[[], bytes]


@dataclass
class _Sample:
    key: str
    images: list[tuple[str, bytes]] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)
    given: int = 0

    def add(self, file: ArchiveFile, name: str, ending: str, archive: str, log: Log) -> None:
        """Take a file of this key: an image, or what is said beside one."""
        if ending not in BESIDE:
            self.images.append((name, file.read()))
            return
        self.beside.append(name)
        if ending == "json":
            self.said.update(_json(file, f"{archive}!{name}", log))

    def is_full(self) -> bool:
        """Tell whether no more should be held back."""
        held = sum(len(image) for _, image in self.images)
        return len(self.images) >= MAX_HELD or held >= MAX_HELD_BYTES

    def members(self, archive: str) -> Iterator[Member]:
        """Yield the images that are held back, and hold them no more."""
        source, group = (_text(self.said.get(name)) for name in ("source", "group"))
        for name, image in self.images:
            yield Member(name, image, source or _folder(name, archive), group)
        self.given += len(self.images)
        self.images.clear()


def members(files: Iterable[ArchiveFile], archive: str, log: Log) -> Iterator[Member]:
    """Yield the images among the files of an archive.

    Parameters
    ----------
    files : iterable of ArchiveFile
        In the order they are stored in.
    archive : str
        The path of the archive.
    log : Log
        Takes the files that are left out.
    """
    sample = _Sample("")
    try:
        for file in files:
            name = _clean(file.name)
            reason = _unusable(file, name)
            if reason is not None:
                if reason:
                    log.skip(f"{archive}!{name}", reason)
                continue
            key, ending = _key(name)
            if key != sample.key:
                yield from _finished(sample, archive, log)
                sample = _Sample(key)
            try:
                sample.add(file, name, ending, archive, log)
            except DamagedMemberError as error:
                log.damaged(f"{archive}!{name}", error)
            if sample.is_full():
                yield from sample.members(archive)
    except Exception:  # damage: what is held back is whole
        yield from sample.members(archive)
        raise
    yield from _finished(sample, archive, log)


def _finished(sample: _Sample, archive: str, log: Log) -> Iterator[Member]:
    yield from sample.members(archive)
    if not sample.given:
        for name in sample.beside:
            log.skip(f"{archive}!{name}", "no image, and beside none")


def _unusable(file: ArchiveFile, name: str) -> str | None:
    if file.unusable is not None:
        return file.unusable
    if any(is_hidden(part) for part in name.split("/")):
        return "a hidden or system file"
    if file.size > MAX_BYTES:
        return f"more than the {MAX_BYTES:,} bytes that are read of one image"
    return "an empty file" if file.size == 0 else None


def _clean(name: str) -> str:
    """Return a path in an archive without what means nothing, such as a ``./`` in front."""
    parts = file_name_text(name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _key(name: str) -> tuple[str, str]:
    """Return key and ending.

    >>> _key("zoo.d/0001.seg.PNG")
    ('zoo.d/0001', 'png')
    """
    folder, base = posixpath.split(name)
    stem, _, endings = base.partition(".")
    return posixpath.join(folder, stem), endings.rpartition(".")[2].lower()


def _folder(name: str, archive: str) -> str | None:
    """Return the outermost folder, but for one that all is in because the archive is of it.

    >>> _folder("sofas/1.jpg", "all.tar"), _folder("all/sofas/1.jpg", "all.tar")
    ('sofas', 'sofas')
    >>> _folder("1.jpg", "all.tar") is None
    True
    """
    folders = name.split("/")[:-1]
    if folders and folders[0] == _key(posixpath.basename(archive.replace("\\", "/")))[0]:
        folders = folders[1:]
    return folders[0] if folders else None


def _json(file: ArchiveFile, path: str, log: Log) -> dict[str, Any]:
    if file.size > MAX_JSON:
        log.skip(path, "a JSON file too large to be about one image")
        return {}
    try:
        found = json.loads(file.read())
    except (ValueError, RecursionError):
        log.skip(path, "not JSON; what it says of its image is not known")
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    """Return a text or number as text, and anything else as nothing said."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value).strip() or None
    return None
