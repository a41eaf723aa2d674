"""Images with several labels, and with a class in each of several columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import outgroup
from outgroup import ImageClassifier
from outgroup.errors import (
    DataWarning,
    InfeasibleTargetError,
    InvalidDataError,
    InvalidParameterError,
)
from outgroup.evaluation import LabelsEvaluation, OutputsEvaluation


def truth(folder: Path, table: str) -> pd.DataFrame:
    return pd.read_csv(folder / table, keep_default_na=False)


def test_an_answer_is_a_list_of_labels(labelled: ImageClassifier, new_pairs: Path) -> None:
    frame = truth(new_pairs, "lists.csv")
    answers = labelled.predict([new_pairs / name for name in frame["path"]])
    expected = [label.split("|") if label else [] for label in frame["label"]]
    right = np.mean([a == t for a, t in zip(answers.labels, expected, strict=True)])
    assert right > 0.8
    assert [] in answers.labels
    assert ["blue", "red"] in answers.labels
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
    np.testing.assert_array_equal(
        marked.contents.model.thresholds, labelled.contents.model.thresholds
    )
    one, _ = marked.evaluate(new_pairs / "marks.csv")
    two, _ = labelled.evaluate(new_pairs / "lists.csv")
    assert one.labels == two.labels
    assert one.exact_match == two.exact_match


def test_the_order_of_rows_does_not_matter(
    quick: str, labelled: ImageClassifier, pairs: Path
) -> None:
    frame = truth(pairs, "lists.csv").sample(frac=1.0, random_state=0)
    frame["path"] = [str(pairs / name) for name in frame["path"]]
    again = ImageClassifier(backbone=quick, cache=False, multi_label=True)
    again.fit(frame.assign(source="lists"))
    np.testing.assert_array_equal(
        again.contents.model.thresholds, labelled.contents.model.thresholds
    )
    assert again.contents.training.fingerprint == labelled.contents.training.fingerprint


def test_negatives_given_apart_are_images_of_none(quick: str, pairs: Path, odds: Path) -> None:
    frame = truth(pairs, "lists.csv")
    frame = frame[frame["label"] != ""].assign(
        path=[str(pairs / n) for n in frame["path"] if n[:4] not in ("pink", "yell")]
    )
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True).fit(frame, other=odds)
    assert clf.report is not None
    assert clf.report.n_others == 24
    assert clf.certificate.promises[-1].n == 24
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
    assert isinstance(found, LabelsEvaluation)
    assert unreadable == ()
    assert found.macro_f1.value > 0.8
    frame = truth(new_pairs, "lists.csv")
    answers = labelled.predict([new_pairs / name for name in frame["path"]]).labels
    both = list(zip(answers, frame["label"], strict=True))
    assert found.coverage.k == sum(bool(a) for a, t in both if t)
    assert found.exact_match.k == sum("|".join(a) == t for a, t in both if t)
    of_pink = labelled.predict(new / "pink").labels
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


def test_compare_measures_every_labeler(quick: str, pairs: Path) -> None:
    clf = ImageClassifier(backbone=quick, cache=False, multi_label=True)
    found = {r.name: r.found for r in clf.compare(pairs / "lists.csv")}
    assert list(found) == ["blend", "sigmoid", "sigmoid-0.95"]
    alone = clf.compare(pairs / "lists.csv", lineup=["sigmoid"])
    assert [result.name for result in alone] == ["sigmoid"]
    with pytest.raises(InvalidParameterError, match="Did you mean 'sigmoid'"):
        clf.compare(pairs / "lists.csv", lineup=["sigmiod"])
    assert found["blend"] is not None
    assert found["blend"].macro_f1.value > 0.8
    assert clf.report is not None


def test_each_column_has_its_own_answer(two_sided: ImageClassifier, new_pairs: Path) -> None:
    frame = truth(new_pairs, "sides.csv")
    answers = two_sided.predict([new_pairs / name for name in frame["path"]])
    for side in ("left", "right"):
        expected = [value or None for value in frame[side]]
        found = answers.outputs[side]
        assert np.mean([a == t for a, t in zip(found, expected, strict=True)]) > 0.8
    assert {"left": "blue", "right": None} in [answer.outputs for answer in answers]
    assert two_sided.classes[0] == "left=blue"
    assert {promise.event for promise in two_sided.certificate.promises} == {
        f"{event} in {side!r}"
        for event in ("called other", "accepted")
        for side in ("left", "right")
    }


def test_columns_are_evaluated_one_by_one_and_together(
    two_sided: ImageClassifier, new_pairs: Path, new: Path
) -> None:
    found, _ = two_sided.evaluate(new_pairs / "sides.csv", [new / "pink"])
    assert isinstance(found, OutputsEvaluation)
    assert list(found.columns) == ["left", "right"]
    assert (found.all_right.n, found.none_given.n) == (36, 25)
    assert found.all_right.value is not None
    assert found.all_right.value > 0.7
    pink = found.columns["right"].unknown[-1]
    assert (pink.name, pink.accepted.n) == ("pink", 5)


def test_a_cell_that_is_not_there_is_no_negative(quick: str, pairs: Path, tmp_path: Path) -> None:
    frame = truth(pairs, "sides.csv")
    lines = ["path,left,right"]
    for i, row in enumerate(frame.itertuples()):
        cells = [str(pairs / str(row.path)), row.left, row.right][: 2 + i % 2]
        lines.append(",".join(map(str, cells)))
    table = tmp_path / "half.csv"
    table.write_text("\n".join(lines) + "\n")
    clf = ImageClassifier(
        backbone=quick, cache=False, multi_output=True, label_columns=["left", "right"]
    ).fit(table)
    columns = clf.contents.model.columns
    n = {k: sum(p.n for p in m.certificate.promises) for k, m in columns.items()}
    assert n == {"left": 180, "right": 90}


def test_compare_takes_each_column_by_itself(quick: str, pairs: Path) -> None:
    clf = ImageClassifier(
        backbone=quick, cache=False, multi_output=True, label_columns=["left", "right"]
    )
    found = clf.compare(pairs / "sides.csv", lineup=["softmax", "blend"])
    assert list(found) == ["left", "right"]
    for comparison in found.values():
        assert [result.name for result in comparison.results] == ["softmax", "blend"]
        assert comparison.choice.name in ("softmax", "blend")
    strict = ImageClassifier(
        backbone=quick, cache=False, multi_output=True, label_columns=["left", "right"],
        max_known_rejected=0.001,
    )  # fmt: skip
    with pytest.raises(InfeasibleTargetError, match=r"Column 'left': .* at least 2995"):
        strict.compare(pairs / "sides.csv", lineup=["softmax"])


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
        ({"multi_label": True, "multi_output": True}, "'multi_label' parameter must be False"),
        ({"multi_output": True}, "must name the columns"),
        ({"label_columns": ["a", "b"]}, "must be one name"),
        ({"label_columns": "ab", "multi_label": True}, r"Write \['ab'\]"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ImageClassifier(**options)


def test_a_strategy_for_one_class_is_none_for_labels(pairs: Path, quick: str) -> None:
    clf = ImageClassifier(strategy="softmax", backbone=quick, cache=False, multi_label=True)
    with pytest.raises(InvalidParameterError, match=r"'blend', 'sigmoid', 'sigmoid-0.95'\. Got"):
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


def test_odd_values_of_a_column_are_told(quick: str, pairs: Path) -> None:
    frame = truth(pairs, "sides.csv").replace("red", "unknown")
    frame["path"] = [str(pairs / name) for name in frame["path"]]
    clf = ImageClassifier(
        backbone=quick, cache=False, multi_output=True, label_columns=["left", "right"]
    )
    with pytest.warns(DataWarning, match="A class is named 'unknown'"):
        clf.fit(frame)
