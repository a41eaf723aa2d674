"""The demonstration: everything at once on images that come with the dependencies.

The known classes are handwritten digits of scikit-learn (A. Alpaydin and C. Kaynak, UCI Machine
Learning Repository, 1998; 8 x 8 pixels, enlarged). Two other digits are the negatives that training
may learn from. What training never sees are the last digits, pieces of scikit-learn's two
photographs, and random squares: none of them may be given a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import get_backbone
from outgroup.classifier import ImageClassifier
from outgroup.data import from_arrays
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.evaluation import Rate
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.plots import score_histogram
from outgroup.strategies import head_input
from outgroup.synthetic import random_squares
from outgroup.training_set import TrainingSet

KNOWN, NEGATIVE, UNSEEN = (0, 1, 2, 3, 4, 5), (6, 7), (8, 9)
TRAIN_EACH, TEST_EACH = 100, 60
SIDE = 96

Images = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class DemoData:
    """Images of the demonstration, each uint8 of shape (height, width, 3)."""

    train: Images
    train_labels: list[str]
    negatives: Images
    test: Images
    test_labels: list[str]
    unknown: Mapping[str, Images]


@dataclass(frozen=True)
class DemoRow:
    """One way to decide, and what became of the images: shares called right, and accepted."""

    name: str
    right: Rate
    called_other: Rate
    accepted: Mapping[str, Rate]


@dataclass(frozen=True)
class DemoResult:
    """Rows of the table, the certificate's sentence, and the files left behind."""

    rows: tuple[DemoRow, ...]
    certificate: str
    model: Path
    picture: Path


def run(folder: Path, threads: int | None = None) -> DemoResult:
    """Train, measure, and leave a model and a picture in `folder`.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    threads : int or None
        As for `ImageClassifier`.

    Returns
    -------
    DemoResult
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = load_data()
    labels: list[str | None] = [*data.train_labels, *[None] * len(data.negatives)]
    samples = from_arrays([*data.train, *data.negatives], labels)
    classifier = ImageClassifier(threads=threads).fit(samples)
    model = classifier.save(folder / "digits.outgroup")

    known = classifier.predict(data.test)
    unknown = {name: classifier.predict(images) for name, images in data.unknown.items()}
    scores = {f"digits {KNOWN[0]}-{KNOWN[-1]}": known.other_score}
    scores |= {name: answers.other_score for name, answers in unknown.items()}
    picture = folder / "scores.svg"
    picture.write_text(
        score_histogram(scores, classifier.threshold, next(iter(scores)), "What is other?"),
        encoding="utf-8",
    )
    rows = [
        _row("outgroup", known.labels, data, {n: a.labels for n, a in unknown.items()}),
        *_plain_softmax(data, threads),
    ]
    return DemoResult(tuple(rows), classifier.certificate.sentence, model, picture)


def load_data() -> DemoData:
    """Make the images of the demonstration from what is installed."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = {k: [_enlarge(i) for i in digits.images[digits.target == k]] for k in range(10)}
    end = TRAIN_EACH + TEST_EACH
    return DemoData(
        train=[image for k in KNOWN for image in images[k][:TRAIN_EACH]],
        train_labels=[str(k) for k in KNOWN for _ in range(TRAIN_EACH)],
        negatives=[image for k in NEGATIVE for image in images[k][:TRAIN_EACH]],
        test=[image for k in KNOWN for image in images[k][TRAIN_EACH:end]],
        test_labels=[str(k) for k in KNOWN for _ in range(TEST_EACH)],
        unknown={
            "digits " + ", ".join(map(str, UNSEEN)): [
                image for k in UNSEEN for image in images[k][:TEST_EACH]
            ],
            "photographs": _pieces_of_photographs(),
            "squares": list(random_squares(TEST_EACH, SIDE)),
        },
    )


def _enlarge(digit: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an 8 x 8 digit of 0 to 16 as a smooth picture, dark on white."""
    from PIL import Image

    grey = Image.fromarray((255 - digit * (255 / 16)).astype(np.uint8))
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB"))


def _pieces_of_photographs() -> Images:
    """Cut the two photographs into pieces that overlap by half."""
    from sklearn.datasets import load_sample_images

    return [
        photograph[y : y + 2 * SIDE, x : x + 2 * SIDE]
        for photograph in load_sample_images().images
        for y in range(0, photograph.shape[0] - 2 * SIDE + 1, SIDE)
        for x in range(0, photograph.shape[1] - 2 * SIDE + 1, SIDE)
    ]


def _plain_softmax(data: DemoData, threads: int | None) -> list[DemoRow]:
    """Decide as is usually done: a softmax over the known classes, and a round number."""
    cache = EmbeddingCache()  # the same images went through it before
    embedder = Embedder(get_backbone("efficientnet-lite0"), cache=cache, threads=threads)
    train = TrainingSet.from_labels(embedder.embed(data.train).layers, data.train_labels)
    head = LinearSoftmax(strength=0.01).fit(head_input(train.features), train.y)

    def probabilities(images: Images) -> NDArray[np.float64]:
        return head.probabilities(head.logits(head_input(embedder.embed(images).layers)))

    known = probabilities(data.test)
    unknown = {name: probabilities(images) for name, images in data.unknown.items()}

    def decide(p: NDArray[np.float64], least: float) -> list[str | None]:
        best = p.argmax(axis=1)
        sure = p.max(axis=1) >= least
        return [train.classes[k] if s else None for k, s in zip(best, sure, strict=True)]

    return [
        _row(
            f"softmax {least}",
            decide(known, least),
            data,
            {name: decide(p, least) for name, p in unknown.items()},
        )
        for least in (0.50, 0.95)
    ]


def _row(
    name: str,
    answers: list[str | None],
    data: DemoData,
    unknown: Mapping[str, list[str | None]],
) -> DemoRow:
    right = sum(a == t for a, t in zip(answers, data.test_labels, strict=True))
    return DemoRow(
        name=name,
        right=Rate(right, len(answers)),
        called_other=Rate(sum(a is None for a in answers), len(answers)),
        accepted={
            kind: Rate(sum(a is not None for a in labels), len(labels))
            for kind, labels in unknown.items()
        },
    )
