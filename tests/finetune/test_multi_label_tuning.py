"""Fine-tuning for several labels an image, and for several columns of labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fine-tuning needs torch")

from PIL import Image  # noqa: E402

from outgroup import ImageClassifier, load  # noqa: E402
from outgroup.errors import InvalidParameterError  # noqa: E402
from outgroup.finetune import FineTune  # noqa: E402
from outgroup.images import Preprocessing  # noqa: E402

PREPROCESSING = Preprocessing(resize=16, crop=16)


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
    """Grey images with a red spot, a blue one, both, or none."""
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


def test_several_labels(folder: Path, quick: str, tmp_path: Path) -> None:
    names = np.array(["red", "blue"])
    labels = ["|".join(names[row == 1]) for row in pictures(100)[1]]
    table = write_table(folder, "labels.csv", "path,label", labels)
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True, finetune=tuner())
    clf.fit(table)
    info = clf.contents.training.options["finetune"]
    for name in ("red", "blue"):
        seen = info["tuned_on"][name] + info["watched"][name]
        assert 20 <= seen <= 30
        guarantee = next(p for p in clf.certificate.guarantees if name in p.sentence)
        assert guarantee.n == 50 - seen  # the threshold comes from unseen images
    assert json.dumps(info)
    assert info["sentence"].endswith("The threshold rests on images that it has not seen.")
    assert "kept" not in info  # with only_if_better=False it is not measured
    new, there = pictures(60, seed=1)
    again = load(clf.save(tmp_path / "m.outgroup"))
    assert again.contents.backbone.name == "tuned:Sequential"
    answers = again.predict(list(new))
    said = np.array([[name in answer.labels for name in names] for answer in answers])
    assert np.mean(said == (there == 1)) > 0.8


def test_several_columns(folder: Path, quick: str) -> None:
    marks = pictures(100)[1]
    cells = [f"{'red' if r else 'plain'},{'blue' if b else 'plain'}" for r, b in marks]
    cells[7] = "red"  # its second column is unlabelled
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
    guarantee = clf.certificate.guarantees[0]
    assert guarantee.event.endswith("in 'first'")
    assert guarantee.n == 100 - sum(n_seen)


def test_a_tuned_network_is_kept_only_if_it_is_better(folder: Path, quick: str) -> None:
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
        end = "one: the tuned network is kept." if tuned else "one: it is not kept."
        assert end in info["sentence"]
        assert "images not seen by tuning: of the labels that they are without" in info["sentence"]


def test_an_objective_of_one_class_an_image_is_an_error(folder: Path, quick: str) -> None:
    labels = ["red" if i % 2 else "" for i in range(100)]
    table = write_table(folder, "one.csv", "path,label", labels)
    clf = ImageClassifier(
        backbone=quick, cache=False, multi_label=True, finetune=tuner(objective="other-class")
    )
    with pytest.raises(InvalidParameterError, match="must be one of 'focal-sigmoid', 'sigmoid'"):
        clf.fit(table)
