"""``outgroup demo``: train and measure on images that come with the dependencies.

The known classes are handwritten digits of scikit-learn (A. Alpaydin and C. Kaynak, UCI Machine
Learning Repository, 1998; 8 x 8 pixels, enlarged). Two other digits are the negatives that training
may learn from. What training never sees are the last digits, pieces of scikit-learn's two
photographs, and random squares: none of them should be given a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from outgroup.cli import options
from outgroup.cli.output import print_json, print_table, results
from outgroup.errors import MissingExtraError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from outgroup.evaluation import Rate

KNOWN, NEGATIVE, UNSEEN = (0, 1, 2, 3, 4, 5), (6, 7), (8, 9)
TRAIN_EACH, TEST_EACH = 100, 60
SIDE = 96

Images: TypeAlias = "list[NDArray[np.uint8]]"


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
    """What one classifier did to known images, and to unknown ones by kind."""

    name: str
    right: Rate
    rejected: Rate
    accepted: Mapping[str, Rate]


@dataclass(frozen=True)
class DemoResult:
    """Rows of the table, the certificate's sentence, and the files that were written."""

    rows: tuple[DemoRow, ...]
    certificate: str
    model: Path
    picture: Path | None


def run_demo(folder: Path, threads: int | None = None) -> DemoResult:
    """Train, measure, and write a model and, with matplotlib, a plot to `folder`."""
    from outgroup.classifier import ImageClassifier
    from outgroup.data import from_arrays
    from outgroup.report.plots import plot_scores

    folder.mkdir(parents=True, exist_ok=True)
    data = load_data()
    labels: list[str | None] = [*data.train_labels, *[None] * len(data.negatives)]
    samples = from_arrays([*data.train, *data.negatives], labels)
    classifier = ImageClassifier(threads=threads).fit(samples)
    model = classifier.save(folder / "digits.outgroup")

    known = classifier.predict_many(data.test)
    unknown = {name: classifier.predict_many(images) for name, images in data.unknown.items()}
    scores: dict[str, NDArray[np.float64]] = {f"digits {KNOWN[0]}-{KNOWN[-1]}": known.other_score}
    scores |= {name: answers.other_score for name, answers in unknown.items()}
    picture: Path | None = (path := folder / "scores.svg")
    try:
        plot_scores(
            path, scores, classifier.threshold, next(iter(scores)), "Which images are other?"
        )
    except MissingExtraError:  # there is no matplotlib
        picture = None
    rows = [
        _row("outgroup", known.top_labels, data, {n: a.top_labels for n, a in unknown.items()}),
        *_plain_softmax(data, threads),
    ]
    return DemoResult(tuple(rows), classifier.certificate.sentence, model, picture)


def load_data() -> DemoData:
    """Make the images of the demonstration from what is installed."""
    from sklearn.datasets import load_digits

    from outgroup.synthetic import random_squares

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
    import numpy as np
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
    """Classify by a softmax over the known classes, with a round number as its threshold."""
    from outgroup.backbones import get_backbone
    from outgroup.embeddings import Embedder, EmbeddingCache
    from outgroup.heads.linear import LinearSoftmax
    from outgroup.strategies import head_input
    from outgroup.training_set import TrainingSet

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
    name: str, answers: list[str | None], data: DemoData, unknown: Mapping[str, list[str | None]]
) -> DemoRow:
    from outgroup.evaluation import Rate

    right = sum(a == t for a, t in zip(answers, data.test_labels, strict=True))
    return DemoRow(
        name=name,
        right=Rate(right, len(answers)),
        rejected=Rate(sum(a is None for a in answers), len(answers)),
        accepted={
            kind: Rate(sum(a is not None for a in labels), len(labels))
            for kind, labels in unknown.items()
        },
    )


def demo(
    out: Annotated[
        Path, options.option("DIR", "Folder that the files are written to.", "--out", "-o")
    ] = Path("outgroup-demo"),
    json: options.Json = False,
) -> None:
    """Train on handwritten digits, and measure on them and on images of other things."""
    result = run_demo(out)
    if json:
        print_json(
            {
                "rows": [
                    {
                        "name": row.name,
                        "right": row.right.to_dict(),
                        "rejected": row.rejected.to_dict(),
                        "accepted": {kind: r.to_dict() for kind, r in row.accepted.items()},
                    }
                    for row in result.rows
                ],
                "certificate": result.certificate,
                "model": str(result.model),
                "picture": None if result.picture is None else str(result.picture),
            }
        )
        return
    console = results()
    kinds = list(result.rows[0].accepted)
    rows = [
        (
            row.name,
            _percent(row.right.value),
            _percent(row.rejected.value),
            *(_percent(row.accepted[kind].value) for kind in kinds),
        )
        for row in result.rows
    ]
    console.print(
        "Six handwritten digits are known. Training sees two others as negatives, and never the "
        f"unknown images: {', '.join(kinds)}.\n"
    )
    columns = ("", "right", "rejected", *kinds)
    print_table("New images: known ones, and the share of unknown accepted", columns, rows)
    ours, _, strict = result.rows
    worst = max(kinds, key=lambda kind: strict.accepted[kind].value or 0.0)
    console.print(
        "\nRight and rejected: shares of new images of the known digits. The other columns: shares "
        "of unknown images that were given a digit, which is always wrong.\n\n"
        f"A softmax with the threshold 0.95 rejects {_percent(strict.rejected.value)} of the known "
        f"digits and accepts {_percent(strict.accepted[worst].value)} of the {worst}; outgroup "
        f"rejects {_percent(ours.rejected.value)} and accepts "
        f"{_percent(ours.accepted[worst].value)} of them."
    )
    console.print(f"\n{result.certificate}\n")
    console.print(f"Model:   {result.model}", soft_wrap=True)
    picture = 'none: pip install "outgroup[plot]" draws one'
    if result.picture is not None:
        picture = f"{result.picture} (open it in a browser)"
    console.print(f"Picture: {picture}", soft_wrap=True)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f} %"
