"""Small made images: coloured shapes that are the classes, negatives, a pool, and tables of them.

All of it is drawn by NumPy and written without compression, so that files are the same everywhere:
the order in which images are learned from goes by their content.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import outgroup

SHAPES = ("circle", "square", "triangle")
COLOURS = {"blue": (40, 60, 210), "green": (50, 170, 60), "red": (210, 50, 40)}

WRONG = {"blue": "green", "green": "red", "red": "blue"}

#: Shapes that are no class: as negatives, in the pool, and only when a model is measured.
ODD, POOLED, UNKNOWN = ("stripes", "checks"), ("ramp", "dots", "cross"), ("ring", "grain")

#: Numbers of the new images, blue, green and red, which no threshold of these tests is close to.
NEW = {
    "circle": (102, 114, 114),
    "square": (106, 108, 103),
    "triangle": (114, 110, 103),
    "ring": (113, 101, 113),
    "grain": (110, 106, 102),
}


def mask(shape: str, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Return in [0, 1] where a shape is; x and y are in [-1, 1] within it."""
    inside = np.maximum(abs(x), abs(y)) < 0.9
    radius = np.hypot(x, y)
    drawn: dict[str, Any] = {
        "circle": radius < 0.9,
        "square": np.maximum(abs(x), abs(y)) < 0.75,
        "triangle": (y < 0.7) & (y > 2 * abs(x) - 0.9),
        "stripes": np.sin(9 * x + 2 * y) > 0,
        "checks": np.sin(8 * x) * np.sin(8 * y) > 0,
        "ramp": np.clip((x + y + 2) / 4, 0, 1),
        "dots": np.hypot(x % 0.5 - 0.25, y % 0.5 - 0.25) < 0.12,
        "cross": inside & (np.minimum(abs(x), abs(y)) < 0.2),
        "ring": (radius < 0.9) & (radius > 0.6),
        "grain": 0.0 * x,
    }
    return np.asarray(drawn[shape], dtype=np.float64)


def draw(shape: str, colour: str, number: int) -> NDArray[np.uint8]:
    """Return a picture of a shape; the number decides its place, size, background and grain."""
    names = (*SHAPES, *ODD, *POOLED, *UNKNOWN)
    rng = np.random.default_rng([names.index(shape), sorted(COLOURS).index(colour), number])
    height, width = rng.integers(64, 97, 2)
    size = 0.32 * min(height, width) * rng.uniform(0.75, 1.2)
    cy, cx = rng.uniform(0.42, 0.58, 2) * (height, width)
    y, x = np.mgrid[0:height, 0:width]
    there = mask(shape, (x - cx) / size, (y - cy) / size)[..., np.newaxis]
    background = rng.uniform(150, 230, 3)
    grain = rng.normal(0, 60 if shape == "grain" else 9, (height, width, 3))
    painted = np.array(COLOURS[colour]) + rng.normal(0, 12, 3)
    return np.clip(there * painted + (1 - there) * background + grain, 0, 255).astype(np.uint8)


class MadeImages:
    """Folders and tables of made images, and classifiers that were fitted to them.

    Parameters
    ----------
    root : Path
        An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.photos = self._folder("photos", SHAPES, range(4), wrong=9)
        self.odd = self._folder("odd", ODD, range(2))
        self.pool = self._folder("pool", POOLED, range(3))
        for shape in SHAPES:  # some of the classes are hidden in the pool
            self._write(self.pool / "dots" / f"hidden-{shape}.bmp", shape, "red", 50)
        self.new = self._folder("new", SHAPES)
        self.unknown = self._folder("unknown", UNKNOWN)
        self.broken = root / "broken.bmp"
        self.broken.write_bytes(b"BM no picture")
        self._tables()

    def classifier(self, **options: Any) -> Any:
        """Return an unfitted classifier, which keeps embeddings in the cache of the tests."""
        return outgroup.ImageClassifier(**{"strategy": "sigmoid", "progress": False, **options})

    @cached_property
    def single(self) -> Any:
        """A classifier of shapes, fitted with negatives; not to be fitted again."""
        return self.classifier().fit(self.photos, other=self.odd)

    @cached_property
    def labels(self) -> Any:
        """A classifier of shape and colour as labels; not to be fitted again."""
        return self.classifier(multi_label=True).fit(self.lists, other=self.pool / "ramp")

    @cached_property
    def columns(self) -> Any:
        """A classifier of shape and colour in columns; not to be fitted again."""
        clf = self.classifier(multi_output=True, label_columns=["shape", "colour"])
        return clf.fit(self.sides, other=self.pool / "ramp")

    @cached_property
    def plus(self) -> Path:
        """A folder for each shape with a colour, such as "circle+red"."""
        for path, shape, colour in self._said(self.photos):
            folder = self.root / "plus" / f"{shape}+{colour}"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.root / path, folder)
        return self.root / "plus"

    @property
    def asked(self) -> list[str]:
        """Paths of the images that answers are recorded of, one of them unreadable."""
        known = sorted(self.new.rglob("*.bmp"))
        return [str(path) for path in (*known, *sorted(self.unknown.rglob("*.bmp")), self.broken)]

    @cached_property
    def network(self) -> str:
        """A backbone of one's own: the mean colours of 16 tiles, and ten logits made of them."""
        nodes = [
            helper.make_node("AveragePool", ["image"], ["t"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Flatten", ["t"], ["features"]),
            helper.make_node("MatMul", ["features", "weights"], ["logits"]),
        ]
        weights = np.random.default_rng(0).normal(size=(48, 10)).astype(np.float32)
        graph = helper.make_graph(
            nodes,
            "tiles",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 32, 32])],
            [
                helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 48]),
                helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10]),
            ],
            [numpy_helper.from_array(weights, "weights")],
        )
        opset = [helper.make_opsetid("", 17)]
        (self.root / "network").mkdir()
        path = self.root / "network" / "tiles.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        config = {"size": {"height": 32, "width": 32}, "resample": 2,
                  "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}  # fmt: skip
        (path.parent / "preprocessor_config.json").write_text(json.dumps(config))
        return f"onnx:{path}"

    def named(self, value: Any) -> Any:
        """Return a plain value with paths as they are within the made folder."""
        if isinstance(value, dict):
            return {self.named(key): self.named(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.named(one) for one in value]
        return value.replace(f"{self.root}/", "") if isinstance(value, str) else value

    def _folder(
        self,
        name: str,
        shapes: Sequence[str],
        numbers: Iterable[int] | None = None,
        wrong: int | None = None,
    ) -> Path:
        """Draw shapes of these numbers into a folder each; None: new ones.

        One of `wrong` is put into the wrong folder. Labels that are a little wrong keep a head from
        being as sure as it likes, and its scores from depending on the last bits of embeddings.
        """
        drawn = [
            (shape, colour, number)
            for shape in shapes
            for i, colour in enumerate(COLOURS)
            for number in ([NEW[shape][i]] if numbers is None else numbers)
        ]
        for i, (shape, colour, number) in enumerate(drawn):
            off = wrong is not None and i % wrong == wrong // 2
            label = shapes[(shapes.index(shape) + off) % len(shapes)]
            file = self.root / name / label / f"{shape}-{colour}-{number:03d}.bmp"
            file.parent.mkdir(parents=True, exist_ok=True)
            self._write(file, shape, colour, number)
        return self.root / name

    def _write(self, file: Path, shape: str, colour: str, number: int) -> None:
        Image.fromarray(draw(shape, colour, number)).save(file)

    def _tables(self) -> None:
        """Write what the images show, in the ways in which a table may say it."""
        said = self._said(self.photos, self.odd)
        self.table = self._table(
            "shapes", "path,label,group", [(p, s, f"g{i // 2}") for i, (p, s, _) in enumerate(said)]
        )
        self.lists = self._table("lists", "path,label", map(_listed, said))
        self.marks = self._table(
            "marks",
            "path,circle,square,triangle,red",
            [
                (p, *(int(s == shape) for shape in SHAPES), "" if i % 9 == 4 else int(c == "red"))
                for i, (p, s, c) in enumerate(said)
            ],
        )
        self.sides = self._table("sides", "path,shape,colour", map(_in_columns, said))
        self.unlooked = self._table(
            "unlooked",
            "path,shape,colour",
            [row[:2] if i % 5 == 2 else row for i, row in enumerate(map(_in_columns, said))],
        )
        new = [*self._said(self.new, self.unknown), (self.broken.name, "circle", "red")]
        self.new_lists = self._table("new_lists", "path,label", map(_listed, new))
        self.new_sides = self._table("new_sides", "path,shape,colour", map(_in_columns, new))

    def _said(self, *folders: Path) -> list[tuple[str, str, str]]:
        """Return path, shape (empty if it is no class) and colour of each image of folders.

        Of some images the colour is wrong, too.
        """
        files = [file for folder in folders for file in sorted(folder.rglob("*.bmp"))]
        said = []
        for i, file in enumerate(files):
            label, colour = file.parent.name, file.name.split("-")[1]
            if i % 9 == 7:
                colour = WRONG[colour]
            path = str(file.relative_to(self.root))
            said.append((path, label if label in SHAPES else "", colour))
        return said

    def _table(self, name: str, header: str, rows: Iterable[Sequence[Any]]) -> Path:
        path = self.root / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows])
        return path


def _listed(said: tuple[str, str, str]) -> tuple[str, str]:
    path, shape, colour = said
    return path, f"{shape}|{colour}" if shape else ""


def _in_columns(said: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return the row of an image; a shape that is no class has a colour, and green is none."""
    path, shape, colour = said
    return path, shape, "" if colour == "green" else colour
