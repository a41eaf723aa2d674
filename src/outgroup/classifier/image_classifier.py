"""`ImageClassifier`: images in, predictions out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from PIL import Image

from outgroup.artifact import ModelContents, load_model, save_model
from outgroup.artifact.container import error_context
from outgroup.backbones import Backbone, get_backbone
from outgroup.calibration import Budget, Certificate
from outgroup.classifier.tuning import Tuner, check_tuner, untuned_name
from outgroup.data import LabelReader, Samples, Skipped, from_images, path_of
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.errors import InvalidParameterError
from outgroup.explain import NEAREST, neighbour_count
from outgroup.images import ImageSource, is_one_image
from outgroup.model import Model
from outgroup.predictions import Prediction, Predictions
from outgroup.strategies import choose_strategy

# What `fit`, `compare` and `evaluate` need is imported there: it is slow to import, and prediction
# does without.
if TYPE_CHECKING:
    from outgroup.classifier.fitting import FitOptions, Loaded
    from outgroup.classifier.names import NameMap
    from outgroup.classifier.negatives import Negatives
    from outgroup.classifier.reports import TrainingReport
    from outgroup.data.tables import DataFrameLike
    from outgroup.evaluation import Evaluation
    from outgroup.selection import Comparison
    from outgroup.training_set import TrainingSet

#: Labelled images: a folder with one sub-folder a class, a table, or samples.
Labelled: TypeAlias = "str | os.PathLike[str] | DataFrameLike | Samples"

#: Images that `stream` holds at a time.
CHUNK = 256


class ImageClassifier:
    """An image classifier that knows when an image is none of its classes.

    Parameters
    ----------
    strategy : str, default="auto"
        A name listed by ``outgroup methods``, or "auto" for the one that measures best on the
        training images (see `compare`).
    head : str or None, default=None
        The head of the strategy: a name listed by ``outgroup methods``, with options after commas,
        such as "focal-softmax,gamma=1"; None: the strategy's own. Not possible with "auto".
    layers : sequence of str or None, default=None
        Layers that the head reads, of "last", "second_last" and "logits"; None: all. As `head`.
    backbone : str, default="efficientnet-lite0"
        The frozen network: a spec listed by ``outgroup backbones``.
    max_known_rejected : float, "auto" or None, default="auto"
        Largest share of images like the known ones that may be rejected. A number is guaranteed, or
        `fit` refuses; with "auto" 0.05 are expected, and `certificate` states the bound. It holds
        for each label and each column.
    max_other_accepted : float or None, default=None
        Largest share of images like the negatives that may be accepted.
    confidence : float, default=0.95
        Confidence of each guarantee.
    multi_label : bool, default=False
        Whether an image may have any number of labels, given in one column, as in ``cat|dog``, or
        in a column of 1 and 0 for each.
    multi_output : bool, default=False
        Whether an image has a class, or none, in each of several columns.
    label_columns : sequence of str or None, default=None
        Columns of a table that hold the labels; None: the one named "label".
    map : mapping of str to str or sequence of str, or None, default=None
        For each class the ImageNet classes or families that mean it. Then nothing is trained;
        images are optional, and calibrate the threshold.
    keep_suspects : bool, default=False
        Whether to learn from images of the pool that look like a class; see ``report.pool``.
    finetune : FineTune or None, default=None
        How to tune the network first, on some of the images; see `outgroup.finetune`.
    seed : int, default=0
        Seed of all random choices.
    cache : bool, default=True
        Whether embeddings are kept on disk, so that no image is embedded twice.
    threads : int or None, default=None
        Number of threads; None: one for each usable core.
    progress : bool or None, default=None
        Whether to show a progress bar on standard error; None: if it is a terminal.

    Examples
    --------
    >>> from outgroup import ImageClassifier
    >>> clf = ImageClassifier().fit("photos", other="odds_and_ends")  # doctest: +SKIP
    >>> clf.predict("new.jpg").label  # doctest: +SKIP
    'giraffe'

    Without images, from the ImageNet classes that the backbone knows:

    >>> clf = ImageClassifier(map={"hotdog": "hotdog"}).fit()
    >>> clf.certificate.sentence
    'Nothing is guaranteed: the threshold is not calibrated. That takes about 30 images per class.'
    """

    def __init__(
        self,
        *,
        strategy: str = "auto",
        head: str | None = None,
        layers: Sequence[str] | None = None,
        backbone: str = "efficientnet-lite0",
        max_known_rejected: float | Literal["auto"] | None = "auto",
        max_other_accepted: float | None = None,
        confidence: float = 0.95,
        multi_label: bool = False,
        multi_output: bool = False,
        label_columns: Sequence[str] | None = None,
        map: NameMap | None = None,
        keep_suspects: bool = False,
        finetune: Tuner | None = None,
        seed: int = 0,
        cache: bool = True,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> None:
        self.reader = LabelReader.chosen(multi_label, multi_output, label_columns)
        if map is not None and self.reader.kind != "single":
            raise InvalidParameterError(
                "Invalid `map`: must be None with `multi_label` or `multi_output`, got "
                f"{map!r}. Names of ImageNet give an image one class."
            )
        check_tuner(finetune, map)
        self.strategy = strategy
        self.head = head
        self.layers = layers
        self.backbone = backbone
        self.budget = Budget(max_known_rejected, max_other_accepted, confidence)
        self.label_columns = None if label_columns is None else list(label_columns)
        self.map = map
        self.keep_suspects = keep_suspects
        self.finetune = finetune
        self.seed = seed
        self.cache = cache
        self.threads = threads
        self.progress = progress
        self.report: TrainingReport | None = None
        self.comparison: Comparison | None = None
        self._contents: ModelContents | None = None
        self._training_set: TrainingSet | None = None
        self._embedder: Embedder | None = None

    def fit(
        self,
        data: Labelled | None = None,
        other: Negatives | None = None,
        pool: Negatives | None = None,
    ) -> ImageClassifier:
        """Learn from images; whatever an earlier `fit` learned is forgotten.

        Parameters
        ----------
        data : str, os.PathLike, DataFrame or Samples, or None
            A folder with one sub-folder a class, a CSV file or DataFrame with columns "path" and
            "label" (and optionally "group" and "source"), or samples. An empty label means other,
            a missing one that nobody has looked. None only with a `map`.
        other : folder, images, or a list of these, or None
            Verified negatives, such as look-alikes: they show none of the classes. A folder that is
            also inside `data` counts as negatives alone.
        pool : folder, images, Pool, or a list of these, or None
            Unchecked negatives; images that look like a class are set aside.

        Returns
        -------
        ImageClassifier

        Raises
        ------
        InvalidParameterError, InvalidDataError
            If nothing can be learned from these; the message names the fix.
        InfeasibleTargetError
            If a guarantee that was asked for can't be given, with the n that would do.

        Warns
        -----
        DataWarning
            If something is allowed and rarely meant; also in ``report.warnings``.
        """
        from outgroup.classifier import fitting

        self._contents = self._training_set = self._embedder = self.report = self.comparison = None
        options = self._fit_options
        options.check_strategy()  # a typo is found before any work is done
        embedder = self._make_embedder(get_backbone(self.backbone))
        fitted = fitting.fit_images(fitting.Images(data, other, pool), options, embedder)
        self.report = fitting.warned(fitted.report)
        self.comparison, self._training_set = fitted.comparison, fitted.data
        self._contents = fitted.contents
        self._embedder = embedder.with_backbone(fitted.contents.backbone)
        return self

    def compare(
        self,
        data: Labelled,
        other: Negatives | None = None,
        lineup: Sequence[str] | None = None,
        pool: Negatives | None = None,
    ) -> Comparison | dict[str, Comparison]:
        """Measure strategies on these images, by unknown images that they have not seen.

        Nothing is learned: `fit` takes the strategy that measures best, or the one that is named.

        Parameters
        ----------
        data, other, pool
            As for `fit`.
        lineup : sequence of str or None
            Names of strategies, from simple to complex; None: all there are.

        Returns
        -------
        Comparison or dict of str to Comparison
            With several columns one for each of them.
        """
        from outgroup.classifier import fitting

        for name in lineup or ():
            choose_strategy(name, labels=self.reader.kind == "labels")
        embedder = self._make_embedder(get_backbone(self.backbone))
        images = fitting.Images(data, other, pool)
        options = self._fit_options
        loaded = fitting.load_images(images, options, embedder, probes=True)
        self.report = fitting.warned(loaded.checked())
        found = fitting.compare_parts(loaded.data, lineup, options)
        return found if self.reader.kind == "columns" else found[""]

    @property
    def contents(self) -> ModelContents:
        """Everything a model file holds; `InvalidParameterError` if nothing was learned."""
        if self._contents is None:
            raise InvalidParameterError("Nothing has been learned yet: call fit, or load a model.")
        return self._contents

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the known classes, sorted; those of columns read "column=value"."""
        return self.contents.model.classes

    @property
    def threshold(self) -> float:
        """An image is other iff its other-score is above this."""
        return self.contents.model.threshold

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each label or column; of a single output by the name ""."""
        return self.contents.model.thresholds

    @property
    def certificate(self) -> Certificate:
        """What the thresholds guarantee."""
        return self.contents.model.certificate

    def predict(
        self, images: ImageSource | Iterable[ImageSource], nearest: int = NEAREST
    ) -> Prediction | Predictions:
        """Say what each image is, or that it is none of the classes.

        Parameters
        ----------
        images : ImageSource, folder, or a sequence of these
            A path, bytes, a Pillow image or a uint8 array of shape (height, width[, channels]); a
            folder, of which every file is taken; or many of these.
        nearest : int, default=5
            How many training images each answer names in its `nearest`.

        Returns
        -------
        Prediction or Predictions
            One `Prediction` for one image, and `Predictions` for a folder or a sequence.
        """
        if is_one_image(images):
            return self._predict_sources([cast("ImageSource", images)], nearest)[0]
        return self.predict_many(images, nearest)

    def predict_many(
        self, images: ImageSource | Iterable[ImageSource], nearest: int = NEAREST
    ) -> Predictions:
        """Say what each of many images is; a single one counts as one of many."""
        return self._predict_sources(list(from_images(images).sources), nearest)

    def stream(
        self,
        images: Iterable[ImageSource],
        threshold: float | None = None,
        nearest: int = NEAREST,
    ) -> Iterator[Prediction]:
        """Yield a prediction for each image, in memory that does not grow with their number.

        Parameters
        ----------
        images : iterable of ImageSource
            Taken one by one.
        threshold : float or None
            Decide by this instead of the model's own threshold; with several outputs it is added to
            the threshold of each.
        nearest : int, default=5
            How many training images each answer names in its `nearest`.

        Raises
        ------
        InvalidParameterError
            If `images` is a single image or a folder, `threshold` is no finite number, or `nearest`
            no whole number from 0 up.
        """
        model = self.contents.model
        if isinstance(images, (str, os.PathLike, bytes, Image.Image)):
            raise InvalidParameterError(
                "Invalid `images`: must be an iterable of images, got a single "
                f"{type(images).__name__}. Use predict for it."
            )
        if threshold is not None:
            if not math.isfinite(threshold):
                raise InvalidParameterError(
                    f"Invalid `threshold`: must be a finite number, got {threshold!r}."
                )
            model = replace(model, threshold=float(threshold))
        return self._stream(images, model, neighbour_count(nearest))

    def _stream(
        self, images: Iterable[ImageSource], model: Model, nearest: int
    ) -> Iterator[Prediction]:
        embedder = self._open_embedder()
        # the length of a list is known, so that the progress bar shows the end
        paths = [path_of(image) for image in images] if isinstance(images, list) else []

        def noted() -> Iterator[ImageSource]:
            for image in images:
                paths.append(path_of(image))
                yield image

        sources: Iterable[ImageSource] = images if isinstance(images, list) else noted()
        for embeddings in embedder.stream(sources, chunk=CHUNK):
            n = len(embeddings)
            yield from model.predict(embeddings.layers, paths[:n], embeddings.errors, nearest)
            del paths[:n]

    def evaluate(
        self, known: Labelled, unknown: Sequence[Negatives] = ()
    ) -> tuple[Evaluation, tuple[Skipped, ...]]:
        """Measure on images that were not trained on.

        Parameters
        ----------
        known : folder, CSV file, DataFrame or Samples
            Labelled images, as for `fit`; those labelled other count as unknown ones.
        unknown : sequence of (folder or images)
            Images that are none of the classes, reported by folder; a number is added to names that
            are there twice.

        Returns
        -------
        evaluation : Evaluation
        unreadable : tuple of Skipped
            Images that could not be read, and count in no figure.

        Raises
        ------
        InvalidDataError
            If no known image could be read, or one has a label that is none of the classes.
        """
        from outgroup.classifier.negatives import told_apart
        from outgroup.evaluation import evaluate

        schema = self.contents.model.schema
        table = self.reader.read(known, schema)
        for samples in told_apart(unknown):
            table = table.with_others(samples)
        targets = table.targets(schema)
        answers = self._predict_sources(list(table.samples.sources))
        unreadable = tuple(
            Skipped(answers.paths[i] or f"#{i}", error)
            for i, error in enumerate(answers.errors)
            if error is not None
        )
        return evaluate(targets, answers, table.samples.origins), unreadable

    def save(self, path: str | os.PathLike[str], paths: bool = True) -> Path:
        """Write the model to one file, with or without the paths of training images in it."""
        return save_model(self.contents if paths else self.contents.without_paths(), path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        cache: bool = False,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> ImageClassifier:
        """Open a model file.

        Parameters
        ----------
        path : str or os.PathLike
            A file that `save` wrote.
        cache, threads, progress
            As for the constructor; images to predict are rarely seen twice, so by default their
            embeddings are not kept.

        Raises
        ------
        ModelFileError
            If the file is damaged, foreign or of another version.
        """
        contents = load_model(path)
        with error_context(Path(path)):
            return cls.from_contents(contents, cache=cache, threads=threads, progress=progress)

    @classmethod
    def from_contents(
        cls,
        contents: ModelContents,
        *,
        cache: bool = False,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> ImageClassifier:
        """Return a classifier with what a model file holds; the options are those of `load`."""
        options, schema = contents.training.options, contents.model.schema
        columns = options.get("label_columns")
        several = not (schema.is_single or schema.is_multi_label)
        classifier = cls(
            strategy=contents.model.strategy.name,
            backbone=untuned_name(contents.backbone.name),
            max_known_rejected=options.get("max_known_rejected", "auto"),
            max_other_accepted=options.get("max_other_accepted"),
            confidence=options.get("confidence", 0.95),
            multi_label=schema.is_multi_label,
            multi_output=several,
            label_columns=[output.name for output in schema.outputs] if several else columns,
            map=options.get("map"),
            seed=options.get("seed", 0),
            cache=cache,
            threads=threads,
            progress=progress,
        )
        classifier._contents = contents
        return classifier

    def _load(
        self, embedder: Embedder, data: Labelled, other: Negatives | None, pool: Negatives | None
    ) -> Loaded:
        """Return the images as `fit` learns from them, on a network that is not tuned."""
        from outgroup.classifier.fitting import Images, load_images

        options = self._fit_options
        return load_images(Images(data, other, pool), options, embedder, probes=options.compares)

    @property
    def _fit_options(self) -> FitOptions:
        from outgroup.classifier.fitting import FitOptions

        return FitOptions(**{field.name: getattr(self, field.name) for field in fields(FitOptions)})

    def _predict_sources(
        self, sources: Sequence[ImageSource], nearest: int = NEAREST
    ) -> Predictions:
        embeddings = self._open_embedder().embed(sources)
        paths = [path_of(source) for source in sources]
        return self.contents.model.predict(embeddings.layers, paths, embeddings.errors, nearest)

    def _open_embedder(self) -> Embedder:
        self._embedder = self._embedder or self._make_embedder(self.contents.backbone)
        return self._embedder

    def _make_embedder(self, backbone: Backbone) -> Embedder:
        cache = EmbeddingCache() if self.cache else None
        return Embedder(backbone, cache=cache, threads=self.threads, progress=self.progress)
