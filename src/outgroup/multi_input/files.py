"""A model with several inputs to and from one file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact.container import (
    check_manifest,
    npz,
    read_npz,
    read_zip,
    told_of,
    write_whole,
    zipped,
)
from outgroup.artifact.contents import ARRAYS, FORMAT, MANIFEST, NETWORK
from outgroup.artifact.kinds import FORMAT_VERSION, SEVERAL_INPUTS, SEVERAL_INPUTS_VERSION
from outgroup.artifact.manifest import certificate, class_names, finite_number, training
from outgroup.artifact.reading import compare_golden
from outgroup.artifact.reasons import flatten_reasons, restore_reasons
from outgroup.artifact.states import flatten, restore_detector
from outgroup.calibration import Budget
from outgroup.errors import ModelFileError
from outgroup.multi_input.cells import MAX_NUMBERS
from outgroup.multi_input.columns import NameCode
from outgroup.multi_input.contrast import Contrast
from outgroup.multi_input.encoding import Cells, Encoder, encoder_from_dict
from outgroup.multi_input.graph import Networks
from outgroup.multi_input.model import InputsModel
from outgroup.multi_input.plans import Block, Preset, make_plan
from outgroup.multi_input.scoring import Scorer
from outgroup.multi_input.tails import SHARES, Tail
from outgroup.multi_input.targets import TARGETS, Target

if TYPE_CHECKING:
    from outgroup.multi_input.classifier import MultiInputClassifier

Arrays = dict[str, NDArray[Any]]


def save_inputs(classifier: MultiInputClassifier, path: str | os.PathLike[str]) -> Path:
    """Write a fitted classifier to one file, whole or not at all.

    Returns
    -------
    Path
        The file.
    """
    path = Path(path)
    model, budget = classifier.model, classifier.budget
    options = {
        **asdict(budget),
        "seed": classifier.seed,
        "id": classifier.id_,
        "label": classifier.label_,
        "names": classifier.names_,
    }
    described, arrays = _flatten(model)
    manifest = {
        "format": FORMAT,
        "format_version": SEVERAL_INPUTS_VERSION,
        "kind": SEVERAL_INPUTS,
        **described,
        "sha256": hashlib.sha256(model.networks.model).hexdigest(),
        "training": {**classifier.training_, "options": options},
        "golden": _golden(model),
    }
    parts = {
        MANIFEST: json.dumps(manifest, indent=1, allow_nan=False).encode(),
        ARRAYS: npz(arrays),
        NETWORK: model.networks.model,
    }
    write_whole(path, zipped(parts))
    return path


def load_inputs(
    path: str | os.PathLike[str],
) -> tuple[InputsModel, dict[str, Any], dict[str, Any], Budget]:
    """Open a file that `save_inputs` wrote, and check that it still computes what it did.

    Returns
    -------
    model : InputsModel
    training : dict
        What it was trained on.
    options : dict
        What training was called with.
    budget : Budget

    Raises
    ------
    ModelFileError
        If it is damaged, foreign or newer than this version.
    """
    path = Path(path)
    with told_of(path):
        parts = read_zip(path, (MANIFEST, ARRAYS, NETWORK))
        manifest = check_manifest(json.loads(parts[MANIFEST]), FORMAT_VERSION)
        if manifest.get("kind") != SEVERAL_INPUTS:
            raise ModelFileError(
                "holds no network with several inputs. Open it with outgroup.load."
            )
        network = parts[NETWORK]
        if hashlib.sha256(network).hexdigest() != manifest["sha256"]:
            raise ModelFileError(f"is damaged: {NETWORK} is not what the manifest says.")
        model = _build(manifest, read_npz(parts[ARRAYS]), network)
        with np.errstate(all="ignore"):  # damaged numbers are found by the comparison
            compare_golden(manifest["golden"], _golden(model))
        info = training(manifest["training"])
        options = info.options
        names = options.get("names") or {}
        if not all(isinstance(text, str) for text in (*names, *names.values())):
            raise ValueError("'names' is not what it must be")
        given = {key: options[key] for key in ("max_known_rejected", "max_other_accepted")}
        budget = Budget(**given, confidence=options["confidence"])
        kept = {key: value for key, value in info.to_dict().items() if key != "options"}
        return model, kept, options, budget


def is_inputs_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a file says that it holds a model with several inputs."""
    try:
        with told_of(Path(path)):
            manifest = json.loads(read_zip(Path(path), (MANIFEST,))[MANIFEST])
    except ModelFileError:
        return False
    return isinstance(manifest, dict) and manifest.get("kind") == SEVERAL_INPUTS


def _flatten(model: InputsModel) -> tuple[dict[str, Any], Arrays]:
    arrays: Arrays = {
        "calibration.known_scores": model.known_scores,
        "calibration.other_scores": model.other_scores,
        "thresholds": model.thresholds,
    }
    scorers = []
    for i, scorer in enumerate(model.scorers):
        detectors = {}
        for name, detector in scorer.detectors.items():
            state = detector.state()
            detectors[name], own = flatten(state, f"scorers.{i}.{name}", "detector")
            arrays.update(own)
        counts = []
        for j, known in enumerate(scorer.columns):
            counts.append(known if isinstance(known, dict) else None)
            if not isinstance(known, dict):
                arrays[f"scorers.{i}.column.{j}"] = known
        for name, contrast in scorer.contrasts.items():
            arrays[f"scorers.{i}.contrast.{name}"] = np.stack([contrast.centre, contrast.spread])
        tails = {name: asdict(tail) for name, tail in scorer.tails.items()}
        scorers.append(
            {
                "detectors": detectors,
                "contrasts": list(scorer.contrasts),
                "counts": counts,
                "tails": tails,
            }
        )
    reasons = None
    if model.reasons is not None:
        reasons, own = flatten_reasons(model.reasons)
        arrays.update(own)
    return {
        "classes": list(model.target.classes),
        "target": {"kind": model.target.kind, "gate": model.target.gate},
        "certificate": model.certificate.to_dict(),
        "encoder": model.encoder.to_dict(),
        "preset": asdict(model.plan.preset),
        "scorers": scorers,
        "beyond": model.beyond,
        "ranges": {name: list(pair) for name, pair in model.ranges.items()},
        "reasons": reasons,
    }, arrays


def _build(manifest: Mapping[str, Any], arrays: Arrays, network: bytes) -> InputsModel:
    encoder = encoder_from_dict(manifest["encoder"])
    for bands in encoder.inputs.images:
        assert bands.size is not None
        if bands.channels * bands.size[0] * bands.size[1] > MAX_NUMBERS:
            raise ModelFileError(f"is damaged: images of {bands.name!r} are too large.")
    kind, gate = manifest["target"]["kind"], manifest["target"]["gate"]
    if kind not in TARGETS or type(gate) is not bool:
        raise ValueError("'target' is not what it must be")
    target = Target(kind, class_names(manifest["classes"]), gate)
    blocks = tuple(Block(**block) for block in manifest["preset"]["blocks"])
    hidden = tuple(int(units) for units in manifest["preset"]["hidden"])
    preset = replace(Preset(**{**manifest["preset"], "blocks": blocks, "hidden": hidden}))
    plan = make_plan(encoder.inputs, preset, encoder.table_width, target.outputs)
    scorers = tuple(
        _build_scorer(described, arrays, i) for i, described in enumerate(manifest["scorers"])
    )
    if not scorers or any(len(one.columns) != len(encoder.codes) for one in scorers):
        raise ValueError("'scorers' is not what it must be")
    thresholds = arrays["thresholds"]
    n_thresholds = len(target.classes) if kind == "multi-label" else 1
    if thresholds.shape != (n_thresholds,) or not np.isfinite(thresholds).all():
        raise ValueError("'thresholds' is not what it must be")
    model = InputsModel(
        target=target,
        encoder=encoder,
        networks=Networks(network, plan, len(scorers)),
        scorers=scorers,
        thresholds=thresholds,
        certificate=certificate(manifest["certificate"]),
        known_scores=arrays["calibration.known_scores"],
        other_scores=arrays["calibration.other_scores"],
        beyond={name: finite_number(v, "beyond") for name, v in manifest["beyond"].items()},
        ranges={name: _pair(pair, "ranges") for name, pair in manifest["ranges"].items()},
    )
    if manifest["reasons"] is None:
        return model
    size = preset.hidden[-1] * len(scorers)
    reasons = restore_reasons(manifest["reasons"], arrays, target.classes, size)
    return replace(model, reasons=reasons)


def _build_scorer(described: Mapping[str, Any], arrays: Arrays, i: int) -> Scorer:
    detectors = {
        name: restore_detector(one, arrays, f"scorers.{i}.{name}")
        for name, one in described["detectors"].items()
    }
    columns: list[Any] = []
    for j, counts in enumerate(described["counts"]):
        if counts is None:
            columns.append(arrays[f"scorers.{i}.column.{j}"])
        elif all(type(count) is int and count > 0 for count in counts.values()):
            columns.append(dict(counts))
        else:
            raise ValueError("'counts' is not what it must be")
    tails = {}
    for name, one in described["tails"].items():
        quantiles = tuple(finite_number(value, "quantiles") for value in one["quantiles"])
        excess = finite_number(one["excess"], "excess")
        if len(quantiles) != len(SHARES) or list(quantiles) != sorted(quantiles) or excess <= 0:
            raise ValueError("'tails' is not what it must be")
        tails[name] = Tail(quantiles, excess)
    contrasts = {}
    for name in described["contrasts"]:
        both = arrays[f"scorers.{i}.contrast.{name}"]
        if both.ndim != 2 or len(both) != 2 or not np.isfinite(both).all() or (both[1] <= 0).any():
            raise ValueError("'contrasts' is not what it must be")
        contrasts[name] = Contrast(both[0], both[1])
    return Scorer(detectors, contrasts, tuple(columns), tails)


def _pair(value: Any, what: str) -> tuple[float, float]:
    first, second = value
    return finite_number(first, what), finite_number(second, what)


def _golden(model: InputsModel) -> dict[str, Any]:
    """Return what the model says of its golden row."""
    found = model.predict(golden_cells(model.encoder), nearest=0)
    return {
        "other_score": float(found.other_score[0]),
        "class_scores": found.class_scores[0].tolist(),
    }


def golden_cells(encoder: Encoder) -> Cells:
    """Return a row that any model with these inputs can read: ripples, medians, first names."""
    images = []
    for bands, scaling in zip(encoder.inputs.images, encoder.scalings, strict=True):
        assert bands.size is not None
        y, x = np.mgrid[0 : bands.size[0], 0 : bands.size[1]]
        ripple = np.sin(x / 3.0) + np.cos(y / 5.0)
        channels = [c + s * ripple for c, s in zip(scaling.centre, scaling.spread, strict=True)]
        image = np.stack(channels)[np.newaxis]
        images.append(
            (10.0 ** (image / 10.0) if scaling.kind == "dB" else image).astype(np.float32)
        )
    columns: list[Any] = []
    for code in encoder.codes:
        if isinstance(code, NameCode):
            columns.append((code.known[0] if code.known else "none",))
        else:
            columns.append(np.array([code.centre]))
    present = np.ones((1, len(images)), dtype=bool)
    return Cells(tuple(images), present, tuple(columns), (None,))
