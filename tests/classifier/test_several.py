"""Images with several labels, and with a class in each of several columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import outgroup
from outgroup import ImageClassifier
from outgroup.errors import (
    DataWarning,
    InfeasibleTargetError,
    InvalidDataError,
    InvalidParameterError,
)
from outgroup.selection import Comparison


def truth(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_csv(folder / table, keep_default_na=False)


@pytest.fixture
def columns(quick: str) -> Any:
    """Make an unfitted classifier of the columns left and right."""

    def make(**options: Any) -> ImageClassifier:
        return ImageClassifier(
            backbone=quick,
            cache=False,
            multi_output=True,
            label_columns=["left", "right"],
            **options,
        )

    return make


def test_an_answer_is_a_list_of_labels(labelled: ImageClassifier, new_pairs: Path) -> None:
    frame = truth(new_pairs, "lists.csv")
    answers = labelled.predict([new_pairs / name for name in frame["path"]])
    expected = [label.split("|") if label else [] for label in frame["label"]]
    found = answers.label_lists
    assert np.mean([a == t for a, t in zip(found, expected, strict=True)]) > 0.8
    assert [] in found
    assert ["blue", "red"] in found
    assert [answer.labels for answer in answers] == found
    for answer in answers:  # the label of which it is surest stands for all of them
        assert (answer.label in answer.labels) if answer.labels else answer.other
    one = labelled.predict(new_pairs / frame["path"][0])
    assert one.labels == answers[0].labels
    assert one.path == str(new_pairs / frame["path"][0])


def test_marks_in_columns_teach_the_same_as_lists(
    quick: str, labelled: ImageClassifier, pairs: Path, new_pairs: Path
) -> None:
    columns = ["red", "green", "blue"]  # their order does not matter
    marked = ImageClassifier(
        backbone=quick, cache=False, multi_label=True, label_columns=columns
    ).fit(pairs / "marks.csv")
    assert marked.classes == labelled.classes == ("blue", "green", "red")
    assert marked.thresholds == labelled.thresholds
    one, _ = marked.evaluate(new_pairs / "marks.csv")
    two, _ = labelled.evaluate(new_pairs / "lists.csv")
    assert one.classes == two.classes
    assert one.exact_match == two.exact_match


def test_the_order_of_rows_does_not_matter(
    quick: str, labelled: ImageClassifier, pairs: Path
) -> None:
    frame = truth(pairs, "lists.csv").sample(frac=1.0, random_state=0)
    frame["path"] = [str(pairs / name) for name in frame["path"]]
    again = ImageClassifier(backbone=quick, cache=False, multi_label=True)
    again.fit(frame.assign(source="lists"))
    assert again.thresholds == labelled.thresholds
    assert again.contents.training.fingerprint == labelled.contents.training.fingerprint


def test_negatives_given_apart_are_images_of_none(quick: str, pairs: Path, odds: Path) -> None:
    frame = truth(pairs, "lists.csv")
    frame = frame[frame["label"] != ""].assign(
        path=[str(pairs / n) for n in frame["path"] if n[:4] not in ("pink", "yell")]
    )
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True).fit(frame, other=odds)
    assert clf.report is not None
    assert clf.report.n_others == 24
    assert clf.certificate.guarantees[-1].n == 24
    assert np.mean([labels == [] for labels in clf.predict(odds).labels]) > 0.9


def test_folders_with_a_plus_in_their_names_will_do(
    quick: str, pairs: Path, tmp_path: Path, photos: Path
) -> None:
    for row in truth(pairs, "lists.csv").itertuples():
        if row.label:
            folder = tmp_path / str(row.label).replace("|", "+")
            folder.mkdir(exist_ok=True)
            (folder / str(row.path)).write_bytes((pairs / str(row.path)).read_bytes())
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True).fit(tmp_path)
    assert clf.classes == ("blue", "green", "red")
    with pytest.raises(InvalidParameterError, match=r"cat\+dog"):
        ImageClassifier(backbone=quick, cache=False, multi_label=True).fit(photos)


def test_figures_count_what_predict_answers(
    labelled: ImageClassifier, new_pairs: Path, new: Path
) -> None:
    found, unreadable = labelled.evaluate(new_pairs / "lists.csv", [new / "pink"])
    assert unreadable == ()
    assert [result.name for result in found.classes] == ["blue", "green", "red"]
    assert found.macro_f1.value > 0.8
    frame = truth(new_pairs, "lists.csv")
    answers = labelled.predict([new_pairs / name for name in frame["path"]]).label_lists
    both = list(zip(answers, frame["label"], strict=True))
    assert found.coverage.k == sum(bool(a) for a, t in both if t)
    assert found.exact_match.k == sum("|".join(a) == t for a, t in both if t)
    of_pink = labelled.predict(new / "pink").label_lists
    given = sum(bool(a) for a, t in both if not t) + sum(map(bool, of_pink))
    assert (found.none_given.k, found.none_given.n) == (given, 25)
    assert {name: rate.n for name, rate in found.by_origin.items()} == {"lists": 20, "pink": 5}


def test_labels_that_the_model_does_not_know_are_refused(
    labelled: ImageClassifier, new_pairs: Path, tmp_path: Path
) -> None:
    table = tmp_path / "strange.csv"
    table.write_text("path,label\nx.png,blue|mauve\n")
    with pytest.raises(InvalidDataError, match="mauve"):
        labelled.evaluate(table)


def test_copies_with_other_labels_are_left_out_and_said(
    quick: str, pairs: Path, tmp_path: Path
) -> None:
    frame = truth(pairs, "lists.csv")
    frame["path"] = [str(pairs / name) for name in frame["path"]]
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(frame["path"][0]).read_bytes())
    more = pd.DataFrame({"path": [str(copy)], "label": ["red"]})
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True)
    clf.fit(pd.concat([frame, more], ignore_index=True))
    assert clf.report is not None
    assert {Path(skipped.path).name for skipped in clf.report.contradictory} == {
        "copy.png",
        Path(frame["path"][0]).name,
    }


def test_compare_measures_every_strategy_for_labels(quick: str, pairs: Path) -> None:
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True)
    comparison = clf.compare(pairs / "lists.csv")
    assert isinstance(comparison, Comparison)
    found = {result.name: result for result in comparison.results}
    assert list(found) == ["sigmoid-0.95", "sigmoid", "blend"]
    for result in found.values():
        assert result.problem is None
        assert result.known_rejected is not None
        assert result.known_rejected.n == 180  # labels of images, of which two may be on one
        counts = {(s.kind, s.source): s.accepted.n for s in result.sources}
        # an image without a label is given every label that it lacks, or not
        assert counts["held-out negatives", "lists"] == 60
        kinds = {kind for kind, _ in counts}
        assert kinds == {"left-out classes", "held-out negatives", "synthetic garbage"}
    assert found["blend"].accepted is not None
    assert comparison.choice.name in found
    assert comparison.chosen is not None
    assert (comparison.n_compared, comparison.n_given) == (180, 180)
    assert clf.report is not None
    assert clf.report.class_counts == {"blue": 60, "green": 60, "red": 60}
    alone = clf.compare(pairs / "lists.csv", lineup=["sigmoid"])
    assert [result.name for result in alone.results] == ["sigmoid"]
    with pytest.raises(InvalidParameterError, match="Did you mean 'sigmoid'"):
        clf.compare(pairs / "lists.csv", lineup=["sigmiod"])


def test_each_column_has_its_own_answer(two_sided: ImageClassifier, new_pairs: Path) -> None:
    frame = truth(new_pairs, "sides.csv")
    answers = two_sided.predict([new_pairs / name for name in frame["path"]])
    for side in ("left", "right"):
        expected = [value or None for value in frame[side]]
        found = [answer.outputs[side] for answer in answers]
        assert np.mean([a == t for a, t in zip(found, expected, strict=True)]) > 0.8
    assert {"left": "blue", "right": None} in [answer.outputs for answer in answers]
    assert two_sided.classes[0] == "left=blue"
    assert {guarantee.event for guarantee in two_sided.certificate.guarantees} == {
        f"{event} in {side!r}" for event in ("rejected", "accepted") for side in ("left", "right")
    }


def test_columns_are_evaluated_one_by_one_and_together(
    two_sided: ImageClassifier, new_pairs: Path, new: Path
) -> None:
    found, _ = two_sided.evaluate(new_pairs / "sides.csv", [new / "pink"])
    left, right = found.outputs
    assert (left.name, right.name) == ("left", "right")
    assert (found.all_right.n, found.none_given.n) == (36, 25)
    assert found.all_right.value is not None
    assert found.all_right.value > 0.7
    pink = right.unknown[-1]
    assert (pink.name, pink.accepted.n) == ("pink", 5)


@pytest.mark.filterwarnings("ignore:1 of the 30 verified:outgroup.errors.DataWarning")
def test_a_cell_that_is_not_there_is_no_negative(columns: Any, pairs: Path, tmp_path: Path) -> None:
    frame = truth(pairs, "sides.csv")
    lines = ["path,left,right"]
    for i, row in enumerate(frame.itertuples()):
        cells = [str(pairs / str(row.path)), row.left, row.right][: 2 + i % 2]
        lines.append(",".join(map(str, cells)))
    table = tmp_path / "half.csv"
    table.write_text("\n".join(lines) + "\n")
    guarantees = columns().fit(table).certificate.guarantees
    n = {k: sum(g.n for g in guarantees if repr(k) in g.event) for k in ("left", "right")}
    assert n == {"left": 180, "right": 90}


def test_compare_takes_each_column_by_itself(columns: Any, pairs: Path) -> None:
    found = columns().compare(pairs / "sides.csv", lineup=["softmax", "blend"])
    assert list(found) == ["left", "right"]
    for comparison in found.values():
        assert [result.name for result in comparison.results] == ["softmax", "blend"]
        assert comparison.choice.name in ("softmax", "blend")
    with pytest.raises(InfeasibleTargetError, match=r"Column 'left': .* at least 2995"):
        columns(max_known_rejected=0.001).compare(pairs / "sides.csv", lineup=["softmax"])


@pytest.mark.parametrize("name", ["labelled", "two_sided"])
def test_a_saved_model_answers_the_same(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, new_pairs: Path
) -> None:
    clf: ImageClassifier = request.getfixturevalue(name)
    again = outgroup.load(clf.save(tmp_path / "model.outgroup"))
    assert again.classes == clf.classes
    assert again.label_columns == clf.label_columns
    for one, two in zip(again.predict(new_pairs), clf.predict(new_pairs), strict=True):
        assert one.to_dict() == two.to_dict()
    table = new_pairs / ("lists.csv" if name == "labelled" else "sides.csv")
    assert again.evaluate(table) == clf.evaluate(table)
    moved = list(again.stream([new_pairs / "blue-red-100.png"], threshold=1e6))
    assert len(moved[0].labels) == (3 if name == "labelled" else 2)


def test_another_column_may_hold_the_one_label(quick: str, photos: Path, tmp_path: Path) -> None:
    files = sorted(photos.rglob("*.png"))
    frame = pd.DataFrame({"path": map(str, files), "kind": [f.parent.name for f in files]})
    clf = ImageClassifier(backbone=quick, cache=False, label_columns=["kind"]).fit(frame)
    assert clf.classes == ("blue", "green", "red")
    again = outgroup.load(clf.save(tmp_path / "kinds.outgroup"))
    found, _ = again.evaluate(frame)
    assert found.overall.recall.n == 75


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"multi_label": True, "multi_output": True},
            "`multi_label`: must be False if `multi_output`",
        ),
        ({"multi_output": True}, "`label_columns`: must be the columns"),
        ({"label_columns": ["a", "b"]}, "`label_columns`: must be one name"),
        ({"label_columns": "ab", "multi_label": True}, r"must be a sequence of names, got 'ab'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ImageClassifier(**options)


def test_a_strategy_for_exclusive_classes_is_refused_for_labels(pairs: Path, quick: str) -> None:
    clf = ImageClassifier(strategy="softmax", backbone=quick, cache=False, multi_label=True)
    with pytest.raises(InvalidParameterError, match=r"'blend', 'sigmoid', 'sigmoid-0.95'"):
        clf.fit(pairs / "lists.csv")


def test_a_table_without_any_label_is_refused(quick: str, tmp_path: Path, pairs: Path) -> None:
    table = tmp_path / "none.csv"
    table.write_text(f"path,label\n{pairs / 'pink-pink-000.png'},\n")
    with pytest.raises(InvalidDataError, match="no known images"):
        ImageClassifier(backbone=quick, cache=False, multi_label=True).fit(table)


def test_labels_that_hardly_anybody_means_are_told(quick: str, pairs: Path) -> None:
    frame = truth(pairs, "lists.csv")
    frame["path"] = [str(pairs / name) for name in frame["path"]]
    frame["label"] = [label.replace("red", "none") for label in frame["label"]]
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True)
    with pytest.warns(DataWarning, match="A class is named 'none'"):
        clf.fit(frame)
    assert clf.report.warnings[0].startswith("A class is named 'none'")


def test_odd_values_of_a_column_are_told(columns: Any, pairs: Path) -> None:
    frame = truth(pairs, "sides.csv").replace("red", "unknown")
    frame["path"] = [str(pairs / name) for name in frame["path"]]
    with pytest.warns(DataWarning, match="A class is named 'unknown'"):
        columns().fit(frame)


def test_nearest_images_are_named_with_their_labels(
    labelled: ImageClassifier, two_sided: ImageClassifier, pairs: Path, new_pairs: Path
) -> None:
    image = new_pairs / "blue-red-100.png"
    for classifier, text in ((labelled, "blue|red"), (two_sided, "left=blue|right=red")):
        first, *others = classifier.predict(image, nearest=3).nearest
        assert first.label == text
        assert Path(str(first.path)).parent == pairs
        assert Path(str(first.path)).name.startswith(("blue-red", "red-blue"))
        assert len(others) == 2
        assert 0.0 <= first.distance <= others[0].distance <= others[1].distance < 0.1
        assert classifier.predict(image, nearest=0).nearest == ()
        far = classifier.predict(new_pairs / "yellow-grey-100.png").nearest[0]
        assert far.label is None


@pytest.mark.parametrize("name", ["labelled", "two_sided"])
def test_percentiles_say_how_many_known_images_score_lower(
    name: str, request: pytest.FixtureRequest, pairs: Path, new_pairs: Path
) -> None:
    clf: ImageClassifier = request.getfixturevalue(name)
    held_out = clf.contents.model.known_scores
    table = "lists.csv" if name == "labelled" else "sides.csv"
    frame = pd.read_csv(pairs / table, keep_default_na=False)
    known = (frame.drop(columns="path") != "").any(axis=1)
    assert len(held_out) == known.sum()
    answers = clf.predict(sorted(new_pairs.glob("*.png")))
    for answer in answers:
        below = 100 * np.mean(held_out < answer.other_score)
        assert answer.percentile == pytest.approx(below)
    of = {kind: np.mean([a.percentile for a in answers if kind in str(a.path)])
          for kind in ("blue-red", "yellow-grey")}  # fmt: skip
    assert of["blue-red"] < 95 < of["yellow-grey"]


def test_the_other_score_is_that_of_the_surest_label_or_column(
    labelled: ImageClassifier, two_sided: ImageClassifier, new_pairs: Path
) -> None:
    for classifier in (labelled, two_sided):
        for answer in classifier.predict(sorted(new_pairs.glob("*.png"))):
            assert answer.other_scores is not None
            assert answer.thresholds == classifier.thresholds
            margins = {k: answer.other_scores[k] - answer.thresholds[k] for k in answer.thresholds}
            assert answer.other_score == pytest.approx(min(margins.values()))
            assert answer.other == (answer.other_score > answer.threshold) == (answer.labels == [])
            surest = min(margins, key=lambda k: margins[k])
            assert answer.label is None or answer.label.split("=")[0] == surest


@pytest.mark.parametrize("kind", ["labels", "columns"])
def test_verified_negatives_that_show_a_label_are_pointed_out(
    kind: str, quick: str, columns: Any, pairs: Path, make_picture: Any
) -> None:
    red = [make_picture("red", 300 + i) for i in range(6)]
    if kind == "labels":
        clf = ImageClassifier(backbone=quick, cache=False, multi_label=True)
        table, name = "lists.csv", "'red'"
    else:
        clf, table, name = columns(), "sides.csv", "'(left|right)=red'"
    with pytest.warns(DataWarning, match=rf"negatives in 'memory' .* are taken for {name}"):
        clf.fit(pairs / table, other=red)
    assert clf.report is not None
    assert len(clf.report.warnings) == 1


def test_a_label_of_copies_of_one_embedding_is_pointed_out(quick: str, pairs: Path) -> None:
    frame = truth(pairs, "lists.csv")
    frame["path"] = [str(pairs / name) for name in frame["path"]]
    frame["group"] = ""
    blank = [Image.new("RGB", (80 + i, 32), "white") for i in range(6)]
    more = pd.DataFrame({"path": blank, "label": "white", "group": [f"g{i}" for i in range(6)]})
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True)
    with pytest.warns(DataWarning, match="All 6 images of class 'white' have the same embedding"):
        clf.fit(pd.concat([frame, more], ignore_index=True))


def test_labels_take_a_head_and_layers(quick: str, pairs: Path, tmp_path: Path) -> None:
    def fitted(**options: Any) -> ImageClassifier:
        clf = ImageClassifier(backbone=quick, cache=False, multi_label=True, **options)
        return clf.fit(pairs / "lists.csv")

    clf = fitted(strategy="sigmoid", head="focal-sigmoid,gamma=1", layers=("last",))
    again = outgroup.load(clf.save(tmp_path / "focal.outgroup"))
    strategy = again.contents.model.strategy
    assert (strategy.head.name, strategy.head.gamma) == ("focal-sigmoid", 1.0)
    assert strategy.layers == ("last",)
    options = again.contents.training.options
    assert (options["head"], options["layers"]) == ("focal-sigmoid,gamma=1", ["last"])
    assert clf.thresholds != fitted(strategy="sigmoid").thresholds
    for head, message in {
        "linear-softmax": "takes one of focal-sigmoid, linear-sigmoid, pu-sigmoid, got 'linear",
        "mlp-sigmoid": "takes one of focal-sigmoid, linear-sigmoid, pu-sigmoid, got 'mlp-sig",
    }.items():
        with pytest.raises(InvalidParameterError, match=message):
            fitted(strategy="sigmoid", head=head)
    with pytest.raises(InvalidParameterError, match="must be named where `head` or `layers`"):
        fitted(head="focal-sigmoid")


def test_columns_take_a_head_and_layers(columns: Any, pairs: Path, tmp_path: Path) -> None:
    clf = columns(strategy="softmax", head="focal-softmax,gamma=1", layers=["last"])
    clf.fit(pairs / "sides.csv")
    again = outgroup.load(clf.save(tmp_path / "focal.outgroup"))
    for strategy in again.contents.model.strategies:
        assert (strategy.head.name, strategy.head.gamma) == ("focal-softmax", 1.0)
        assert strategy.layers == ("last",)
    assert len(again.contents.model.strategies) == 2
