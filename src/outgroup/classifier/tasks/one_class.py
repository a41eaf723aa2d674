"""Each image has one class, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from outgroup.classifier.learning import root_of, training_samples, warned
from outgroup.classifier.negatives import embedded_garbage, told_apart
from outgroup.classifier.purging import purged
from outgroup.classifier.tasks.base import Learned, Means, Task, Way, unreadable
from outgroup.classifier.tasks.tuned import on_tuned_network
from outgroup.classifier.training import TrainingReport, prepare
from outgroup.classifier.tuner import Tuned
from outgroup.contamination import Contamination
from outgroup.data import Samples, Skipped, load_samples
from outgroup.data_checks import suspicious
from outgroup.embeddings import ProgressBar
from outgroup.errors import InvalidDataError
from outgroup.images import ImageSource
from outgroup.model import OpenSetModel, fit_model
from outgroup.training_set import TrainingSet

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.evaluation import Evaluation
    from outgroup.selection import Comparison


class OneClass(Task):
    """One class an image, or other.

    Parameters
    ----------
    columns : tuple of one str, or None
        The column of the labels in a table; None: "label".
    """

    tunes = True

    def __init__(self, columns: tuple[str, ...] | None = None) -> None:
        self.table = {} if columns is None else {"label_column": columns[0]}

    def check(self, way: Way) -> None:
        """See `Task.check`."""
        from outgroup.selection import choose_strategy

        choose_strategy(*way)

    def fit(self, data: Any, other: Any, pool: Any, way: Way, means: Means) -> Learned:
        """See `Task.fit`."""
        from outgroup.selection import select_strategy

        training_set, report, fingerprint, found, said, tuned = self.load(
            data, other, pool, means, way
        )
        with ProgressBar(100, means.progress, what="comparing, %") as bar:
            chosen, comparison, rows = select_strategy(
                way.strategy,
                training_set,
                means.budget,
                head=way.head,
                layers=way.layers,
                seed=means.seed,
                progress=bar.show,
            )
        model = fit_model(training_set, chosen, means.budget, seed=means.seed, rows=rows)
        said += suspicious(training_set, model, root_of(data), found)
        report = warned(report, said)
        return Learned(model, report, fingerprint, comparison, training_set, tuned)

    def compare(
        self, data: Any, other: Any, pool: Any, lineup: Sequence[str] | None, means: Means
    ) -> tuple[Comparison, TrainingReport]:
        """See `Task.compare`."""
        lineup = checked_lineup(lineup)
        training_set, report, _, found, said, _ = self.load(data, other, pool, means)
        said += suspicious(training_set, None, root_of(data), found)
        return compare_one(training_set, lineup, means), warned(report, said)

    def evaluate(
        self,
        known: Any,
        unknown: Sequence[Any],
        model: OpenSetModel,
        predict: Callable[[list[ImageSource]], Any],
    ) -> tuple[Evaluation, tuple[Skipped, ...]]:
        """See `Task.evaluate`."""
        from outgroup.evaluation import evaluate

        samples = Samples.concatenate([load_samples(known, **self.table), *told_apart(unknown)])
        strange = sorted({str(label) for label in samples.labels if label} - {*model.classes})
        if strange:
            raise InvalidDataError(
                f"The known images have labels that the model does not know: {', '.join(strange)}. "
                f"Its classes are {', '.join(model.classes)}. Give other images as unknown."
            )
        answers = predict(list(samples.sources))
        readable = [i for i, error in enumerate(answers.errors) if error is None]
        is_known = [i for i in readable if samples.labels[i] is not None]
        by_origin: dict[str, list[float]] = {}
        for i in readable:
            if samples.labels[i] is None:
                scores = by_origin.setdefault(samples.origins[i], [])
                scores.append(float(answers.other_score[i]))
        labels = answers.labels
        evaluation = evaluate(
            [str(samples.labels[i]) for i in is_known],
            [labels[i] for i in is_known],
            answers.other_score[is_known],
            by_origin,
            model.threshold,
        )
        return evaluation, unreadable(answers)

    def load(
        self, data: Any, other: Any, pool: Any, means: Means, way: Way | None = None
    ) -> tuple[TrainingSet, TrainingReport, str, Contamination | None, list[str], Tuned | None]:
        """Return what `purged` does, what is odd about the images, and the network if tuned.

        It is tuned for a way to say other, and not without one: a comparison takes it as it is.
        """
        from outgroup.selection.auto import AUTO

        samples, names, pooled, whole, said = training_samples(
            data, other, pool, means.embedder, means.seed, **self.table
        )
        embeddings = means.embedder.embed(samples.sources)
        compares = way is None or way.strategy == AUTO
        probes = embedded_garbage(means.embedder, means.seed) if compares else {}
        prepared = prepare(samples, embeddings, names, probes, pooled=pooled)
        training_set, report, printed, found, rows = purged(
            prepared, means.seed, means.keep_suspects, whole, means.embedder
        )
        tuned = None
        if means.tuner is not None and way is not None:
            some, of_some = samples.subset(rows), [names[i] for i in rows]
            tuned, training_set = on_tuned_network(training_set, some, of_some, way, means)
        return training_set, report, printed, found, said, tuned


def checked_lineup(lineup: Sequence[str] | None) -> Sequence[str]:
    """Return the names of strategies, all there are for None, after a look for typing mistakes."""
    from outgroup.selection import LINEUP, choose_strategy

    lineup = LINEUP if lineup is None else lineup
    for name in lineup:
        choose_strategy(name)
    return lineup


def compare_one(data: TrainingSet, lineup: Sequence[str], means: Means) -> Comparison:
    """Compare strategies under the budget, with a progress bar."""
    from outgroup.selection import compare_strategies, share_of

    with ProgressBar(100, means.progress, what="comparing, %") as bar:
        return compare_strategies(
            data, lineup, share=share_of(means.budget, data), seed=means.seed, progress=bar.show
        )
