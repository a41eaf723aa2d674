"""The reader of checkpoints against files that are made to harm."""

from __future__ import annotations

import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.backbones._torch_checkpoint import read_checkpoint
from outgroup.errors import BackboneError

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
PREAMBLE = MAGIC + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
PROTO, STOP = b"\x80\x02", b"."
FLOAT = b"ctorch\nFloatStorage\n"


def push(value: Any) -> bytes:
    return pickle.dumps(value, 2)[len(PROTO) : -len(STOP)]


def storage(key: str = "a", count: Any = 6, dtype: bytes = FLOAT, kind: str = "storage") -> bytes:
    return b"(" + push(kind) + dtype + push(key) + push("cpu") + push(count) + push(None) + b"tQ"


def tensor(
    where: bytes | None = None, offset: Any = 0, shape: Any = (2, 3), strides: Any = (3, 1)
) -> bytes:
    arguments = (storage() if where is None else where) + push(offset) + push(shape) + push(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + push(False) + b"tR"


def state(*tensors: bytes) -> bytes:
    items = b"".join(push(f"t{i}") + item for i, item in enumerate(tensors))
    return PROTO + b"}(" + items + b"u" + STOP


def checkpoint(*tensors: bytes, keys: Any = ("a",), contents: bytes | None = None) -> bytes:
    if contents is None:
        contents = struct.pack("<q6f", 6, *range(6))
    return PREAMBLE + state(*tensors) + pickle.dumps(list(keys), 2) + contents


def test_tensors_are_read_in_every_layout() -> None:
    transposed = tensor(shape=(3, 2), strides=(1, 3))
    part = tensor(offset=2, shape=(2,), strides=(2,))
    scalar = tensor(offset=5, shape=(), strides=())
    read = read_checkpoint(checkpoint(tensor(), transposed, part, scalar, push("no tensor")))
    assert list(read) == ["t0", "t1", "t2", "t3"]
    np.testing.assert_array_equal(read["t0"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(read["t1"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(read["t2"], [2, 4])
    assert read["t3"] == 5


CODE = {
    "os.system": b"cos\nsystem\n" + push("exit 1") + b"\x85R",
    "eval": b"cbuiltins\neval\n" + push("1/0") + b"\x85R",
    "getattr": b"cbuiltins\ngetattr\n" + push(("a", "upper")) + b"R",
    "torch.load": b"ctorch\nload\n" + push("x") + b"\x85R",
    "INST": b"(" + push("exit 1") + b"ios\nsystem\n",
    "OBJ": b"(cos\nsystem\n" + push("exit 1") + b"o",
    "NEWOBJ": b"ccollections\nOrderedDict\n)\x81",
    "STACK_GLOBAL": push("os") + push("system") + b"\x93",
    "EXT1": b"\x82\x01",
}


@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
@pytest.mark.parametrize("place", ["state", "system info", "keys", "instead of the magic number"])
def test_pickle_that_calls_anything_is_refused(code: bytes, place: str) -> None:
    program = PROTO + code + STOP
    system_info = pickle.dumps({}, 2)
    data = {
        "state": checkpoint(code),
        "system info": PREAMBLE.removesuffix(system_info) + program,
        "keys": PREAMBLE + state(tensor()) + program,
        "instead of the magic number": program,
    }[place]
    with pytest.raises(BackboneError, match="can't be read as a torch checkpoint"):
        read_checkpoint(data)


HOSTILE = {
    "a storage larger than the file": checkpoint(tensor(storage(count=2**40))),
    "a negative storage": checkpoint(tensor(storage(count=-1))),
    "a storage of no number": checkpoint(tensor(storage(count="6"))),
    "a storage that is none": checkpoint(tensor(storage(kind="module"))),
    "a storage of another type": checkpoint(tensor(storage(dtype=push("float")))),
    "a storage with two sizes": checkpoint(tensor(), tensor(storage(count=5))),
    "a storage that says another size": checkpoint(
        tensor(), contents=struct.pack("<q6f", 5, *range(6))
    ),
    "no storage": checkpoint(tensor(push("a"))),
    "a tensor larger than its storage": checkpoint(tensor(shape=(3, 3))),
    "a tensor repeated without end": checkpoint(tensor(shape=(2**40,), strides=(0,))),
    "a tensor beside its storage": checkpoint(tensor(offset=6, shape=(1,), strides=(1,))),
    "a tensor before its storage": checkpoint(tensor(offset=-1)),
    "strides backwards": checkpoint(tensor(strides=(3, -1))),
    "strides of another length": checkpoint(tensor(strides=(3,))),
    "a shape that is none": checkpoint(tensor(shape=6)),
    "a key too many": checkpoint(tensor(), keys=("a", "b")),
    "keys that are none": checkpoint(tensor(), keys=(None,)),
    "trailing garbage": checkpoint(tensor()) + b"x",
    "a memo without end": checkpoint(push(1) + b"r\xff\xff\xff\x7f"),
    "a string without end": checkpoint(b"X\xff\xff\xff\x7f"),
    "another magic number": pickle.dumps(1, 2) + checkpoint(tensor())[len(MAGIC) :],
    "the zip format": b"PK\x03\x04" + bytes(100),
    "nothing": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_sizes_that_do_not_fit_are_refused(data: bytes) -> None:
    with pytest.raises(BackboneError, match="can't be read as a torch checkpoint"):
        read_checkpoint(data)


def test_truncated_file_is_refused_wherever_it_ends() -> None:
    data = checkpoint(tensor())
    for end in range(len(data)):
        with pytest.raises(BackboneError):
            read_checkpoint(data[:end])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(checkpoint(tensor())) - 1), st.integers(0, 255))
def test_changed_byte_gives_arrays_or_a_backbone_error(place: int, value: int) -> None:
    data = bytearray(checkpoint(tensor()))
    data[place] = value
    try:
        read = read_checkpoint(bytes(data))
    except BackboneError:
        return
    assert all(isinstance(array, np.ndarray) for array in read.values())
