"""`mine`: an image classifier and a stream of negatives in, a better classifier out."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Sized
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from outgroup.calibration import Budget
from outgroup.classifier import ImageClassifier
from outgroup.classifier.refitting import training_set_of, with_contents
from outgroup.classifier.tasks.base import Way
from outgroup.errors import (
    DataWarning,
    InfeasibleTargetError,
    InvalidDataError,
    InvalidParameterError,
    OutgroupError,
)
from outgroup.mining.effort import Effort
from outgroup.mining.keeping import Keeper
from outgroup.mining.lines import Lines
from outgroup.mining.mined import Mined
from outgroup.mining.miner import Batch, Miner, run
from outgroup.mining.recipe import Recipe
from outgroup.mining.seen import keys_of
from outgroup.mining.streams import StreamError, embedded, given, images_of
from outgroup.mining.suspects import Suspects
from outgroup.model import OpenSetModel
from outgroup.pool.engines import Engine, get_engine
from outgroup.training_set import TrainingSet


def mine(
    stream: Any,
    classifier: ImageClassifier,
    budget: Effort | int | None = None,
    *,
    target: float | None = 0.01,
    data: Any = None,
    other: Any = None,
    pool: Any = None,
    confidence: float = 0.95,
    hardest: int = 1000,
    uniform: int = 1000,
    suspects: Suspects | None = None,
    before: Mined | None = None,
    seed: int = 0,
    engine: str | Engine = "local",
    state: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> Mined:
    """Mine a stream of negatives for those that a classifier accepts.

    Each batch is scored by the present model before anything is learned from it, so what is counted
    is what the model does to images that it has not seen. The hardest images and a uniform sample
    are kept, in bounded memory, and the model is refitted with them, until the share that it
    accepts is shown to be `target` at most, or the budget is used up. Images that look like a known
    class are set aside: they are counted like all others, and nothing is learned from them.

    Parameters
    ----------
    stream : Pool, str, os.PathLike, or iterable of ImageSource or Incoming
        Images that are none of the classes: a pool or what `outgroup.pool.sources` can read (pools
        and folders are shuffled), or the images themselves, maybe without end.
    classifier : ImageClassifier
        With one class an image; it is left as it is.
    budget : Effort, int or None
        What mining may take; a number is that of images. None: until the target is reached, no
        refit is left that could help, or the stream ends.
    target : float or None, default=0.01
        Share of the stream that may be accepted; None: refit whenever enough was counted, and stop
        when the budget is used up or the stream ends.
    data, other, pool : as for `ImageClassifier.fit`
        The training images once more, for a classifier that comes from a file; a file holds none.
    confidence : float, default=0.95
        Of the bounds of all models together.
    hardest, uniform : int, default=1000
        How many of the hardest negatives are kept, and how many of a uniform sample.
    suspects : Suspects or None
        Says what may well be of a known class; None is `TypicalOfAClass`.
    before : Mined or None
        What an earlier call gave for the same training images: what it kept is learned from too,
        and nothing that it met counts again. The classifier should be the one that came of it.
    seed : int, default=0
        Seed of the uniform sample, and of the order of a folder.
    engine : str or Engine, default="local"
        What embeds the stream, as for `Pool.add`. The result is the same.
    state : str, os.PathLike or None
        A file that the state is written to after each refit, and once a minute. If it is there,
        mining goes on from it: give the same stream, from its beginning, and the same parameters
        (`budget` may allow more images and seconds). It stays when mining is over; delete it when
        the result is safe. None: a run that is killed is lost.
    say : callable or None
        Called with lines of progress; None prints them on standard error if it is a terminal.

    Returns
    -------
    Mined
        ``classifier`` is the new one, ``sentence`` what is known of it. If the stream fails or
        Ctrl-C is pressed, it is what there is by then.

    Raises
    ------
    InvalidParameterError
        If a parameter is not as described, the classifier has several labels or columns, or its
        strategy learns nothing from negatives.
    InvalidDataError
        If the stream gives no image, or fails before the first one.

    Warns
    -----
    DataWarning
        If the stream fails midway, or a promise that was asked for can't be given any more; the
        error is in ``error``.

    Examples
    --------
    >>> clf = ImageClassifier().fit("photos")  # doctest: +SKIP
    >>> mined = mine("a_million_images", clf, target=0.001)  # doctest: +SKIP
    >>> print(mined.sentence)  # doctest: +SKIP
    On this stream at most 0.1 % of images are accepted (95 % confidence, counted over 7,424 images
    after the last refit; 0.013 % seen).
    >>> mined.classifier.save("better.outgroup")  # doctest: +SKIP
    """
    effort = _checked(budget)
    images = images_of(stream, seed)
    recipe = _recipe(classifier, data, other, pool)
    model = classifier.contents.model
    assert isinstance(model, OpenSetModel)
    miner = Miner(
        model,
        recipe,
        target=target,
        confidence=confidence,
        effort=effort,
        hardest=hardest,
        uniform=uniform,
        suspects=suspects,
        seed=seed,
        length=len(images) if isinstance(images, Sized) else None,
        before=None if before is None else before.memory,
    )
    training = classifier.contents.training
    keeper = _keeper(state, miner, seed, [training.fingerprint, model.threshold])
    lines = Lines(classifier.progress, say)
    lines.goes_on(miner)
    with ExitStack() as stack:
        computes = get_engine(engine)
        if computes is not engine:
            stack.enter_context(computes)
        embedder = computes.embedder(classifier.contents.backbone, classifier.threads)
        mined = _mine(embedded(images, embedder, effort.images, keeper), miner, lines, keeper)
    return replace(mined, classifier=_with_model(classifier, recipe, mined))


def mine_embeddings(
    stream: Iterable[Any],
    data: TrainingSet,
    model: OpenSetModel,
    budget: Effort | int | None = None,
    *,
    strategy: str | None = None,
    promises: Budget | None = None,
    n_folds: int = 5,
    before: Mined | None = None,
    state: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Mined:
    """Mine a stream of embeddings; see `mine`.

    Parameters
    ----------
    stream : iterable of ndarray of shape (n, d), or of mappings of str to these
        Batches of embeddings, or of embeddings by layer.
    data : TrainingSet
        What the model has learned from.
    model : OpenSetModel
        As `fit_model` returns it.
    budget : Effort, int or None
        As for `mine`.
    strategy : str or None
        What is fitted, a name for `choose_strategy`; None: the name of the model's own.
    promises : Budget or None
        What thresholds have to keep; None is ``Budget()``.
    n_folds : int, default=5
        As for `fit_model`.
    before, state, say, **options
        As for `mine`; options are target, confidence, hardest, uniform, suspects and seed.

    Returns
    -------
    Mined
        Without a classifier.

    Raises
    ------
    InvalidParameterError, InvalidDataError
        As for `mine`.
    """
    effort = _checked(budget)
    name = strategy or model.strategy.name
    recipe = Recipe(data, Way(name), promises or Budget(), n_folds=n_folds)
    memory = None if before is None else before.memory
    miner = Miner(model, recipe, effort=effort, before=memory, **options)
    layers = {name: values.shape[1] for name, values in data.features.items()}
    keeper = _keeper(state, miner, options.get("seed", 0), model.threshold)
    lines = Lines(False, say)
    lines.goes_on(miner)
    return _mine(given(stream, layers, effort.images, keeper), miner, lines, keeper)


def _keeper(
    path: str | os.PathLike[str] | None, miner: Miner, seed: int, classifier: Any
) -> Keeper | None:
    """Return what writes the state, None without a file, and go on from one that is there."""
    if path is None:
        return None
    data, effort = miner.recipe.data, miner.effort
    rows = hashlib.blake2b(keys_of(data.features).tobytes() + data.y.tobytes(), digest_size=16)
    keeper = Keeper(
        path,
        {
            "classifier": classifier,
            "data": rows.hexdigest(),
            "target": miner.target,
            "confidence": miner.confidence,
            "budget": [effort.refits, effort.first],
            "hardest": miner.memory.new.capacity,
            "uniform": miner.memory.uniform.capacity,
            "seed": seed,
        },
    )
    keeper.read(miner)
    return keeper


def _mine(
    batches: Callable[[], Batch | None], miner: Miner, lines: Lines, keeper: Keeper | None
) -> Mined:
    def told(what: str, miner: Miner) -> None:
        lines(what, miner)
        if keeper is not None:
            keeper(what, miner)

    error: Exception | None = None
    try:
        stopped = run(batches, miner, told)
    except KeyboardInterrupt:
        stopped = "interrupted"
    except StreamError as failure:
        stopped, error = "failed", failure.__cause__  # type: ignore[assignment]
    except InfeasibleTargetError as infeasible:  # the present model stays
        stopped, error = "infeasible", infeasible
    if stopped == "end" and miner.effort.used_up(miner.read, 0.0):
        stopped = "images"
    if not miner.read and stopped in ("end", "failed"):
        if isinstance(error, OutgroupError):
            raise error
        why = "gave no image" if error is None else f"failed before the first image: {error!r}"
        raise InvalidDataError(f"The stream {why}. Give a folder or an iterable of images.")
    if error is not None:
        what = "The stream failed" if stopped == "failed" else "No other model could be fitted"
        warnings.warn(
            f"{what} after {miner.read:,} images: {error!r}. What was mined until then is kept.",
            DataWarning,
            stacklevel=3,
        )
    return miner.result(stopped, error)


def _checked(effort: object) -> Effort:
    if effort is None or isinstance(effort, Effort):
        return effort or Effort()
    if isinstance(effort, bool) or not isinstance(effort, int):
        raise InvalidParameterError(
            "The 'budget' parameter must be an Effort, a number of images, or None. "
            f"Got {effort!r} instead."
        )
    return Effort(images=effort)


def _recipe(classifier: ImageClassifier, data: Any, other: Any, pool: Any) -> Recipe:
    model, options = classifier.contents.model, classifier.contents.training.options
    if not isinstance(model, OpenSetModel):
        raise InvalidParameterError(
            "The 'classifier' parameter must be one with one class an image. Got one with several "
            "labels or columns instead, which can't be mined for yet."
        )
    named = options.get("strategy", "auto")
    name = model.strategy.name if named == "auto" else named
    way = Way(name, options.get("head"), options.get("layers"))
    training_set, same = training_set_of(classifier, data, other, pool)
    if not same:
        warnings.warn(
            "These are not the images that the classifier learned from; the models that are fitted "
            "now learn from these alone. Give the same images and negatives.",
            DataWarning,
            stacklevel=3,
        )
    return Recipe(training_set, way, classifier.budget, classifier.seed)


def _with_model(classifier: ImageClassifier, recipe: Recipe, mined: Mined) -> ImageClassifier:
    """Return a copy of the classifier with what was mined."""
    contents = classifier.contents
    training = contents.training
    if len(mined.stages) > 1:
        learned = hashlib.blake2b(training.fingerprint.encode(), digest_size=16)
        learned.update(repr(sorted(map(str, mined.negatives))).encode("utf-8", "surrogatepass"))
        training = replace(
            training,
            fingerprint=learned.hexdigest(),
            n_others=int((recipe.data.y < 0).sum()) + len(mined.negatives),
            options={**training.options, "n_mined": len(mined.negatives)},
        )
    return with_contents(classifier, replace(contents, model=mined.model, training=training))
