"""Small seeded data for the tests of the command line: images, tables, archives and networks."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

SIDE = 64

#: Colour and outline of each kind of picture.
SHAPES: dict[str, tuple[tuple[int, int, int], str]] = {
    "circle": ((200, 60, 50), "ellipse"),
    "square": ((60, 170, 70), "rectangle"),
    "triangle": ((70, 80, 200), "polygon"),
    "bar": ((200, 190, 60), "bar"),
    "cross": ((150, 150, 150), "cross"),
    "ring": ((190, 80, 90), "ring"),
}


def shape(kind: str, number: int) -> Image.Image:
    """Return a noisy picture of a kind; the number decides place, size, shade and noise."""
    draws = np.random.default_rng([sorted(SHAPES).index(kind), number])
    colour, outline = SHAPES[kind]
    paper = tuple(int(v) for v in draws.integers(70, 190, 3))
    ink = tuple(int(v) for v in np.clip(np.array(colour) + draws.normal(0, 22, 3), 0, 255))
    picture = Image.new("RGB", (SIDE, SIDE), paper)
    pen = ImageDraw.Draw(picture)
    radius = int(draws.integers(14, 24))
    x, y = (int(v) for v in draws.integers(26, 39, 2))
    box = (x - radius, y - radius, x + radius, y + radius)
    if outline == "ellipse":
        pen.ellipse(box, fill=ink)
    elif outline == "rectangle":
        pen.rectangle(box, fill=ink)
    elif outline == "polygon":
        pen.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=ink)
    elif outline == "bar":
        pen.rectangle((4, y - 6, SIDE - 4, y + 6), fill=ink)
    elif outline == "cross":
        pen.rectangle((4, y - 5, SIDE - 4, y + 5), fill=ink)
        pen.rectangle((x - 5, 4, x + 5, SIDE - 4), fill=ink)
    else:
        pen.ellipse(box, outline=ink, width=8)
    noisy = np.asarray(picture, dtype=float) + draws.normal(0, 12, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def write_shapes(folder: Path, kinds: list[str], n: int, first: int = 0) -> Path:
    """Fill a folder with `n` pictures of each kind, a sub-folder a kind."""
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + n):
            shape(kind, number).save(folder / kind / f"{number:03d}.png")
    return folder


def write_network(path: Path, seed: int = 0, tiles: int = 4, pool: str = "AveragePool") -> Path:
    """Write a small image network: the mean colours of tiles, and ten logits made of them."""
    side = 16
    n = 3 * tiles**2
    weights = np.random.default_rng(seed).normal(size=(n, 10)).astype(np.float32)
    step = side // tiles
    nodes = [
        helper.make_node(pool, ["image"], ["tiles"], kernel_shape=[step] * 2, strides=[step] * 2),
        helper.make_node("Flatten", ["tiles"], ["features"]),
        helper.make_node("MatMul", ["features", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiles",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, side, side])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", n]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10]),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    config = {
        "size": {"height": side, "width": side},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
    }
    (path.parent / "preprocessor_config.json").write_text(json.dumps(config))
    return path


def patches(number: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a picture of coloured patches that shows nothing; another number, other patches."""
    cells = np.random.default_rng([9, number]).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def write_pairs(folder: Path, n: int, n_none: int, first: int) -> None:
    """Write pairs of shapes side by side into ``images``, and three tables of what they show.

    ``lists.csv`` has one column with bars between the labels, ``marks.csv`` a column of 1 and 0 for
    each label, ``sides.csv`` the columns left and right, empty where the shape is no known one.
    """
    (folder / "images").mkdir(parents=True)
    tables = {
        "lists": ["path,label"],
        "marks": ["path," + ",".join(KNOWN)],
        "sides": ["path,left,right"],
    }
    pairs = [(a, b) for a in KNOWN for b in (*KNOWN, "bar")] + [("bar", "cross"), ("ring", "bar")]
    for left, right in pairs:
        for i in range(first, first + (n if left in KNOWN else n_none)):
            name = f"images/{left}-{right}-{i:03d}.png"
            both = Image.new("RGB", (2 * SIDE, SIDE))
            both.paste(shape(left, i), (0, 0))
            both.paste(shape(right, i + 500), (SIDE, 0))
            both.save(folder / name)
            shown = sorted({left, right} & {*KNOWN})
            sides = [kind if kind in KNOWN else "" for kind in (left, right)]
            tables["lists"].append(f"{name},{'|'.join(shown)}")
            tables["marks"].append(",".join([name, *("01"[kind in shown] for kind in KNOWN)]))
            tables["sides"].append(",".join([name, *sides]))
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n", "utf-8")


def write_bag(folder: Path) -> None:
    """Fill a folder with patches for a pool, a copy, a near copy, a blank frame and no image.

    Bitmaps have the same bytes whatever wrote them.
    """
    for side, first in (("left", 100), ("right", 200)):
        (folder / side).mkdir(parents=True)
        for i in range(7):
            patches(first + i).save(folder / side / f"{i}.bmp")
    (folder / "right" / "copy.bmp").write_bytes((folder / "left" / "3.bmp").read_bytes())
    patches(104).resize((50, 38), Image.Resampling.BICUBIC).save(folder / "right" / "near.bmp")
    patches(300, (500, 400)).save(folder / "right" / "large.bmp")
    Image.new("RGB", (20, 30), (9, 90, 9)).save(folder / "left" / "blank.bmp")
    (folder / "left" / "text.bmp").write_bytes(b"no image")
    (folder / "left" / ".hidden.bmp").write_bytes(b"")


def write_archives(folder: Path, bag: Path) -> None:
    """Write some of a bag as archives, WebDataset shards and a table into a folder."""
    folder.mkdir()
    members = sorted([*(bag / "left").glob("[0-4].bmp"), *(bag / "right").glob("[0-2].bmp")])
    loose = [(f"{path.parent.name}/{path.name}", path.read_bytes()) for path in members]
    for name, mode in (("plain.tar", "w"), ("packed.tar.gz", "w:gz")):
        _write_tar(folder / name, mode, loose)
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in loose:
            archive.writestr(member, data)
    said = [
        {"source": "films", "group": "a"},
        {"source": "films", "group": "b"},
        {"group": "a"},
        {},
    ]
    samples = [
        (f"{i:04d}", {"bmp": data, "json": json.dumps(said[i % 4]).encode(), "cls": b"7"})
        for i, (_, data) in enumerate(loose)
    ]
    for shard in range(2):
        listed = [
            (f"{key}.{ending}", data)
            for key, parts in samples[4 * shard : 4 * shard + 4]
            for ending, data in parts.items()
        ]
        _write_tar(folder / f"shard-{shard:06d}.tar", "w", listed)
    rows = ["path,source,group"]
    rows += [f"../bag/left/{i}.bmp,web,{'ab'[i % 2]}" for i in range(4)]
    rows += ["../bag/right/0.bmp,,", "../bag/right/copy.bmp,web,a", "../bag/nowhere.bmp,web,"]
    (folder / "listed.csv").write_text("\n".join(rows) + "\n", "utf-8")
    whole = (folder / "plain.tar").read_bytes()
    (folder / "half.tar").write_bytes(whole[: len(whole) // 2])


def _write_tar(path: Path, mode: str, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


KNOWN = ["circle", "square", "triangle"]
QUICK, SECOND = "onnx:quick/network.onnx", "onnx:second/network.onnx"


class World:
    """A folder with data that no fact changes; paths in it are given as relative ones.

    ``photos`` (3 x 14), ``other`` (2 x 10) and ``new`` (4 x 4, one kind unknown) are folders of
    shapes; ``photos.csv`` has groups of two, rows that are other and rows without a label;
    ``left_out`` has files that are no image, hidden, copies, or copies of another class;
    ``random`` holds patches and four hidden circles; ``bag`` and ``archives`` are for pools;
    ``pairs`` and ``new_pairs`` are for several labels; ``quick`` and ``second`` hold networks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cache = path / "cache"
        write_network(path / "quick" / "network.onnx")
        write_network(path / "second" / "network.onnx", seed=1, tiles=2, pool="MaxPool")
        write_shapes(path / "photos", KNOWN, 14)
        write_shapes(path / "other", ["bar", "cross"], 10)
        write_shapes(path / "new", [*KNOWN, "ring"], 4, first=100)
        rows = ["path,label,group"]
        for kind in KNOWN:
            rows += [f"photos/{kind}/{i:03d}.png,{kind},{kind} {i // 2}" for i in range(14)]
        rows += [f"other/bar/{i:03d}.png,,bar {i}" for i in range(10)]
        rows += [f"other/cross/{i:03d}.png" for i in range(2)]
        (path / "photos.csv").write_text("\n".join(rows) + "\n", "utf-8")
        (path / "random" / "patches").mkdir(parents=True)
        for i in range(30):
            patches(i).save(path / "random" / "patches" / f"{i:03d}.png")
        write_shapes(path / "random", ["circle"], 4, first=300)
        (path / "random" / "circle").rename(path / "random" / "mixed")
        left_out = write_shapes(path / "left_out", ["circle", "square"], 9, first=40)
        (left_out / "circle" / "note.txt").write_text("no image")
        (left_out / "circle" / ".hidden.png").write_bytes(b"")
        for name in ("square/again.png", "circle/copy.png"):
            (left_out / name).write_bytes((left_out / "circle" / "041.png").read_bytes())
        write_bag(path / "bag")
        write_archives(path / "archives", path / "bag")
        write_pairs(path / "pairs", 5, 12, first=0)
        write_pairs(path / "new_pairs", 1, 3, first=100)

    @functools.cached_property
    def stream(self) -> str:
        """A folder of 560 images that are none of the classes; one in five is like a circle."""
        folder = self.path / "stream"
        folder.mkdir()
        for i in range(560):
            picture = shape("ring", 2000 + i) if i % 5 == 0 else patches(5000 + i)
            picture.resize((32, 32)).save(folder / f"{i:04d}.bmp")
        return "stream"

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Let a block run in the folder, with a cache of its own."""
        before = os.getcwd()
        os.chdir(self.path)
        try:
            with mock.patch.dict(os.environ, {"OUTGROUP_CACHE": str(self.cache)}):
                yield
        finally:
            os.chdir(before)


@functools.cache
def world() -> World:
    """Return the data that all facts share, made once in a process."""
    folder = tempfile.TemporaryDirectory(prefix="outgroup-contract-")
    atexit.register(folder.cleanup)
    return World(Path(os.path.realpath(folder.name)))
