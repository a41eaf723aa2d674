"""`ImageClassifier`: images in, predictions out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from outgroup.artifact import Model, ModelContents, kind_of, load_model, save_model
from outgroup.backbones import Backbone, get_backbone
from outgroup.calibration import Budget, Certificate
from outgroup.classifier.kept_options import contents_of
from outgroup.classifier.mapped import NameMap
from outgroup.classifier.tasks import Means, Way, checked_tuner, choose_task
from outgroup.classifier.training import TrainingReport, path_of
from outgroup.classifier.tuner import Tuner, untuned_name
from outgroup.data import Skipped, from_images
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.errors import InvalidParameterError
from outgroup.images import ImageSource, is_one_image
from outgroup.neighbours import NEAREST, neighbour_count
from outgroup.predictions import Prediction

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.selection import Comparison
    from outgroup.training_set import TrainingSet

#: Images that `stream` holds at a time.
CHUNK = 256


class ImageClassifier:
    """An image classifier that knows when an image is none of its classes.

    Parameters
    ----------
    strategy : str, default="auto"
        How it says "other": a name listed by ``outgroup methods``, or "auto" for the one that is
        best on the images that are learned from, by measurement (see `compare`).
    head : str or None, default=None
        The head of the strategy: a name listed by ``outgroup methods``, with options behind commas,
        such as "focal-softmax,gamma=1"; None: the strategy's own. Not to be had with "auto".
    layers : sequence of str or None, default=None
        Layers that the head reads, of "last", "second_last" and "logits"; None: all. As `head`.
    backbone : str, default="efficientnet-lite0"
        The frozen network: a spec listed by ``outgroup backbones``.
    max_known_rejected : float, "auto" or None, default="auto"
        Largest share of images like the known ones that may be called other. A number is kept, or
        `fit` refuses; with "auto" 0.05 are expected, and `certificate` says how many it may be.
    max_other_accepted : float or None, default=None
        Largest share of images like the negatives that may be given a class.
    confidence : float, default=0.95
        Confidence of each promise.
    multi_label : bool, default=False
        Whether an image may have any number of labels: the answer is a list, which may be empty.
        Labels stand in one column, as in ``cat|dog``, or in a column of 1 and 0 for each.
    multi_output : bool, default=False
        Whether an image has a class in each of several columns, each with an "other" of its own.
    label_columns : sequence of str or None, default=None
        Columns of a table that hold the labels; None: the one named "label".
    map : mapping of str to str or sequence of str, or None, default=None
        For each class the ImageNet classes or families that mean it. Then nothing is trained, and
        `fit` needs no images; those that it gets calibrate the threshold.
    keep_suspects : bool, default=False
        Whether images of the pool are learned from that look like a class; see ``report.pool``.
    finetune : FineTune or None, default=None
        How to tune the network first, on some of the images; see `outgroup.finetune`.
    seed : int, default=0
        Seed of everything that is drawn.
    cache : bool, default=True
        Whether embeddings are kept on disk, so that no image is computed twice.
    threads : int or None, default=None
        Images in work at a time; None: one for each usable core.
    progress : bool or None, default=None
        Whether to show a progress bar on standard error; None: if it is a terminal.

    Examples
    --------
    >>> from outgroup import ImageClassifier
    >>> clf = ImageClassifier().fit("photos", other="odds_and_ends")  # doctest: +SKIP
    >>> clf.predict("new.jpg").label  # doctest: +SKIP
    'giraffe'

    Without one image, from what the backbone knows of ImageNet's classes:

    >>> clf = ImageClassifier(map={"hotdog": "hotdog"}).fit()
    >>> clf.certificate.sentence
    'Nothing is promised: no image has calibrated the threshold. Some thirty of each class would.'
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
        self.strategy = strategy
        self.head = head
        self.layers = layers
        self.backbone = backbone
        self.budget = Budget(max_known_rejected, max_other_accepted, confidence)
        self.task = choose_task(multi_label, multi_output, label_columns, map)
        self.label_columns = None if label_columns is None else list(label_columns)
        self.map = map
        self.keep_suspects = keep_suspects
        self.finetune = checked_tuner(finetune, self.task)
        self.seed = seed
        self.cache = cache
        self.threads = threads
        self.progress = progress
        self.report: TrainingReport | None = None
        self.comparison: Comparison | None = None
        self._contents: ModelContents | None = None
        self._training_set: TrainingSet | None = None
        self._embedder: Embedder | None = None

    def fit(self, data: Any = None, other: Any = None, pool: Any = None) -> ImageClassifier:
        """Learn from images; whatever an earlier `fit` learned is forgotten.

        Parameters
        ----------
        data : str, os.PathLike, DataFrame or Samples, or None
            A folder with one sub-folder a class, a CSV file or DataFrame with columns "path" and
            "label" (and optionally "group" and "source"), or samples. An empty label means other,
            a missing one that nobody has looked.
            None only with a `map`: then no image is needed.
        other : folder, images, or a list of these, or None
            Negatives that you vouch for, such as look-alikes: they are none of the classes. A
            folder that is also inside `data` counts as negatives alone.
        pool : folder, images, Pool, or a list of these, or None
            Negatives that nobody has looked at; what looks like a class is set aside.

        Returns
        -------
        ImageClassifier

        Raises
        ------
        InvalidParameterError, InvalidDataError
            If nothing can be learned from these; the message names the fix.
        InfeasibleTargetError
            If a promise that was asked for can't be given, with the n that would do.

        Warns
        -----
        DataWarning
            If something is allowed and rarely meant; also in ``report.warnings``.
        """
        self._contents = self._training_set = self._embedder = self.report = self.comparison = None
        way = Way(self.strategy, self.head, self.layers)
        self.task.check(way)  # a typo is found before any work is done
        backbone = get_backbone(self.backbone)
        means = self._means(backbone)
        learned = self.task.fit(data, other, pool, way, means)
        self.report, self.comparison = learned.report, learned.comparison
        self._training_set = learned.training_set
        self._contents = contents_of(self, learned, backbone)
        self._embedder = means.embedder.with_backbone(self._contents.backbone)
        return self

    def compare(
        self,
        data: Any,
        other: Any = None,
        lineup: Sequence[str] | None = None,
        pool: Any = None,
    ) -> Any:
        """Measure strategies on these images, by unknowns that they have not seen.

        Nothing is learned: `fit` takes the one that is best among a few, or the one that is named.

        Parameters
        ----------
        data, other
            As for `fit`.
        lineup : sequence of str or None
            Names of strategies, from simple to complex; None: one of each that there is.
        pool
            As for `fit`.

        Returns
        -------
        Comparison, dict of str to Comparison, or list of LabelerResult
            As images have one class, a class in each of several columns, or any number of labels;
            the last is what held-out images say, which are of kinds that were trained on.
        """
        means = self._means(get_backbone(self.backbone))
        found, self.report = self.task.compare(data, other, pool, lineup, means)
        return found

    @property
    def contents(self) -> ModelContents:
        """Everything a model file holds.

        Raises
        ------
        InvalidParameterError
            If nothing has been learned yet.
        """
        if self._contents is None:
            raise InvalidParameterError("Nothing has been learned yet: call fit, or load a model.")
        return self._contents

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the known classes, sorted."""
        return self.contents.model.classes

    @property
    def threshold(self) -> float:
        """An image is other iff its other-score is above this."""
        return self.contents.model.threshold

    @property
    def certificate(self) -> Certificate:
        """What the threshold promises."""
        return self.contents.model.certificate

    def predict(self, images: Any, nearest: int = NEAREST) -> Any:
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
            One `Prediction` for one image, and `Predictions` for a folder or a sequence; with
            several labels or columns their kin in `outgroup.multilabel`.
        """
        if is_one_image(images):
            return self._predict_sources([images], nearest)[0]
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
            Decide by this instead of the model's own threshold.
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
                "The 'images' parameter must be an iterable of images. "
                f"Got a single {type(images).__name__} instead. Use predict for it."
            )
        if threshold is not None:
            if not math.isfinite(threshold):
                raise InvalidParameterError(
                    f"The 'threshold' parameter must be a finite number. Got {threshold!r} instead."
                )
            model = replace(model, threshold=float(threshold))
        return self._stream(images, model, neighbour_count(nearest))

    def _stream(
        self, images: Iterable[ImageSource], model: Model, nearest: int
    ) -> Iterator[Prediction]:
        embedder = self._open_embedder()
        # a list is of known length, so that the progress bar knows the end
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

    def evaluate(self, known: Any, unknown: Sequence[Any] = ()) -> tuple[Any, tuple[Skipped, ...]]:
        """Measure on images that were not trained on.

        Parameters
        ----------
        known : folder, CSV file, DataFrame or Samples
            Labelled images, as for `fit`; those labelled other count as unknown ones.
        unknown : sequence of (folder or images)
            Images that are none of the classes; each of their folders is reported by itself, those
            of one name in different items with a number behind it.

        Returns
        -------
        evaluation : Evaluation, LabelsEvaluation or OutputsEvaluation
            As images have one class, any number of labels, or a class in each of several columns.
        unreadable : tuple of Skipped
            Images that could not be read, and count in no figure.

        Raises
        ------
        InvalidDataError
            If no known image could be read, or one has a label that is none of the classes.
        """
        return self.task.evaluate(known, unknown, self.contents.model, self._predict_sources)

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
            As for the constructor; images to predict are rarely seen twice, so nothing is kept.

        Raises
        ------
        ModelFileError
            If the file is damaged, foreign or newer than this version.
        """
        contents = load_model(path)
        options = contents.training.options
        classifier = cls(
            strategy=contents.model.strategy.name,
            backbone=untuned_name(contents.backbone.name),
            max_known_rejected=options.get("max_known_rejected", "auto"),
            max_other_accepted=options.get("max_other_accepted"),
            confidence=options.get("confidence", 0.95),
            **kind_of(contents.model).options(contents.model, options.get("label_columns")),
            map=options.get("map"),
            seed=options.get("seed", 0),
            cache=cache,
            threads=threads,
            progress=progress,
        )
        classifier._contents = contents
        return classifier

    def _predict_sources(self, sources: list[ImageSource], nearest: int = NEAREST) -> Any:
        embeddings = self._open_embedder().embed(sources)
        paths = [path_of(source) for source in sources]
        return self.contents.model.predict(embeddings.layers, paths, embeddings.errors, nearest)

    def _open_embedder(self) -> Embedder:
        self._embedder = self._embedder or self._means(self.contents.backbone).embedder
        return self._embedder

    def _means(self, backbone: Backbone) -> Means:
        cache = EmbeddingCache() if self.cache else None
        embedder = Embedder(backbone, cache=cache, threads=self.threads, progress=self.progress)
        how = self.budget, self.seed, self.progress, self.keep_suspects, self.threads, self.finetune
        return Means(embedder, *how)
