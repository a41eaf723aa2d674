"""`ImageClassifier` with one class an image: strategies, negatives, pools, tables and names."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from expectations import CLOSE_IN_FLOAT32, check, read
from images_data import MadeImages
from surface import attempt, chosen, error_of, images_decided, pool_of, report_of

from outgroup import ImageClassifier
from outgroup.errors import DataWarning

WITH_NEGATIVES = (
    "blend",
    "detector",
    "detector:answer-odds",
    "detector:answer-profile",
    "imagenet",
    "one-class",
    "other-class",
    "sigmoid",
    "sigmoid-0.95",
    "softmax",
    "softmax:energy",
    "two-votes",
)
WITHOUT = ("blend", "one-class", "sigmoid", "two-votes")

OPTIONS: dict[str, dict[str, Any]] = {
    "relative distance": {"strategy": "detector:relative-mahalanobis"},
    "linear-sigmoid": {"head": "linear-sigmoid"},
    "layer last": {"layers": ["last"]},
    "layers logits and second_last": {"layers": ["logits", "second_last"]},
    "focal-softmax": {"strategy": "softmax:max-logit", "head": "focal-softmax,gamma=1"},
    "seed 3": {"seed": 3},
    "known 0.2": {"max_known_rejected": 0.2},
    "other 0.3": {"max_other_accepted": 0.3, "confidence": 0.9},
}

NAMES = {"circle": "balloon", "square": ["envelope", "chest"], "triangle": "mountain tent"}


def fitted(made: MadeImages, data: Any, other: Any = None, pool: Any = None, **options: Any) -> Any:
    """Return a classifier fitted to made images; warnings are tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return made.classifier(**options).fit(data, other=other, pool=pool)


def decided(made: MadeImages, classifier: Any) -> Any:
    """Return what a classifier says of the images to be asked, and what it learned from."""
    return made.named({**images_decided(classifier, made.asked), "report": report_of(classifier)})


def of_folders(made: MadeImages, other: bool = True, **options: Any) -> Any:
    """Return what is decided by a folder of classes, or the error where negatives are needed."""
    fit = partial(fitted, made, made.photos, made.odd if other else None, **options)
    return attempt(fit, partial(decided, made))


def of_table(made: MadeImages, frame: bool = False, **options: Any) -> Any:
    """Return what is decided by a table with groups, whose empty labels are negatives."""
    data: Any = made.table
    if frame:
        data = pd.read_csv(made.table, keep_default_na=False)
        data["path"] = [str(made.root / path) for path in data["path"]]
    return decided(made, fitted(made, data, **options))


def one_class(made: MadeImages, other: bool, **options: Any) -> Any:
    """Return what is decided by images of a single class."""
    frame = pd.DataFrame({"path": sorted(map(str, (made.photos / "circle").iterdir()))})
    data = frame.assign(label="circle")
    return decided(made, fitted(made, data, made.odd if other else None, **options))


def auto(made: MadeImages) -> Any:
    """Return what "auto" chooses, and what it decides."""
    classifier = fitted(made, made.photos, made.odd, strategy="auto")
    return {"choice": chosen(classifier.comparison), **decided(made, classifier)}


def purged(made: MadeImages, other: bool = False, copy: bool = False, **options: Any) -> Any:
    """Return what is set aside of a pool that hides images of the classes."""
    pool: Any = made.pool
    if copy:  # of an image that is learned from as a square
        pool = [made.pool, str(made.photos / "square" / "square-red-000.bmp")]
    classifier = fitted(made, made.photos, made.odd if other else None, pool, **options)
    return {"pool": made.named(pool_of(classifier)), **decided(made, classifier)}


def left_out(made: MadeImages) -> Any:
    """Return what becomes of images that contradict each other, are unlabelled or unreadable."""
    circles, squares, triangles = (
        sorted(map(str, (made.photos / name).iterdir()))
        for name in ("circle", "square", "triangle")
    )
    rows = [
        *((path, "circle") for path in circles),
        *((path, "square") for path in squares),
        (circles[3], "square"),  # another class
        (squares[2], "square"),  # a copy
        *((path, None) for path in triangles[:4]),
        *((path, "") for path in triangles[4:]),
        (str(made.broken), "circle"),
    ]
    return decided(made, fitted(made, pd.DataFrame(rows, columns=["path", "label"])))


def negatives_inside(made: MadeImages) -> Any:
    """Return what is decided where a folder of the classes is given as negatives as well."""
    return decided(made, fitted(made, made.pool, made.pool / "cross", strategy="detector"))


def evaluated(made: MadeImages, **options: Any) -> Any:
    """Return the figures on new images, by folder of unknown ones, one of them unreadable."""
    classifier = fitted(made, made.photos, made.odd, **options)
    unknown = [made.unknown / "ring", made.unknown / "grain", [str(made.broken)]]
    found, unreadable = classifier.evaluate(made.new, unknown)
    return made.named([found.to_dict(), [file.path for file in unreadable]])


def evaluated_table(made: MadeImages) -> Any:
    """Return the figures by a table, in which an empty label is an unknown image."""
    found, _ = made.single.evaluate(made.table)
    return [found.to_dict(), made.single.evaluate(made.new)[0].to_dict()]


def unlearned(made: MadeImages) -> Any:
    """Return what a map of names answers that no image has calibrated."""
    return [
        images_decided(made.classifier(strategy="auto", map=names).fit(), made.asked[:3])
        for names in ({"hotdog": "hotdog"}, NAMES)
    ]


def broken(made: MadeImages) -> dict[str, Callable[[], Any]]:
    """Return calls that can't be answered, by what is wrong with them."""
    empty, flat = made.root / "empty", made.root / "flat"
    empty.mkdir(exist_ok=True)
    flat.mkdir(exist_ok=True)
    (flat / "notes.txt").write_text("no image")
    headless = made.root / "headless.csv"
    headless.write_text("photo,kind\na.bmp,cat\n")
    fit: Any = partial(fitted, made)
    single = made.single
    return {
        "no data": partial(fit, None),
        "no such folder": partial(fit, made.root / "no-such"),
        "no such table": partial(fit, made.root / "no-such.csv"),
        "an empty folder": partial(fit, empty),
        "a folder without images": partial(fit, flat),
        "a table without columns": partial(fit, headless),
        "an empty other": partial(fit, made.photos, empty),
        "one class, sigmoid": partial(one_class, made, False),
        "no such strategy": partial(fit, made.photos, strategy="sigmiod"),
        "no such layer": partial(fit, made.photos, layers=["first"]),
        "no layer": partial(fit, made.photos, layers=[]),
        "no such head": partial(fit, made.photos, head="softmax"),
        "no such backbone": partial(fit, made.photos, backbone="resnet"),
        "no such network": partial(fit, made.photos, backbone="onnx:no-such.onnx"),
        "auto with layers": partial(fit, made.photos, strategy="auto", layers=["last"]),
        "known 0.01": partial(fit, made.photos, max_known_rejected=0.01),
        "known is 2": partial(fit, made.photos, max_known_rejected=2),
        "other 0.1 without": partial(fit, made.photos, max_other_accepted=0.1),
        "two label columns": partial(fit, made.table, label_columns=["label", "group"]),
        "no such column": partial(fit, made.table, label_columns=["kind"]),
        "label_columns is a word": partial(fit, made.table, label_columns="label"),
        "labels and outputs": partial(fit, made.table, multi_label=True, multi_output=True),
        "outputs without columns": partial(fit, made.table, multi_output=True),
        "map of no such name": partial(fit, None, strategy="auto", map={"cat": "tabbby"}),
        "map of one name twice": partial(
            fit, None, strategy="auto", map={"a": "hotdog", "b": "hotdog"}
        ),
        "map is empty": partial(fit, None, strategy="auto", map={}),
        "map and sigmoid": partial(fit, None, map={"hotdog": "hotdog"}),
        "map and head": partial(
            fit, None, strategy="auto", map={"hotdog": "hotdog"}, head="linear-sigmoid"
        ),
        "map and labels": partial(
            fit, None, strategy="auto", map={"hotdog": "hotdog"}, multi_label=True
        ),
        "map and other labels": partial(
            fit, made.photos, strategy="auto", map={"hotdog": "hotdog"}
        ),
        "map and a network of one's own": partial(
            fit, None, strategy="auto", map={"hotdog": "hotdog"}, backbone=made.network
        ),
        "finetune is a word": partial(fit, made.photos, finetune="yes"),
        "not fitted": lambda: made.classifier().predict(made.asked),
        "predict a number": lambda: single.predict(3),
        "predict nothing": lambda: single.predict([]),
        "predict an empty folder": lambda: single.predict(empty),
        "nearest is negative": lambda: single.predict(made.asked[:1], nearest=-1),
        "stream of one path": lambda: list(single.stream(made.asked[0])),
        "stream by NaN": lambda: list(single.stream(made.asked[:1], threshold=float("nan"))),
        "evaluate other classes": lambda: single.evaluate(made.pool),
        "evaluate nothing": lambda: single.evaluate(empty),
    }


CASES: dict[str, Callable[[MadeImages], Any]] = {
    **{f"{name}, negatives": partial(of_folders, strategy=name) for name in WITH_NEGATIVES},
    **{name: partial(of_folders, other=False, strategy=name) for name in WITHOUT},
    **{f"options: {name}": partial(of_folders, **options) for name, options in OPTIONS.items()},
    "auto": auto,
    "a table": of_table,
    "a table, blend": partial(of_table, strategy="blend"),
    "one class": partial(one_class, other=False, strategy="auto"),
    "one class, negatives": partial(
        one_class, other=True, strategy="one-class", head="linear-sigmoid,strength=1"
    ),
    "one class, sigmoid": partial(one_class, other=True, head="focal-sigmoid,strength=1"),
    "one class, detector": partial(one_class, other=False, strategy="detector"),
    "pool": purged,
    "pool and negatives": partial(purged, other=True),
    "pool with a copy": partial(purged, copy=True),
    "pool, suspects kept": partial(purged, other=True, keep_suspects=True),
    "images that are left out": left_out,
    "negatives inside": negatives_inside,
    "evaluate": evaluated,
    "evaluate softmax": partial(evaluated, strategy="softmax"),
    "evaluate a table": evaluated_table,
    "names, no images": unlearned,
    "names, images": partial(of_folders, strategy="auto", map=NAMES),
    "names, images and a pool": partial(purged, strategy="imagenet", map=NAMES),
    "a network of one's own": lambda made: of_folders(made, backbone=made.network),
    "a network of one's own, blend": lambda made: of_folders(
        made, strategy="blend", backbone=made.network
    ),
    "bad input": lambda made: {what: error_of(call) for what, call in broken(made).items()},
}


@pytest.mark.parametrize("case", CASES)
def test_images_are_answered_as_recorded(case: str, made: MadeImages) -> None:
    check("images_classes", case, CASES[case](made), CLOSE_IN_FLOAT32)


def test_every_recorded_case_is_computed() -> None:
    assert {*read("images_classes")} == {*CASES}


def test_a_frame_gives_the_model_of_the_table(made: MadeImages) -> None:
    assert of_table(made, frame=True) == of_table(made)


def test_the_order_of_images_does_not_matter(made: MadeImages) -> None:
    paths = sorted(map(str, made.photos.rglob("*.bmp")))
    frame = pd.DataFrame({"path": paths, "label": [Path(path).parent.name for path in paths]})
    shuffled = frame.iloc[np.random.default_rng(0).permutation(len(frame))]
    one, two = (fitted(made, data, made.odd) for data in (frame, shuffled))
    assert decided(made, one) == decided(made, two)


def test_warnings_are_given_and_kept(made: MadeImages) -> None:
    paths = sorted(map(str, made.photos.rglob("*.bmp")))
    labels = ["other" if Path(path).parent.name == "circle" else "shape" for path in paths]
    named = pd.DataFrame({"path": paths, "label": labels})
    classifier = made.classifier()
    with pytest.warns(DataWarning) as caught:
        classifier.fit(named)
    assert len(classifier.report.warnings) == len(caught) == 1


def test_the_first_fit_is_forgotten(made: MadeImages) -> None:
    classifier = fitted(made, made.pool, made.odd, strategy="detector")
    classifier.fit(made.photos)
    assert decided(made, classifier) == of_folders(made, other=False, strategy="detector")


def test_options_are_those_that_were_given() -> None:
    assert ImageClassifier().strategy == "auto"
    assert ImageClassifier(strategy="sigmoid", head="pu-sigmoid").head == "pu-sigmoid"
