"""What is counted and kept of a stream, in memory and on disk."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import time
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._files import write_whole
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.strategies import Features, take

#: Different images after which `Seen` begins to forget the oldest.
CAPACITY = 10_000_000

#: A full filter with these takes 1 in 120 new keys for an old one.
BITS_PER_KEY, HASHES = 10, 7

#: Parts of a `Memory` with images to learn from or to compare with.
KEPT = ("hard", "new", "uniform", "rejected")

#: What the file of a state says it is, and the seconds between two writings.
KIND, PAUSE = "outgroup mining 1", 60.0

_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


def keys_of(features: Features) -> NDArray[np.uint64]:
    """Return a key for each image: a hash of its embedding of the layer "last".

    An image has the same embedding, bit for bit, wherever it stands in a stream. So copies have one
    key whatever their names, and so have different files with the same pixels.
    """
    rows = np.ascontiguousarray(features["last"], dtype=np.float32) + np.float32(0)  # -0 is 0
    digests = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def uniform_ranks(keys: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """Return a uniform number from 0 to 1 for each key, fixed by key and seed."""
    with np.errstate(over="ignore"):  # the last steps of SplitMix64
        z = keys + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) / 2.0**53


def extended(trail: str, names: Iterable[str | None]) -> str:
    """Return the hash of all names so far, given that of the earlier ones."""
    for name in names:
        text = f"{trail} {name!r}".encode("utf-8", "surrogatepass")
        trail = hashlib.blake2b(text, digest_size=16).hexdigest()
    return trail


@dataclass(frozen=True)
class StreamRows:
    """Images of a stream: their keys, their paths or origins, and their embeddings by layer."""

    keys: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    names: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    features: Features = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> StreamRows:
        """Return the given rows, by index or mask."""
        return StreamRows(self.keys[rows], self.names[rows], take(self.features, rows))

    @staticmethod
    def concatenate(parts: Iterable[StreamRows]) -> StreamRows:
        """Return the rows of all parts."""
        given = [part for part in parts if len(part)]
        if not given:
            return StreamRows()
        return StreamRows(
            np.concatenate([part.keys for part in given]),
            np.concatenate([part.names for part in given]),
            {k: np.concatenate([part.features[k] for part in given]) for k in given[0].features},
        )


@dataclass
class Smallest:
    """The rows with the smallest ranks among all that were added, at most `capacity`.

    With the other-score as rank these are the hardest negatives; with `uniform_ranks` they are a
    uniform sample of the different images (bottom-k sampling; E. Cohen and H. Kaplan, Summarizing
    data using bottom-k sketches, PODC 2007). Ties are broken by key. So the result depends only on
    which rows were added, not on their order or batches, and `merge` joins those of several workers
    into what a single one would have kept.
    """

    capacity: int
    ranks: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    rows: StreamRows = field(default_factory=StreamRows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Keys of the rows."""
        return self.rows.keys

    def add(self, ranks: NDArray[np.float64], rows: StreamRows) -> None:
        """Add rows; of two with the same key, keep the one with the smaller rank."""
        if len(self) == self.capacity:  # most rows of a long stream end here
            better = ranks <= (self.ranks[-1] if self.capacity else -np.inf)
            if not better.any():
                return
            ranks, rows = ranks[better], rows.take(better)
        ranks = np.concatenate([self.ranks, ranks])
        rows = StreamRows.concatenate([self.rows, rows])
        order = np.lexsort((rows.keys, ranks))
        _, first = np.unique(rows.keys[order], return_index=True)
        kept = order[np.sort(first)][: self.capacity]
        self.ranks, self.rows = ranks[kept], rows.take(kept)

    def drop(self, keys: NDArray[np.uint64]) -> None:
        """Remove the rows with these keys; later ones may take their places."""
        kept = ~np.isin(self.keys, keys)
        self.ranks, self.rows = self.ranks[kept], self.rows.take(kept)

    def merge(self, other: Smallest) -> None:
        """Add all rows of another one."""
        self.add(other.ranks, other.rows)


class Seen:
    """The keys that were there before: a Bloom filter with two generations.

    At most 1 in 120 new keys is taken for an old one, whatever the image shows, so the images that
    are counted remain a fair sample. An old key is never taken for a new one as long as fewer than
    `capacity` different ones came after it. (B. Bloom, Space/time trade-offs in hash coding with
    allowable errors, CACM 13 (1970), 422-426.)
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._n_bits = np.uint64(max(64, capacity * BITS_PER_KEY))
        #: Number of different keys so far, and of those in the present generation.
        self.total = self.count = 0
        self.present, self.previous = self._empty(), self._empty()

    def add(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Remember keys, and return which of them are there for the first time."""
        new = np.zeros(len(keys), dtype=bool)
        _, first = np.unique(keys, return_index=True)
        step = (keys[first] >> np.uint64(32)) | np.uint64(1)
        places = keys[first] + step * np.arange(HASHES, dtype=np.uint64)[:, np.newaxis]
        bits = (places % self._n_bits).astype(np.int64)
        in_present = _has(self.present, bits)
        new[first] = ~(in_present | _has(self.previous, bits))
        self.total += int(new.sum())
        for place in bits[:, ~in_present]:
            set_bits = np.left_shift(1, place & 7).astype(np.uint8)
            np.bitwise_or.at(self.present, place >> 3, set_bits)
        self.count += int((~in_present).sum())
        if self.count >= self.capacity:  # forget the generation before this one
            self.previous, self.present, self.count = self.present, self._empty(), 0
        return new

    def _empty(self) -> NDArray[np.uint8]:
        return np.zeros(int(self._n_bits) // 8 + 1, dtype=np.uint8)


def _has(filled: NDArray[np.uint8], bits: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(((filled[bits >> 3] >> (bits & 7)) & 1).all(axis=0))


@dataclass(frozen=True)
class Stage:
    """One model on the stream, from its fit to the next.

    Parameters
    ----------
    images, accepted : int
        Images that were counted, each before anything was learned from it and copies once, and how
        many of them the model gave a class.
    bound : float
        Upper bound of the share that the model accepts. The bounds of all stages hold together at
        every moment, with the confidence that was asked for.
    learned : int
        Mined negatives that the model had learned from.
    read, seconds : int, float
        Images taken from the stream, and seconds since mining began, when the stage ended.
    """

    images: int
    accepted: int
    bound: float
    learned: int
    read: int
    seconds: float


@dataclass(frozen=True)
class Quarantined:
    """An image that looks like a known class, so that nothing was learned from it.

    `name` is its path or origin, `label` the class that it looks like, `other_score` that of the
    model that met it, and `key` a hash of its embedding.
    """

    name: str | None
    label: str
    other_score: float
    key: int


@dataclass
class Memory:
    """All that a miner has counted and kept; it does not grow with the stream.

    `hard` has the negatives that the present model has learned from, ranked by its held-out
    other-scores, and `new` the hardest since, ranked by its other-scores. `uniform` is a sample of
    all images but the suspects, and `rejected` one of those that were rejected (only of the layer
    "last"). `learned` has all mined negatives that the present model has learned from; `threshold`,
    `counted` and `accepted` are about this model, `stages` about those before it. `in_a_row` counts
    images since the last new one, and `trail` is a hash of the names of all images so far.
    """

    hard: Smallest
    new: Smallest
    uniform: Smallest
    rejected: Smallest
    threshold: float
    seen: Seen = field(default_factory=Seen)
    learned: StreamRows = field(default_factory=StreamRows)
    stages: list[Stage] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    n_quarantined: int = 0
    read: int = 0
    unreadable: int = 0
    repeated: int = 0
    in_a_row: int = 0
    counted: int = 0
    accepted: int = 0
    trail: str = ""
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since mining began."""
        return time.monotonic() - self.started

    @property
    def negatives(self) -> StreamRows:
        """All that the next model learns from, each image once, in the order of the keys."""
        rows = StreamRows.concatenate(part.rows for part in (self.hard, self.new, self.uniform))
        return rows.take(np.unique(rows.keys, return_index=True)[1])

    def merge(self, other: Memory) -> None:
        """Take over the images that another one has kept and met, but not what it counted."""
        self.seen = copy.deepcopy(other.seen)
        for name in KEPT:
            getattr(self, name).merge(getattr(other, name))


class StateFile:
    """The file with the state of a run, so that a killed run resumes where it was.

    It holds the memory, but no model: that is fitted again to what it had learned from, so no code
    is read. What came after the file was written is read, scored and counted again by the same
    model. `made_with` has the parameters that must be the same for a run that resumes.
    """

    def __init__(self, path: str | os.PathLike[str], made_with: Mapping[str, Any]) -> None:
        self.path, self._made_with = Path(path), dict(made_with)
        self._next = time.monotonic() + PAUSE

    def write(self, memory: Memory, at_once: bool) -> None:
        """Write the state, whole or not at all, `at_once` or once a minute; warn if it fails."""
        if not at_once and time.monotonic() < self._next:
            return
        plain, arrays = _packed(memory)
        plain = {"kind": KIND, "made_with": self._made_with, "memory": plain}
        data = io.BytesIO()
        np.savez(data, plain=np.frombuffer(json.dumps(plain).encode(), np.uint8), **arrays)
        try:
            write_whole(self.path, data.getvalue())
        except OSError as error:
            warnings.warn(
                f"The state of mining can't be written to {self.path} ({error.strerror}): a run "
                "that is stopped now resumes from an earlier state, or starts again.",
                DataWarning,
                stacklevel=2,
            )
        self._next = time.monotonic() + PAUSE

    def load(self) -> Memory:
        """Read the state; refuse one that is damaged, or of a run with other parameters."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            found = json.loads(arrays.pop("plain").tobytes())
            if found["kind"] != KIND:
                raise ValueError("another kind of file")
            before, memory = dict(found["made_with"]), _unpacked(found["memory"], arrays)
        except _UNREADABLE as error:
            raise InvalidDataError(
                f"{self.path}: not a state of mining that can be read ({error}). Delete it to "
                "start again."
            ) from error
        for name, value in self._made_with.items():
            if before.get(name) != value:
                raise InvalidParameterError(
                    f"Invalid `{name}`: must be {before.get(name)!r}, as when {self.path} was "
                    f"written, got {value!r}. Give the same, or delete the file to start again."
                )
        return memory


def _packed(memory: Memory) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what JSON can hold, and arrays by name."""
    kept: dict[str, Smallest] = {name: getattr(memory, name) for name in KEPT}
    rows = {"learned": memory.learned, **{name: part.rows for name, part in kept.items()}}
    arrays: dict[str, Any] = {f"{name}/ranks": part.ranks for name, part in kept.items()}
    arrays |= {"seen/present": memory.seen.present, "seen/previous": memory.seen.previous}
    for name, part in rows.items():
        arrays[f"{name}/keys"] = part.keys
        arrays |= {f"{name}/layers/{layer}": v for layer, v in part.features.items()}
    plain = {
        **{key: v for key, v in vars(memory).items() if isinstance(v, (int, float, str))},
        "started": -memory.seconds,
        "stages": [asdict(stage) for stage in memory.stages],
        "quarantined": [asdict(image) for image in memory.quarantined],
        "seen": [memory.seen.total, memory.seen.count],
        "names": {name: part.names.tolist() for name, part in rows.items()},
        "capacities": {name: part.capacity for name, part in kept.items()},
    }
    return plain, arrays


def _unpacked(plain: dict[str, Any], arrays: Mapping[str, Any]) -> Memory:
    rows = {}
    for name, names in plain.pop("names").items():
        start = f"{name}/layers/"
        layers = {key[len(start) :]: v for key, v in arrays.items() if key.startswith(start)}
        rows[name] = StreamRows(arrays[f"{name}/keys"], np.array(names, dtype=object), layers)
    for name, capacity in plain.pop("capacities").items():
        plain[name] = Smallest(capacity, arrays[f"{name}/ranks"], rows[name])
    seen = Seen()
    seen.total, seen.count = plain["seen"]
    for name in ("present", "previous"):
        if arrays[f"seen/{name}"].shape != seen.present.shape:
            raise ValueError("its memory of images has another size")
        setattr(seen, name, arrays[f"seen/{name}"])
    plain |= {"seen": seen, "learned": rows["learned"]}
    plain["stages"] = [Stage(**stage) for stage in plain["stages"]]
    plain["quarantined"] = [Quarantined(**image) for image in plain["quarantined"]]
    plain["started"] += time.monotonic()
    return Memory(**plain)
