from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

# What is learned here is small and soonest done by one thread; two that wait for each other take up
# to eight times as long where another process has a core. Read when a library of arithmetic is
# loaded, so it stands before that; a number that was chosen from outside stays.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from outgroup import ImageClassifier

COLOURS = {
    "blue": (40, 40, 200),
    "green": (40, 200, 40),
    "red": (200, 40, 40),
    "yellow": (220, 220, 40),
    "grey": (120, 120, 120),
    "pink": (240, 120, 200),
}
SIDE = 16


def pytest_configure(config: pytest.Config) -> None:
    """No test and no doctest touches the user's cache."""
    config.stash[CACHE] = os.environ.get("OUTGROUP_CACHE")
    os.environ["OUTGROUP_CACHE"] = tempfile.mkdtemp(prefix="outgroup-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(os.environ["OUTGROUP_CACHE"], ignore_errors=True)
    before = config.stash[CACHE]
    if before is None:
        del os.environ["OUTGROUP_CACHE"]
    else:
        os.environ["OUTGROUP_CACHE"] = before


CACHE = pytest.StashKey[str | None]()


def picture(colour: str, number: int) -> Image.Image:
    """A picture of about this colour, with grain; the number decides what is different in it."""
    rng = np.random.default_rng([sorted(COLOURS).index(colour), number])
    base = np.array(COLOURS[colour]) + rng.normal(0, 12, 3)
    pixels = base + rng.normal(0, 20, (32, 40, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def make_picture() -> Callable[[str, int], Image.Image]:
    return picture


@pytest.fixture(scope="session")
def make_folder() -> Callable[..., Path]:
    """Fill a folder with pictures of given colours, a sub-folder each, numbered from `first`."""

    def make(folder: Path, colours: list[str], n: int, first: int = 0) -> Path:
        for colour in colours:
            (folder / colour).mkdir(parents=True)
            for number in range(first, first + n):
                picture(colour, number).save(folder / colour / f"{number:03d}.png")
        return folder

    return make


def write_network(folder: Path) -> Path:
    """A small image network: mean colours of 16 tiles, and ten logits made of them."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("AveragePool", ["image"], ["tiles"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["tiles"], ["features"]),
        helper.make_node("MatMul", ["features", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiles",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 48]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10]),
        ],
        [numpy_helper.from_array(rng.normal(size=(48, 10)).astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "network.onnx"
    onnx.save(model, path)
    config = {
        "size": {"height": SIDE, "width": SIDE},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    return path


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    """A network of one's own, as a file that a test may change or delete."""
    folder = tmp_path / "network"
    folder.mkdir()
    return write_network(folder)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The spec of a backbone that takes no time."""
    return f"onnx:{write_network(tmp_path_factory.mktemp('network'))}"


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]) -> Path:
    """25 pictures of each of three classes; not to be changed."""
    return make_folder(tmp_path_factory.mktemp("data") / "photos", ["blue", "green", "red"], 25)


@pytest.fixture(scope="session")
def odds(tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]) -> Path:
    """Negatives of two kinds, 12 each; not to be changed."""
    return make_folder(tmp_path_factory.mktemp("data") / "odds", ["grey", "yellow"], 12)


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]) -> Path:
    """Pictures that training has not seen: 5 of each class, and 5 pink ones; not to be changed."""
    colours = ["blue", "green", "pink", "red"]
    return make_folder(tmp_path_factory.mktemp("data") / "new", colours, 5, first=100)


@pytest.fixture(scope="session")
def trained(quick: str, photos: Path, odds: Path) -> ImageClassifier:
    """A fitted classifier; not to be fitted again."""
    return ImageClassifier(strategy="sigmoid", backbone=quick, cache=False).fit(photos, other=odds)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory, trained: ImageClassifier) -> Path:
    """A saved model; not to be changed."""
    return trained.save(tmp_path_factory.mktemp("model") / "colours.outgroup")


LABELS = ("blue", "green", "red")


def write_pairs(folder: Path, n: int, n_none: int, first: int) -> Path:
    """Pictures side by side, and what they show, said in three ways.

    ``lists.csv`` has a column of labels with bars between; ``marks.csv`` a column of 1 and 0 for
    each label; ``sides.csv`` the columns left and right, empty where the colour is no label.
    """
    folder.mkdir(parents=True)
    pairs = [(a, b) for a in LABELS for b in (*LABELS, "pink")]
    tables: dict[str, list[list[str]]] = {
        "lists": [["path", "label"]],
        "marks": [["path", *LABELS]],
        "sides": [["path", "left", "right"]],
    }
    for left, right in [*pairs, ("pink", "pink"), ("yellow", "grey")]:
        for i in range(first, first + (n if left in LABELS else n_none)):
            name = f"{left}-{right}-{i:03d}.png"
            both = Image.new("RGB", (80, 32))
            both.paste(picture(left, i), (0, 0))
            both.paste(picture(right, i + 500), (40, 0))
            both.save(folder / name)
            there = sorted({left, right} & {*LABELS})
            tables["lists"].append([name, "|".join(there)])
            tables["marks"].append([name, *("01"[label in there] for label in LABELS)])
            tables["sides"].append([name, *(c if c in LABELS else "" for c in (left, right))])
    for name, rows in tables.items():
        text = "".join(",".join(row) + "\n" for row in rows)
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 pictures of each pair of colours and 60 of no label; not to be changed."""
    return write_pairs(tmp_path_factory.mktemp("data") / "pairs", 10, 30, first=0)


@pytest.fixture(scope="session")
def new_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs that training has not seen; not to be changed."""
    return write_pairs(tmp_path_factory.mktemp("data") / "new", 4, 10, first=100)


@pytest.fixture(scope="session")
def labelled(quick: str, pairs: Path) -> ImageClassifier:
    """A fitted multi-label classifier; not to be fitted again."""
    return ImageClassifier(backbone=quick, cache=False, multi_label=True).fit(pairs / "lists.csv")


@pytest.fixture(scope="session")
def two_sided(quick: str, pairs: Path) -> ImageClassifier:
    """A fitted multi-output classifier; not to be fitted again."""
    classifier = ImageClassifier(
        backbone=quick, cache=False, multi_output=True, label_columns=["left", "right"]
    )
    return classifier.fit(pairs / "sides.csv")
