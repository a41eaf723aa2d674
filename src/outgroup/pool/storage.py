"""The files of a pool beside its index: settings, stored images, and embeddings."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup._files import fsync_folder, write_whole
from outgroup.backbones import Backbone
from outgroup.embeddings import namespace
from outgroup.errors import PoolError
from outgroup.images import Preprocessing
from outgroup.images.preprocessing import resized_centre
from outgroup.pool.records import invalid

SETTINGS = "pool.json"
FORMAT = 1
_KIND = "outgroup pool"


class Space(NamedTuple):
    """Identifies embeddings: the spec of the network, its namespace, and its layers."""

    backbone: str
    namespace: str
    layers: Mapping[str, int]

    @classmethod
    def of(cls, network: Backbone) -> Space:
        """Return the space of a network's embeddings."""
        return cls(network.name, namespace(network), dict(network.layers))


@dataclass(frozen=True)
class StoredForm:
    """How images are stored: scaled as the network scales them, cropped, never enlarged."""

    shorter: int = 256
    longest: int = 320
    crop: bool = True
    resample: str = "bicubic"
    quality: int = 95
    subsampling: str = "4:4:4"

    @classmethod
    def for_network(cls, preprocessing: Preprocessing) -> StoredForm:
        """Return the form that keeps what a network with this preprocessing sees."""
        shorter = min(max(preprocessing.resize, cls.shorter), cls.longest)
        return cls(shorter, crop=preprocessing.keep_aspect, resample=preprocessing.resample)

    def shrink(self, image: Image.Image) -> Image.Image:
        """Return an upright RGB image at its stored size; the same object if it is small enough."""
        whole = image.size
        limit, side = (self.shorter, min(whole)) if self.crop else (self.longest, max(whole))
        if side > limit:
            whole = max(1, limit * whole[0] // side), max(1, limit * whole[1] // side)
        kept = (min(whole[0], self.longest), min(whole[1], self.longest))
        if kept == image.size:
            return image
        return resized_centre(image, whole, kept, self.resample)

    def encode(self, image: Image.Image) -> bytes:
        """Return the shrunk image as a JPEG file, always the same bytes for the same image."""
        file = io.BytesIO()
        image.save(file, "JPEG", quality=self.quality, subsampling=self.subsampling)
        return file.getvalue()


@dataclass(frozen=True)
class Settings:
    """Everything but the images that decides the content of a pool."""

    backbone: str
    namespace: str
    layers: Mapping[str, int]
    images: StoredForm

    @classmethod
    def for_backbone(cls, backbone: Backbone) -> Settings:
        """Return the settings of a new pool."""
        return cls(*Space.of(backbone), StoredForm.for_network(backbone.preprocessing))

    @property
    def space(self) -> Space:
        """The embeddings that are written with the images."""
        return Space(self.backbone, self.namespace, self.layers)

    def write(self, folder: Path) -> None:
        """Write ``pool.json``; a folder that has one is a complete pool."""
        data = {"kind": _KIND, "format": FORMAT, **asdict(self)}
        write_whole(folder / SETTINGS, json.dumps(data, indent=2).encode() + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Settings:
        """Read the settings of a pool."""
        path = folder / SETTINGS
        try:
            data = json.loads(path.read_text("utf-8"))
            if not isinstance(data, dict) or data.pop("kind", None) != _KIND:
                raise PoolError(f"{path}: not the settings of a pool.")
            if (version := data.pop("format", None)) != FORMAT:
                raise PoolError(
                    f"{path}: the pool has format {version}, and this version of outgroup reads "
                    f"format {FORMAT} only."
                )
            layers = {str(name): int(dim) for name, dim in data["layers"].items()}
            form = StoredForm(**data["images"])
            return cls(str(data["backbone"]), str(data["namespace"]), layers, form)
        except FileNotFoundError:
            raise PoolError(
                f"{folder}: there is no pool. Make one with: outgroup pool build {folder} FOLDER"
            ) from None
        except OSError as error:
            raise PoolError(f"{path}: can't be read ({error.strerror}).") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise PoolError(f"{path}: not the settings of a pool ({error!r}).") from error


# Stored images: tar files in the layout of WebDataset, a JSON and a JPEG each.

SHARDS = "shards"
BLOCK = 512
#: Two empty blocks end a tar file. The next image overwrites them.
END = bytes(2 * BLOCK)
#: A shard that has reached this size is followed by another.
SHARD_BYTES = 2**28
_TOO_SHORT = "it is shorter than the index says. `outgroup pool verify` lists what is damaged"


class Place(NamedTuple):
    """Where the bytes of an image are: number of the shard, first byte, number of bytes."""

    shard: int
    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next member begins."""
        return self.start + _padded(self.length)


def sample_key(row: int) -> str:
    """Return the name that the two files of an image share."""
    return f"{row:09d}"


class Shards:
    """The tar files of a pool: members are collected, then written together."""

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = folder
        self._shard_bytes = shard_bytes
        self._shard, self._end = 0, 0
        self._pending: dict[int, tuple[int, list[bytes]]] = {}

    def path(self, shard: int) -> Path:
        """Return the path of a shard."""
        return self.folder / f"{shard:06d}.tar"

    def add(self, key: str, jpeg: bytes, description: bytes) -> Place:
        """Collect an image and its description; `write` writes them."""
        if self._end >= self._shard_bytes:
            self._shard, self._end = self._shard + 1, 0
        members = [_member(f"{key}.json", description), _member(f"{key}.jpg", jpeg)]
        _, parts = self._pending.setdefault(self._shard, (self._end, []))
        parts += members
        start = self._end + len(members[0]) + BLOCK
        self._end += sum(map(len, members))
        return Place(self._shard, start, len(jpeg))

    def write(self) -> None:
        """Write what was collected and sync it."""
        for shard, (start, parts) in self._pending.items():
            path = self.path(shard)
            is_new = not path.exists()
            with open(path, "w+b" if is_new else "r+b") as file:
                file.seek(start)
                file.write(b"".join([*parts, END]))
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                fsync_folder(self.folder)
        self._pending.clear()

    def recover(self, last: Place | None) -> None:
        """Drop everything after the last image that the index names."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pending.clear()
        self._shard, self._end = (last.shard, last.end) if last else (0, 0)
        for path in self.folder.glob("*.tar"):
            if path.stem.isdigit() and (last is None or int(path.stem) > last.shard):
                path.unlink()
        if last is None:
            return
        path = self.path(last.shard)
        size = path.stat().st_size if path.exists() else 0
        if size < last.start + last.length:
            raise PoolError(f"{path}: {_TOO_SHORT}; nothing is written to a damaged pool.")
        if not self.is_closed(last):
            with open(path, "r+b") as file:
                file.truncate(last.end)
                file.seek(last.end)
                file.write(END)

    def is_closed(self, last: Place) -> bool:
        """Tell whether a shard ends right after its last image, as a tar file should."""
        with open(self.path(last.shard), "rb") as file:
            file.seek(last.end)
            return file.read(len(END) + 1) == END

    def read(self, place: Place) -> bytes:
        """Return the bytes of an image; `PoolError` if they are not there."""
        path = self.path(place.shard)
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(place.start)
                data = file.read(place.length)
        except OSError as error:
            raise PoolError(f"{path}: can't be read ({error.strerror}).") from error
        if len(data) < place.length:
            raise PoolError(f"{path}: {_TOO_SHORT}.")
        return data


def _padded(length: int) -> int:
    return -(-length // BLOCK) * BLOCK


def _member(name: str, data: bytes) -> bytes:
    """Return a file of a tar archive: a header without date and owner, and the padded data."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data.ljust(_padded(len(data)), b"\0")


# Embeddings: one growing ``.npy`` file of float16 for each layer of a network.

EMBEDDINGS = "embeddings"
_HEADER = 128
_LARGEST = float(np.finfo(np.float16).max)


def to_half(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Return vectors as float16, clipped to its range."""
    return np.clip(vectors, -_LARGEST, _LARGEST).astype("<f2")


def row_checksums(layers: Mapping[str, npt.NDArray[np.float16]]) -> list[int]:
    """Return the CRC-32 of each row, over the bytes of all layers in the order of their names."""
    parts = [np.ascontiguousarray(layers[name], "<f2") for name in sorted(layers)]
    sums = [0] * len(parts[0])
    for part in parts:
        for i, row in enumerate(part):
            sums[i] = zlib.crc32(row, sums[i])
    return sums


class VectorFile:
    """A matrix of float16 in NumPy's format to which rows are appended.

    Rows are read with plain file reads: pages of a memory map count as memory of the process.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.path = path
        self.dim = dim

    def append(self, n_before: int, rows: npt.NDArray[np.float16]) -> None:
        """Write rows after the first `n_before` and sync them; the header stays."""
        with open(self.path, "r+b") as file:
            file.seek(self._end(n_before))
            file.write(np.ascontiguousarray(rows, "<f2").tobytes())
            file.flush()
            os.fsync(file.fileno())

    def publish(self, n: int) -> None:
        """Write a header that says there are `n` rows."""
        with open(self.path, "r+b") as file:
            file.write(self.header(n))

    def recover(self, n: int) -> None:
        """Cut the file to `n` rows; create it if it has none."""
        if not self.path.exists() and n == 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(self.header(0))
            fsync_folder(self.path.parent)
        self.check(n)
        with open(self.path, "r+b") as file:
            file.truncate(self._end(n))
            file.write(self.header(n))

    def check(self, n: int) -> None:
        """Raise `PoolError` if the file holds fewer than `n` rows."""
        there = self.rows()
        if there < n:
            raise PoolError(f"{self.path}: it holds {there:,} of the {n:,} embeddings.")

    def rows(self) -> int:
        """Return how many whole rows the file holds, whatever its header says."""
        with self._opened() as file:
            return max(0, file.seek(0, os.SEEK_END) - _HEADER) // (2 * self.dim)

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return rows as (n, dim) float32, in the order asked for."""
        order = np.argsort(rows, kind="stable")
        out = np.empty((len(rows), self.dim), np.float32)
        runs = np.split(order, np.flatnonzero(np.diff(rows[order]) != 1) + 1)
        with self._opened() as file:
            for run in runs:
                if len(run):
                    out[run] = self._read_range(file, int(rows[run[0]]), len(run))
        return out

    def read_range(self, first: int, count: int) -> npt.NDArray[np.float16]:
        """Return consecutive rows as they are stored; `PoolError` if the file is too short."""
        with self._opened() as file:
            return self._read_range(file, first, count)

    def mapped(self, n: int) -> npt.NDArray[np.float16]:
        """Return the first `n` rows as a memory map; `PoolError` if there are fewer."""
        self.check(n)
        if n == 0:
            return np.empty((0, self.dim), np.float16)
        return np.memmap(self.path, "<f2", "r", _HEADER, (n, self.dim))

    def header(self, n: int) -> bytes:
        """Return the header of a file of `n` rows (numpy.lib.format, version 1.0)."""
        text = f"{{'descr': '<f2', 'fortran_order': False, 'shape': ({n}, {self.dim}), }}"
        start = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
        return start + text.encode().ljust(_HEADER - 11) + b"\n"

    @contextmanager
    def _opened(self) -> Iterator[FileIO]:
        try:
            with open(self.path, "rb", buffering=0) as file:
                yield file
        except OSError as error:
            raise PoolError(f"{self.path}: can't be read ({error.strerror}).") from error

    def _read_range(self, file: FileIO, first: int, count: int) -> npt.NDArray[np.float16]:
        file.seek(self._end(first))
        values: npt.NDArray[np.float16] = np.fromfile(file, "<f2", count * self.dim)
        if len(values) < count * self.dim:
            raise PoolError(
                f"{self.path}: it ends before row {first + count:,}. `outgroup pool verify` lists "
                "what is damaged."
            )
        return values.reshape(count, self.dim)

    def _end(self, n: int) -> int:
        return _HEADER + 2 * n * self.dim


class LayerFiles:
    """The files of all layers of one network, which grow together."""

    def __init__(self, pool: Path, space: Space) -> None:
        self.space = space
        self.folder = pool / EMBEDDINGS / space.namespace
        self.files = {
            name: VectorFile(self.folder / f"{name}.npy", dim) for name, dim in space.layers.items()
        }

    def append(self, n_before: int, layers: Mapping[str, npt.NDArray[np.float16]]) -> None:
        """Write rows after the first `n_before` of each layer and sync them."""
        for name, file in self.files.items():
            file.append(n_before, layers[name])

    def publish(self, n: int) -> None:
        """Write headers that say there are `n` rows."""
        for file in self.files.values():
            file.publish(n)

    def recover(self, n: int) -> None:
        """Cut each file to `n` rows; `PoolError` if one has fewer."""
        for file in self.files.values():
            file.recover(n)

    def read(
        self, rows: npt.NDArray[np.int64], layers: Iterable[str] | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return rows of some layers, or of all, as float32."""
        files = {name: self.file(name) for name in (self.files if layers is None else layers)}
        return {name: file.read(rows) for name, file in files.items()}

    def file(self, layer: str) -> VectorFile:
        """Return the file of a layer; `InvalidParameterError` if there is none."""
        if layer not in self.files:
            names = ", ".join(map(repr, self.files))
            raise invalid("layers", f"of {names}", layer)
        return self.files[layer]
