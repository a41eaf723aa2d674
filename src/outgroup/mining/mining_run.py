"""`mine`: a classifier and a stream of negatives in, a better classifier out."""

from __future__ import annotations

import copy
import hashlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from outgroup.calibration import Budget
from outgroup.calibration.certificate import percent
from outgroup.classifier import ImageClassifier
from outgroup.classifier.image_classifier import Labelled
from outgroup.classifier.negatives import Negatives
from outgroup.errors import (
    DataWarning,
    InfeasibleTargetError,
    InvalidDataError,
    InvalidParameterError,
    OutgroupError,
)
from outgroup.mining.image_streams import (
    EmbeddedRows,
    ImageStream,
    StreamError,
    checked,
    embedded,
    guarded,
    images_in,
    name_of,
    unread,
)
from outgroup.mining.memory import StateFile, keys_of
from outgroup.mining.mined import Mined
from outgroup.mining.miner import Batch, Effort, Miner, Recipe, Suspects
from outgroup.model import Model
from outgroup.pool.engine import Engine, get_engine
from outgroup.strategies import AUTO, choose_strategy
from outgroup.training_set import TrainingSet

#: Seconds between two lines of progress.
LINE_PAUSE = 10.0


def mine(
    stream: ImageStream,
    classifier: ImageClassifier,
    budget: Effort | int | None = None,
    *,
    target: float | None = 0.01,
    data: Labelled | None = None,
    other: Negatives | None = None,
    pool: Negatives | None = None,
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

    Each batch is scored by the present model before anything is learned from it, so the counts say
    what the model does with images that it has not seen. The hardest images and a uniform sample
    are kept, in bounded memory. The model is refitted with them until it is shown that it accepts
    at most the share `target` of the stream, or the budget is used up. Images that look like a
    known class are counted like all others, but nothing is learned from them.

    Parameters
    ----------
    stream : Pool, str, os.PathLike, or iterable of ImageSource or Incoming
        Images that are none of the classes: a pool, what `outgroup.pool.sources` can read, or the
        images themselves, maybe without end. Pools and folders are shuffled.
    classifier : ImageClassifier
        One with one label for each image; it is not changed.
    budget : Effort, int or None
        Limits on mining; a number is that of images. None: go on until the target is reached, no
        refit is left that could help, or the stream ends.
    target : float or None, default=0.01
        Share of the stream that may be accepted. None: refit whenever enough was counted, and stop
        when the budget is used up or the stream ends.
    data, other, pool : as for `ImageClassifier.fit`
        The training images, for a classifier from a file, which holds none.
    confidence : float, default=0.95
        Confidence of the bounds of all models together.
    hardest, uniform : int, default=1000
        How many of the hardest negatives to keep, and the size of the uniform sample.
    suspects : Suspects or None
        Tells which images look like a known class. None: `TypicalOfAClass`, and before each refit
        all that would be learned from is searched as a pool is.
    before : Mined or None
        Result of an earlier call with the same training images: what it kept is learned from too,
        and nothing that it met counts again. Give the classifier of that result.
    seed : int, default=0
        Seed of the uniform sample and of the order of a folder or pool.
    engine : str or Engine, default="local"
        What embeds the stream, as for `Pool.add`; the result is the same.
    state : str, os.PathLike or None
        A file to write the state to, after each refit and once a minute. If it exists, mining
        resumes from it: give the same stream, from its beginning, and the same parameters; `budget`
        may allow more images and seconds. The file stays when mining is over.
    say : callable or None
        Called with lines of progress; None prints them on standard error if it is a terminal.

    Returns
    -------
    Mined
        ``classifier`` is the new one, ``sentence`` what is known of it. If the stream fails midway
        or a guarantee can't be given any more (with a `DataWarning`), or Ctrl-C is pressed, the
        result so far.

    Raises
    ------
    InvalidParameterError
        If a parameter is not as described, the classifier has several labels or columns, or its
        strategy learns nothing from negatives.
    InvalidDataError
        If the stream gives no image, or fails before the first one.

    Examples
    --------
    >>> clf = ImageClassifier().fit("photos")  # doctest: +SKIP
    >>> mined = mine("a_million_images", clf, target=0.001)  # doctest: +SKIP
    >>> print(mined.sentence)  # doctest: +SKIP
    On this stream at most 0.1 % of images are accepted (95 % confidence, counted over 7,424 images
    after the last refit; 0.013 % seen).
    """
    effort = Effort.of(budget)
    images = images_in(stream, seed)
    contents, progress = classifier.contents, classifier.progress
    learned, same = training_set_of(classifier, data, other, pool)
    if not same:
        warnings.warn(
            "These are not the images that the classifier has learned from. The new models learn "
            "from these alone. Give the same images and negatives.",
            DataWarning,
            stacklevel=2,
        )
    options, model = contents.training.options, contents.model
    name, head, layers = (options.get(key) for key in ("strategy", "head", "layers"))
    name = model.strategy.name if name in (None, AUTO) else name
    strategy = partial(choose_strategy, name, head, layers)
    miner = Miner(
        model,
        Recipe(learned, strategy, classifier.budget, classifier.seed),
        effort,
        target=target,
        confidence=confidence,
        hardest=hardest,
        uniform=uniform,
        suspects=suspects,
        before=before,
        seed=seed,
        length=len(images) if isinstance(images, Sized) else None,
    )
    if say is None and (sys.stderr.isatty() if progress is None else progress):
        say = partial(print, file=sys.stderr, flush=True)
    file = _resumed(miner, state, [contents.training.fingerprint, model.threshold])
    computes = get_engine(engine)
    with nullcontext(computes) if computes is engine else computes:
        embed = computes.embedder(contents.backbone, classifier.threads).stream
        items = unread(guarded(images), lambda item: [name_of(item)], miner.memory, state)
        if effort.images is not None:
            items = islice(items, max(0, effort.images - miner.memory.read))
        mined = _run(miner, embedded(items, embed), file, say)
    if len(mined.stages) > 1:
        digest = hashlib.blake2b(contents.training.fingerprint.encode(), digest_size=16)
        digest.update(repr(sorted(map(str, mined.negatives))).encode("utf-8", "surrogatepass"))
        training = replace(
            contents.training,
            fingerprint=digest.hexdigest(),
            n_others=int((learned.y < 0).sum()) + len(mined.negatives),
            options={**options, "n_mined": len(mined.negatives)},
        )
        contents = replace(contents, training=training)
    better = copy.copy(classifier)
    better._contents = replace(contents, model=mined.model)
    return replace(mined, classifier=better)


def mine_embeddings(
    stream: Iterable[EmbeddedRows],
    data: TrainingSet,
    model: Model,
    budget: Effort | int | None = None,
    *,
    target: float | None = 0.01,
    strategy: str | None = None,
    guarantees: Budget | None = None,
    confidence: float = 0.95,
    hardest: int = 1000,
    uniform: int = 1000,
    suspects: Suspects | None = None,
    before: Mined | None = None,
    seed: int = 0,
    state: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> Mined:
    """Mine a stream of embeddings, with parameters as for `mine`; the result has no classifier.

    The stream gives batches: arrays (n, d) of the layer "last", or mappings of layers to these.
    `data` is what `model` has learned from, and `guarantees` what thresholds have to keep (None is
    ``Budget()``). Without `say` nothing is printed.
    """
    chosen = partial(choose_strategy, strategy or model.strategy.name)
    miner = Miner(
        model,
        Recipe(data, chosen, guarantees or Budget()),
        Effort.of(budget),
        target=target,
        confidence=confidence,
        hardest=hardest,
        uniform=uniform,
        suspects=suspects,
        before=before,
        seed=seed,
    )
    file = _resumed(miner, state, model.threshold)
    layers = {layer: values.shape[1] for layer, values in data.features.items()}
    batches = checked(guarded(stream), layers)
    batches = unread(batches, lambda batch: batch.names, miner.memory, state)
    return _run(miner, batches, file, say)


def training_set_of(
    classifier: ImageClassifier,
    data: Labelled | None = None,
    other: Negatives | None = None,
    pool: Negatives | None = None,
) -> tuple[TrainingSet, bool]:
    """Return what a classifier has learned from, and whether it is the very same.

    Images are needed unless the classifier was fitted in this process. Refuses a classifier that
    can't be refitted, and images of other classes.
    """
    contents = classifier.contents
    if not contents.model.schema.is_single or classifier.map is not None:
        raise InvalidParameterError(
            "Invalid `classifier`: must be one that learned one label for each image, got one with "
            "several labels or columns, or with classes by names of ImageNet."
        )
    known = classifier._training_set
    if known is not None and data is None and other is None and pool is None:
        return known, True
    if data is None:
        raise InvalidParameterError(
            "Invalid `data`: must be the images that the classifier has learned from, because a "
            "model file holds none, got None. Give its negatives as `other` and `pool`, too."
        )
    tuned = contents.training.options.get("finetune")
    if tuned is not None and tuned.get("kept", True):
        raise InvalidParameterError(
            "Invalid `data`: must be None for a model whose network was tuned, because it is "
            "overconfident on the images that it was tuned on. Give the classifier in the process "
            "that fitted it, or train it again with all negatives."
        )
    embedder = classifier._make_embedder(contents.backbone)
    prepared = classifier._load(embedder, data, other, pool).prepared
    if prepared.data.classes != contents.model.classes:
        raise InvalidParameterError(
            "Invalid `data`: must have the classes of the model, "
            f"{', '.join(contents.model.classes)}, got {', '.join(prepared.data.classes)}."
        )
    return prepared.data, prepared.fingerprint == contents.training.fingerprint


def _resumed(miner: Miner, path: str | os.PathLike[str] | None, model: Any) -> StateFile | None:
    """Return the file for the state, and resume from it if it is there."""
    if path is None:
        return None
    data, effort = miner.recipe.data, miner.effort
    rows = hashlib.blake2b(keys_of(data.features).tobytes() + data.y.tobytes(), digest_size=16)
    same = ("target", "confidence", "hardest", "uniform", "seed")
    made_with = {"classifier": model, "data": rows.hexdigest()}
    made_with |= {"budget": [effort.refits, effort.first]}
    made_with |= {name: getattr(miner, name) for name in same}
    file = StateFile(path, made_with)
    if file.path.exists() and not miner.resume(file.load()):
        raise InvalidDataError(
            f"{path}: fitted again, the model that was tested is another one. Delete the file to "
            "start again."
        )
    return file


def _run(
    miner: Miner,
    batches: Iterator[Batch],
    file: StateFile | None,
    say: Callable[[str], None] | None,
) -> Mined:
    """Mine until there is a reason to stop."""
    memory, next_line = miner.memory, time.monotonic() + 1.0
    error: Exception | None = None
    say = say or (lambda line: None)
    if memory.read:
        say(f"Resumed after {memory.read:,} images and {miner.refits} refits.")
    try:
        while (stopped := miner.verdict()) is None:
            if miner.due() and miner.refit():
                say(f"Refitted with {len(memory.learned):,} mined negatives.")
                if file is not None:
                    file.write(memory, at_once=True)
            if (batch := next(batches, None)) is None:
                stopped = "end"
                break
            miner.feed(batch)
            if time.monotonic() >= next_line or miner.verdict() is not None:
                next_line = time.monotonic() + LINE_PAUSE
                say(_line(miner))
            if file is not None:
                file.write(memory, at_once=False)
    except KeyboardInterrupt:
        stopped = "interrupted"
    except StreamError as failure:
        stopped, error = "failed", failure.error
    except InfeasibleTargetError as infeasible:  # the present model stays
        stopped, error = "infeasible", infeasible
    if not memory.read and stopped in ("end", "failed"):
        if isinstance(error, OutgroupError):
            raise error
        why = "gave no image" if error is None else f"failed before the first image: {error!r}"
        raise InvalidDataError(f"The stream {why}. Give a folder or an iterable of images.")
    if error is not None:
        what = "The stream failed" if stopped == "failed" else "No other model could be fitted"
        warnings.warn(
            f"{what} after {memory.read:,} images: {error!r}. What was mined until then is kept.",
            DataWarning,
            stacklevel=3,
        )
    return miner.result(stopped, error)


def _line(miner: Miner) -> str:
    memory = miner.memory
    target = "" if miner.target is None else f", target {percent(miner.target)}"
    return (
        f"{memory.read:,} images, {memory.read / max(memory.seconds, 1e-9):,.0f} per second: "
        f"{memory.accepted:,} of {memory.counted:,} accepted since the last refit, at most "
        f"{percent(miner.bound, up=True)}{target}; {memory.n_quarantined:,} suspects set aside."
    )
