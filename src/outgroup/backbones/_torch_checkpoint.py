"""Read a torch checkpoint of the legacy (pre-zip) format safely and without torch.

The file is five pickles (magic number, protocol, system info, the state dict, the storages' keys)
and then the storages: for each key an int64 count and the raw little-endian numbers. A pickle is a
program, so it is restricted: only opcodes that such a checkpoint needs (none that could reserve
memory by itself), only four globals, none of which does more than make a record, and the sizes it
claims must add up to the file's size before memory is taken for arrays.

Source of the layout: ``torch/serialization.py``, ``_legacy_load`` (BSD-3-Clause).
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from outgroup.errors import BackboneError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_COUNT_BYTES = 8

_OPCODES = frozenset(
    [
        *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"),
        *("TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"),
        *("EMPTY_DICT", "SETITEM", "SETITEMS"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    ]
)


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: object, offset: object, shape: object, strides: object, *_: object
) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return _Tensor(storage, _size(offset), _sizes(shape), _sizes(strides))


_GLOBALS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _CheckpointUnpickler(pickle.Unpickler):
    """Unpickle records of tensors and refuse anything else."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, count, view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
            raise pickle.UnpicklingError("a storage of an unknown kind")
        storage = _Storage(str(key), dtype, _size(count))
        if self.storages.setdefault(storage.key, storage) != storage:
            raise pickle.UnpicklingError("a storage with two sizes")
        return storage


def _size(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise pickle.UnpicklingError("an invalid size")
    return value


def _sizes(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple):
        raise pickle.UnpicklingError("an invalid shape")
    return tuple(_size(value) for value in values)


def _unpickle(file: io.BytesIO) -> tuple[Any, dict[str, _Storage]]:
    """Read one pickle and leave the position of `file` behind it."""
    start, limit = file.tell(), file.getbuffer().nbytes
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in _OPCODES:
            raise pickle.UnpicklingError(f"it uses the opcode {opcode.name}")
        # The memo takes memory up to its highest index.
        if opcode.name == "LONG_BINPUT" and int(argument or 0) > limit:
            raise pickle.UnpicklingError("a memo larger than the file")
    file.seek(start)
    unpickler = _CheckpointUnpickler(file)
    return unpickler.load(), unpickler.storages


def _array(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    shape, strides = tensor.shape, tensor.strides
    if len(shape) != len(strides):
        raise pickle.UnpicklingError("a shape and strides of different lengths")
    last = tensor.offset + sum(max(n - 1, 0) * step for n, step in zip(shape, strides, strict=True))
    if last >= storage.size or math.prod(shape) > storage.size:
        raise pickle.UnpicklingError("a tensor larger than its storage")
    byte_strides = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], shape, byte_strides)


def _read(data: bytes) -> dict[str, np.ndarray]:
    file = io.BytesIO(data)
    if [_unpickle(file)[0] for _ in range(2)] != [_MAGIC, _PROTOCOL]:
        raise pickle.UnpicklingError("not a legacy torch checkpoint")
    _unpickle(file)  # system info: the writer's type sizes, which do not change the layout
    state, storages = _unpickle(file)
    keys, _ = _unpickle(file)
    if sorted(keys) != sorted(storages):
        raise pickle.UnpicklingError("its storages are not those that its tensors use")
    claimed = sum(_COUNT_BYTES + s.count * s.dtype.itemsize for s in storages.values())
    if claimed != len(data) - file.tell():
        raise pickle.UnpicklingError(
            f"{claimed} bytes of numbers expected, {len(data) - file.tell()} found"
        )
    contents = {}
    for key in keys:
        storage = storages[key]
        if int.from_bytes(file.read(_COUNT_BYTES), "little") != storage.count:
            raise pickle.UnpicklingError("a storage with two sizes")
        contents[key] = np.frombuffer(data, storage.dtype, storage.count, file.tell())
        file.seek(storage.count * storage.dtype.itemsize, io.SEEK_CUR)
    return {
        name: _array(tensor, contents[tensor.storage.key])
        for name, tensor in state.items()
        if isinstance(tensor, _Tensor)
    }


def read_checkpoint(data: bytes) -> dict[str, np.ndarray]:
    """Return the tensors (float32 and int64) of a legacy torch checkpoint by name.

    They are read-only views of `data`, so that a small file can't claim much memory by naming one
    storage many times. Data that is no such checkpoint is a `BackboneError`.
    """
    try:
        return _read(data)
    except Exception as error:  # a hostile pickle can make the unpickler raise anything
        raise BackboneError(f"The weights can't be read as a torch checkpoint: {error}.") from error
