"""From images to a fitted model: what `ImageClassifier` needs to fit and to compare.

Prediction does without this module and what it imports.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from outgroup.artifact import ModelContents
from outgroup.calibration import Budget
from outgroup.classifier.names import NameMap, mapped_strategy, refuse_head
from outgroup.classifier.negatives import embedded_garbage
from outgroup.classifier.prepare import (
    Prepared,
    fingerprint,
    gather,
    prepare,
    root_of,
    set_suspects_aside,
)
from outgroup.classifier.reports import TrainingReport
from outgroup.classifier.tuning import Tuned, Tuner, tune
from outgroup.contamination import Contamination
from outgroup.data import LabelReader
from outgroup.data_checks import data_warnings
from outgroup.embeddings import Embedder, ProgressBar
from outgroup.errors import DataWarning, InfeasibleTargetError
from outgroup.label_schema import LabelSchema
from outgroup.model import Model, calibrated_model, fit_model, fixed_model, in_column
from outgroup.selection import Comparison, compare_strategies, lineup_for, select_strategy, share_of
from outgroup.strategies import AUTO, choose_strategy
from outgroup.training_set import TrainingSet


@dataclass(frozen=True)
class FitOptions:
    """Options of `ImageClassifier` that fitting heeds, by the same names."""

    reader: LabelReader
    strategy: str
    head: str | None
    layers: Sequence[str] | None
    budget: Budget
    map: NameMap | None
    keep_suspects: bool
    finetune: Tuner | None
    seed: int
    threads: int | None
    progress: bool | None

    def check_strategy(self) -> None:
        """Refuse a strategy, head or layers that are unknown, or don't suit the labels or a map."""
        if self.map is not None:
            choose_strategy(self.strategy)
            refuse_head(self.head, self.layers)
        else:
            labels = self.reader.kind == "labels"
            choose_strategy(self.strategy, self.head, self.layers, labels=labels)

    @property
    def compares(self) -> bool:
        """Whether fitting compares strategies."""
        return self.strategy == AUTO and self.reader.kind == "single"

    def kept(self, comparison: Comparison | None, tuned: Tuned | None) -> dict[str, Any]:
        """Return the options that a model file keeps: what was asked for, chosen and tuned."""
        options: dict[str, Any] = {
            "strategy": self.strategy,
            "head": self.head,
            "layers": None if self.layers is None else list(self.layers),
            "max_known_rejected": self.budget.max_known_rejected,
            "max_other_accepted": self.budget.max_other_accepted,
            "confidence": self.budget.confidence,
            "seed": self.seed,
        }
        if self.reader.columns is not None:
            options["label_columns"] = list(self.reader.columns)
        if self.map is not None:
            options["map"] = {name: self.map[name] for name in sorted(self.map)}
        if comparison is not None:
            options["choice"] = asdict(comparison.choice)
        if tuned is not None:
            options["finetune"] = tuned.info
        return options


class Images(NamedTuple):
    """Labelled images and negatives as they were given; see `ImageClassifier.fit`."""

    data: Any
    other: Any
    pool: Any


class Fitted(NamedTuple):
    """What a model file holds, and how it came about; `data` is None with a map."""

    contents: ModelContents
    report: TrainingReport
    comparison: Comparison | None
    data: TrainingSet | None


@dataclass(frozen=True)
class Loaded:
    """Images that are ready to be learned from, with the suspects of the pool set aside."""

    prepared: Prepared
    found: Contamination | None  #: None if there were no negatives
    warnings: list[str]
    root: str | None  #: the folder of the labelled images, if they are from one

    @property
    def data(self) -> TrainingSet:
        """The training set."""
        return self.prepared.data

    def checked(self, model: Model | None = None) -> TrainingReport:
        """Return the report, with warnings on the data and on what a model makes of them."""
        doubted = [] if self.found is None else self.found.warnings
        said = data_warnings(self.data, model, self.root, doubted)
        return replace(self.prepared.report, warnings=(*self.warnings, *said))


def fit_images(images: Images, options: FitOptions, embedder: Embedder) -> Fitted:
    """Embed images and fit a model to them, by the strategy that the options name."""
    if options.map is not None:
        return _fit_map(images, options, embedder)
    loaded, tuned = load_images(images, options, embedder, probes=options.compares), None
    if options.finetune is not None:
        loaded, tuned = _tune(loaded, options, embedder)
    model, comparison = _fit_strategies(loaded.data, options)
    report = loaded.checked(model)
    info = report.info(loaded.prepared.fingerprint, options.kept(comparison, tuned))
    backbone = embedder.backbone if tuned is None else tuned.backbone
    return Fitted(ModelContents(backbone, model, info), report, comparison, loaded.data)


def compare_parts(
    data: TrainingSet, lineup: Sequence[str] | None, options: FitOptions
) -> dict[str, Comparison]:
    """Compare all strategies, or a `lineup`, on each part of the outputs; "" is all labels."""
    found = {}
    for column, part in data.parts():
        names = lineup_for(part.schema) if lineup is None else lineup
        try:
            share = share_of(options.budget, part)
        except InfeasibleTargetError as error:
            raise (in_column(error, column) if column else error) from error
        with ProgressBar(100, options.progress, what="comparing, %") as bar:
            found[column] = compare_strategies(
                part, names, share=share, seed=options.seed, progress=bar.show
            )
    return found


def load_images(
    images: Images,
    options: FitOptions,
    embedder: Embedder,
    *,
    probes: bool = False,
    schema: LabelSchema | None = None,
) -> Loaded:
    """Embed images, make a training set of them, and set suspects of the pool aside.

    `probes` adds synthetic garbage, by which strategies are compared. With a `schema` the classes
    are known already, and the images only calibrate.
    """
    seed = options.seed
    given = gather(options.reader, *images, embedder, seed)
    embeddings = embedder.embed(given.table.samples.sources)
    garbage = embedded_garbage(embedder, seed) if probes else {}
    prepared = prepare(given, embeddings, garbage, schema)
    prepared, found = set_suspects_aside(
        prepared, seed, options.keep_suspects, given.whole, embedder
    )
    return Loaded(prepared, found, given.warnings, root_of(images.data))


def _tune(loaded: Loaded, options: FitOptions, embedder: Embedder) -> tuple[Loaded, Tuned]:
    """Tune the network, and return the images as the better network embeds them."""
    assert options.finetune is not None
    prepared = loaded.prepared
    tuned, data = tune(
        options.finetune,
        prepared.data,
        prepared.table.samples,
        prepared.pooled,
        embedder,
        options.budget,
        strategy=options.strategy,
        head=options.head,
        layers=options.layers,
        seed=options.seed,
        threads=options.threads,
        progress=options.progress,
    )
    return replace(loaded, prepared=replace(prepared, data=data)), tuned


def _fit_strategies(data: TrainingSet, options: FitOptions) -> tuple[Model, Comparison | None]:
    """Select a strategy for each part of the outputs, and fit them."""
    strategies = []
    for _, part in data.parts():
        with ProgressBar(100, options.progress, what="comparing, %") as bar:
            strategy, comparison, rows = select_strategy(
                options.strategy,
                part,
                options.budget,
                head=options.head,
                layers=options.layers,
                seed=options.seed,
                progress=bar.show,
            )
        strategies.append(strategy)
    model = fit_model(data, strategies, options.budget, seed=options.seed, rows=rows)
    return model, comparison


def _fit_map(images: Images, options: FitOptions, embedder: Embedder) -> Fitted:
    """Return a model of ImageNet's names; images, if there are any, calibrate it."""
    assert options.map is not None
    classes, strategy = mapped_strategy(options.map, embedder.backbone, options.strategy)
    schema = LabelSchema.single(classes)
    if all(given is None for given in images):
        model = fixed_model(schema, strategy, strategy.uncalibrated_threshold)
        report = TrainingReport(dict.fromkeys(classes, 0), 0, (), (), 0, ())
        printed = fingerprint([])
    else:
        loaded = load_images(images, options, embedder, schema=schema)
        model = calibrated_model(loaded.data, strategy, options.budget)
        report, printed = loaded.checked(model), loaded.prepared.fingerprint
    info = report.info(printed, options.kept(None, None))
    return Fitted(ModelContents(embedder.backbone, model, info), report, None, None)


def warned(report: TrainingReport) -> TrainingReport:
    """Return a report, and give each of its warnings as a `DataWarning` of the caller's caller."""
    for message in report.warnings:
        warnings.warn(message, DataWarning, stacklevel=3)
    return report
