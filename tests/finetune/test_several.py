"""A network tuned where an image has several labels, or a class in each of several columns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from PIL import Image  # noqa: E402

from outgroup import ImageClassifier, load  # noqa: E402
from outgroup.classifier.tuner import Targets  # noqa: E402
from outgroup.data import Samples  # noqa: E402
from outgroup.errors import InvalidDataError, InvalidParameterError  # noqa: E402
from outgroup.finetune import FineTune  # noqa: E402
from outgroup.finetune.figure import several_labels_figure  # noqa: E402
from outgroup.finetune.inputs import PixelInputs  # noqa: E402
from outgroup.finetune.objectives import OBJECTIVES, choose_objective  # noqa: E402
from outgroup.finetune.plan import Plan  # noqa: E402
from outgroup.finetune.splitting import UNSEEN  # noqa: E402
from outgroup.finetune.training import TrainingData, train  # noqa: E402
from outgroup.finetune.tuning import choose_rows  # noqa: E402
from outgroup.images import Preprocessing  # noqa: E402

PREPROCESSING = Preprocessing(resize=16, crop=16)
SEVERAL = [name for name, one in OBJECTIVES if one.takes_several]


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 12, 3, stride=2),
        torch.nn.ReLU(),
    )


def tuner(**options: object) -> FineTune:
    given = {"epochs": 2, "warm_up": 2, "unfreeze": "all", "learning_rate": 0.003}
    given |= {"only_if_better": False, **options}
    return FineTune(network=network(), preprocessing=PREPROCESSING, **given)


def pictures(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures, of which some have a red spot, some a blue one, some both, and some none."""
    rng = np.random.default_rng(seed)
    Y = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], axis=1)
    pixels = rng.integers(90, 150, (n, 16, 16, 3))
    for i, (red, blue) in enumerate(Y):
        for there, colour in ((red, [250, 20, 20]), (blue, [20, 20, 250])):
            y, x = rng.integers(0, 10, 2)
            if there:
                pixels[i, y : y + 5, x : x + 5] = colour
    return pixels.astype(np.uint8), Y


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("several")
    for i, image in enumerate(pictures(100)[0]):
        Image.fromarray(image).save(root / f"{i:03}.png")
    return root


def write_table(folder: Path, name: str, header: str, cells: list[str]) -> Path:
    lines = [header, *(f"{i:03}.png,{cell}" for i, cell in enumerate(cells))]
    (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return folder / name


def test_any_number_of_labels(folder: Path, quick: str, tmp_path: Path) -> None:
    names = np.array(["red", "blue"])
    labels = ["|".join(names[row == 1]) for row in pictures(100)[1]]
    table = write_table(folder, "labels.csv", "path,label", labels)
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True, finetune=tuner())
    clf.fit(table)
    info = clf.contents.training.options["finetune"]
    for name in ("red", "blue"):
        seen = info["tuned_on"][name] + info["watched"][name]
        assert 20 <= seen <= 30
        promise = next(p for p in clf.certificate.promises if name in p.sentence)
        assert promise.n == 50 - seen  # the threshold rests on what the network has not seen
    assert json.dumps(info)
    assert info["sentence"].endswith("The threshold rests on images that it has not seen.")
    assert "kept" not in info  # asked for as it is, it is not measured
    new, there = pictures(60, seed=1)
    again = load(clf.save(tmp_path / "m.outgroup"))
    assert again.contents.backbone.name == "tuned:Sequential"
    answers = again.predict(list(new))
    said = np.array([[name in answer.labels for name in names] for answer in answers])
    assert np.mean(said == (there == 1)) > 0.8


def test_a_class_in_each_of_several_columns(folder: Path, quick: str) -> None:
    marks = pictures(100)[1]
    cells = [f"{'red' if r else 'plain'},{'blue' if b else 'plain'}" for r, b in marks]
    cells[7] = "red"  # nobody has looked at its second column
    table = write_table(folder, "columns.csv", "path,first,second", cells)
    clf = ImageClassifier(
        backbone=quick,
        strategy="softmax",
        cache=False,
        multi_output=True,
        label_columns=["first", "second"],
        finetune=tuner(),
    )
    clf.fit(table)
    info = clf.contents.training.options["finetune"]
    assert {*info["tuned_on"]} == {"first=plain", "first=red", "second=blue", "second=plain"}
    n_seen = [
        sum(info[part].get(f"first={value}", 0) for part in ("tuned_on", "watched"))
        for value in ("plain", "red")
    ]
    assert clf.contents.model.columns["first"].certificate.promises[0].n == 100 - sum(n_seen)


def test_a_tuned_network_is_kept_only_if_it_is_measured_to_be_better(
    folder: Path, quick: str
) -> None:
    names = np.array(["red", "blue"])
    labels = ["|".join(names[row == 1]) for row in pictures(100)[1]]
    table = write_table(folder, "measured.csv", "path,label", labels)
    cells = [",".join(["spot" if there else "plain" for there in row]) for row in pictures(100)[1]]
    columns = write_table(folder, "both.csv", "path,red,blue", cells)
    several = ImageClassifier(
        backbone=quick, cache=False, multi_label=True, finetune=tuner(only_if_better=True)
    )
    in_columns = ImageClassifier(
        backbone=quick, cache=False, multi_output=True, label_columns=["red", "blue"],
        finetune=tuner(only_if_better=True),
    )  # fmt: skip
    for clf, data in ((several, table), (in_columns, columns)):
        info = clf.fit(data).contents.training.options["finetune"]
        tuned = clf.contents.backbone.name.startswith("tuned:")
        assert tuned == info["kept"]
        assert not (tuned and info["accepted_after"] >= info["accepted_before"])
        end = "one: the tuned network is kept." if tuned else "one: it stays as it came."
        assert end in info["sentence"]
        assert "images not seen by tuning are without" in info["sentence"]


def test_an_objective_of_one_class_an_image_is_refused(folder: Path, quick: str) -> None:
    labels = ["red" if i % 2 else "" for i in range(100)]
    table = write_table(folder, "one.csv", "path,label", labels)
    clf = ImageClassifier(
        backbone=quick, cache=False, multi_label=True, finetune=tuner(objective="other-class")
    )
    with pytest.raises(InvalidParameterError, match="must be one of 'focal-sigmoid', 'sigmoid'"):
        clf.fit(table)


@pytest.mark.parametrize("objective", SEVERAL)
@pytest.mark.parametrize("negatives", [True, False])
def test_a_tiny_run_overfits(objective: str, negatives: bool) -> None:
    from outgroup.finetune.foreign import ModuleNetwork

    pixels, Y = pictures(96)
    if not negatives:
        pixels, Y = pixels[Y.any(axis=1)], Y[Y.any(axis=1)]
    rows = np.arange(len(Y))
    small = ModuleNetwork(network(), PREPROCESSING)
    data = TrainingData(
        PixelInputs(small, pixels, ()),
        Y.astype(np.float32),
        np.full(len(Y), "a"),
        rows[: len(Y) * 2 // 3],
        rows[len(Y) * 2 // 3 :],
        several=True,
    )
    options = {"unfreeze": "all", "epochs": 25, "warm_up": 1, "patience": 50, "batch": 12}
    plan = Plan(objective=objective, learning_rate=0.01, decay=1.0, **options)  # type: ignore[arg-type]
    history = train(small, data, choose_objective(objective), plan)
    assert history.epochs[-1]["loss"] < 0.3 * history.epochs[0]["loss"]
    assert history.figure(history.best).confused < 0.05


def test_the_figure_is_the_mean_over_labels_and_collections() -> None:
    scores = np.array([[0.0, 0], [0, 0], [1, 9], [-1, 9], [9, -1]])
    labels = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [0, 0]])
    where = np.array(["a", "b", "a", "a", "b"])
    # first label: other labels 0 of 1, negatives of a 1 of 1, of b 0 of 1; second: 1 of 1, 1 of 1,
    # 1 of 1, because 95 % of two images are both, and one has a score of 9
    expected = (1 / 3 + 1) / 2
    assert several_labels_figure(scores, labels, where, 0.0).accepted == pytest.approx(expected)


def test_labels_are_split_evenly_though_none_is_there_alone() -> None:
    Y = np.array([[1, 1]] * 20 + [[1, 0]] * 2 + [[0, 0]] * 20)
    images = [np.full((9, 9, 3), i, np.uint8) for i in range(len(Y))]
    samples = Samples(images, [None] * len(Y), [None] * len(Y), ["x"] * len(Y))
    targets = Targets(("often", "seldom"), Y, several=True)
    chosen = choose_rows(samples, targets, ["x"] * len(Y), Plan(), seed=0)
    unseen = chosen.targets.Y[chosen.parts == UNSEEN]
    assert unseen.sum(axis=0).tolist() in ([11, 10], [10, 10], [11, 11], [10, 9])
    fewer = Targets(("often", "seldom"), np.array([[1, 1]] * 5 + [[1, 0]] * 37), several=True)
    with pytest.raises(InvalidDataError, match="5 images have the label 'seldom'"):
        choose_rows(samples, fewer, ["x"] * len(Y), Plan(), seed=0)
