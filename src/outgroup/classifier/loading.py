"""Opening a model file of any kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from outgroup.artifact import load_model
from outgroup.artifact.container import error_context
from outgroup.backbones import Backbone
from outgroup.classifier.image_classifier import ImageClassifier
from outgroup.errors import InvalidParameterError

if TYPE_CHECKING:  # slow to import, and models of images do without
    from outgroup.classifier.multi_input_classifier import MultiInputClassifier


def load(
    path: str | os.PathLike[str],
    *,
    cache: bool | None = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> ImageClassifier | MultiInputClassifier:
    """Open a model file, whichever class wrote it.

    Parameters
    ----------
    path : str or os.PathLike
        A file that `save` or ``outgroup train`` wrote.
    cache, threads : bool or None, int or None
        As for `ImageClassifier.load`; must be None for a model with several inputs.
    progress : bool or None
        Whether to show a progress bar on standard error; None: if it is a terminal.

    Raises
    ------
    ModelFileError
        If the file is damaged, foreign or of another version.
    InvalidParameterError
        If the model does not have an option.
    """
    contents = load_model(path)
    if isinstance(contents.encoder, Backbone):
        with error_context(Path(path)):
            return ImageClassifier.from_contents(
                contents, cache=bool(cache), threads=threads, progress=progress
            )
    for name, value in (("cache", cache), ("threads", threads)):
        if value is not None:
            raise InvalidParameterError(
                f"Invalid `{name}`: must be None for a model with several inputs, got {value!r}."
            )
    from outgroup.classifier.multi_input_classifier import MultiInputClassifier

    with error_context(Path(path)):
        return MultiInputClassifier.from_contents(contents, progress=progress)
