"""`train --inputs` and `predict` for networks with several inputs."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from outgroup.cli.output import print_json, printable, results, table, tell_files
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:
    from outgroup.multi_input import Inputs, InputsPrediction, MultiInputClassifier
    from outgroup.multi_input.predictions import LabelInputsPrediction

#: What a file of inputs may say beside the inputs themselves.
KEYS = ("target", "preset", "negatives", "label", "groups", "id", "names")

NOT_HEEDED = (
    "It is about images of one input; what this network is like stands in the file of --inputs: "
    f"{', '.join(KEYS[:4])}."
)
NO_POOL = (
    "A pool holds images alone, and a row for such a network has all of its inputs: a random image "
    "has no second band and no angle. Give tables of rows that are none of the classes with "
    '--other, or let "negatives": "background" make some.'
)


@dataclass(frozen=True)
class Spec:
    """What a file of inputs says.

    Parameters
    ----------
    inputs : Inputs
        "images", "table" and "fusion", as `Inputs.from_dict` takes them.
    target, preset, negatives : str
        As for `MultiInputClassifier`.
    label : str
        The column that holds the answer.
    groups, id : str or None
        Columns with groups, and with what rows are called.
    names : dict of str to str
        Names of classes by what stands in the column.
    """

    inputs: Inputs
    target: str = "binary"
    preset: str = "two-branch-plus"
    negatives: str = "preset"
    label: str = "label"
    groups: str | None = None
    id: str | None = None
    names: dict[str, str] = field(default_factory=dict)


def train_inputs(
    data: Path,
    spec: Path,
    out: Path,
    other: list[Path] | None,
    budget: dict[str, Any],
    seed: int,
    ablation: bool,
    as_json: bool,
) -> None:
    """Train a network with several inputs from a table, and say what became of it.

    Parameters
    ----------
    data : Path
        A JSON or CSV file.
    spec : Path
        A JSON file; see `Spec`.
    out : Path
        The model file to write.
    other : list of Path or None
        Tables of rows that are none of the classes.
    budget : dict
        Arguments of `MultiInputClassifier` that bound its errors.
    seed : int
        Of everything that is drawn.
    ablation : bool
        Whether to train on images alone and on the table alone too, and compare.
    as_json : bool
        Whether to print JSON.
    """
    from outgroup.multi_input import MultiInputClassifier

    own = read_spec(spec)
    classifier = MultiInputClassifier(
        own.inputs, own.preset, own.target, negatives=own.negatives, seed=seed, **budget
    )
    negatives = joined(other) if other else None
    classifier.fit(data, own.label, own.groups, negatives, id=own.id, names=own.names)
    classifier.save(out)
    compared = classifier.ablation() if ablation else None
    _report(classifier, out, compared, as_json)


def predict_inputs(
    model: Path,
    paths: list[str],
    as_json: bool,
    other_word: str,
    threshold: float | None,
    explain: bool,
    nearest: int,
) -> bool:
    """Print an answer for each row of tables, and return whether all rows could be read."""
    from outgroup.multi_input import MultiInputClassifier

    classifier = MultiInputClassifier.load(model)
    all_read = True
    for path in paths:
        for answer in classifier.predict(path, threshold, nearest=nearest):
            all_read = all_read and answer.reason != "unreadable"
            if as_json:
                line = answer.to_json(explain)
            else:
                line = "\t".join(map(printable, _columns(answer, other_word)))
            sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return all_read


def _columns(answer: InputsPrediction | LabelInputsPrediction, other_word: str) -> Iterator[str]:
    yield str(answer.path or "")
    if answer.error:
        yield from (answer.error, "unreadable")
        return
    yield from (answer.text(other_word), f"{answer.other_score:.4g}")
    yield from answer.odd_inputs.values()


def read_spec(path: Path) -> Spec:
    """Return what a file of inputs says.

    Raises
    ------
    InvalidParameterError
        If it can't be read, or says what nobody asked.
    """
    from outgroup.multi_input import Inputs

    try:
        given = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InvalidParameterError(
            f"The '--inputs' parameter must be a JSON file. Got {path}, which is not there."
        ) from None
    except ValueError as error:
        raise InvalidParameterError(
            f"The '--inputs' parameter must be a JSON file. Got {path}: {error}."
        ) from error
    if not isinstance(given, dict):
        raise InvalidParameterError(
            "The '--inputs' parameter must be a JSON file that holds an object, as in "
            '{"images": ["band_1"], "table": ["angle"], "label": "kind"}. '
            f"Got {type(given).__name__}."
        )
    own = {key: given.pop(key) for key in KEYS if key in given}
    names = own.get("names", {})
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InvalidParameterError(
            "'names' must be the names of classes by what stands in the column of labels, as in "
            f'{{"0": "ship", "1": "iceberg"}}. Got {names!r} instead.'
        )
    for key in own.keys() - {"names"}:
        if not isinstance(own[key], str):
            raise InvalidParameterError(f"{key!r} must be a text. Got {own[key]!r} instead.")
    return Spec(Inputs.from_dict(given), **own)


def refuse_options(context: typer.Context, heeded: Collection[str]) -> None:
    """Refuse options that say nothing about a network with several inputs, and so did nothing.

    Parameters
    ----------
    context : typer.Context
        Of a command that was given ``--inputs``.
    heeded : collection of str
        Parameters of the command that have a say.

    Raises
    ------
    InvalidParameterError
        If another one was given.
    """
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        # By name: typer may bring a click of its own, whose members are not equal to click's.
        if name in heeded or source is None or source.name == "DEFAULT":
            continue
        why = NO_POOL if name == "pool" else NOT_HEEDED
        raise InvalidParameterError(
            f"The '{parameter.opts[0]}' parameter must be left out with --inputs. {why}"
        )


def joined(paths: list[Path]) -> Any:
    """Return the rows of several tables as one."""
    from outgroup.multi_input.frames import Frame, as_frame

    frames = [as_frame(path) for path in paths]
    if len(frames) == 1:
        return frames[0]
    names = dict.fromkeys(name for frame in frames for name in frame.columns)
    columns = {
        name: [cell for frame in frames for cell in frame.columns.get(name, [None] * frame.n)]
        for name in names
    }
    return Frame(columns, sum(frame.n for frame in frames), frames[0].root)


def _report(classifier: MultiInputClassifier, out: Path, compared: Any, as_json: bool) -> None:
    model, report = classifier.model, classifier.report
    tell_files("rows could not be read", report.unreadable)
    if as_json:
        from dataclasses import asdict

        print_json(
            {
                "model": str(out),
                "classes": report.class_counts,
                "n_others": classifier.training_["n_others"],
                "threshold": model.threshold,
                "certificate": model.certificate.to_dict(),
                "unreadable": [{"path": s.path, "reason": s.reason} for s in report.unreadable],
                "ablation": None if compared is None else asdict(compared),
            }
        )
        return
    console = results()
    rows = [(name, f"{count:,}") for name, count in report.class_counts.items()]
    others = classifier.training_["n_others"]
    rows += [("(none of these)", f"{others:,}")] if others else []
    console.print(table("Learned from", ("class", "rows"), rows))
    console.print()
    console.print(model.certificate.sentence)
    if compared is not None:
        console.print()
        console.print(str(compared), soft_wrap=True)
    console.print()
    console.print(f"Saved {out} ({out.stat().st_size / 1e6:.1f} MB).", soft_wrap=True)
    console.print(f"Now: outgroup predict {shlex.quote(str(out))} TABLE.json", soft_wrap=True)
