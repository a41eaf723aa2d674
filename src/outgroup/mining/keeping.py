"""The state of mining on disk, so that a run which was killed goes on where it was.

A state is written after every refit, and now and then between: the old file or the new one is there
at any moment, and no half. It holds what was counted and kept and how far the stream was read, but
no model, which is learned once more from what it was learned from; so no code is in it. What came
after the last state is read, scored and counted once more, by the same model, as if it had not been
there: nothing is lost, and nothing counts twice.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.mining.miner import Miner
from outgroup.mining.states import State
from outgroup.pool.files import write_durably

FORMAT = 1
_KIND = "outgroup mining"

_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)

#: Seconds between two states, unless there is a refit.
PAUSE = 60.0


class Trail:
    """Which images of a stream were read: how many, and a hash of their names.

    Examples
    --------
    >>> one, other = Trail(), Trail()
    >>> one.add(["a.jpg", None]); other.add(["a.jpg"]); other.add([None])
    >>> one.read, one.digest == other.digest
    (2, True)
    """

    def __init__(self) -> None:
        self.read, self.digest = 0, ""

    def add(self, names: list[str | None]) -> None:
        """Take the next images into account."""
        for name in names:
            text = f"{self.digest} {name!r}".encode("utf-8", "surrogatepass")
            self.digest = hashlib.blake2b(text, digest_size=16).hexdigest()
        self.read += len(names)


class Keeper:
    """Writes the state of a miner, and reads it when mining begins.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    made_with : mapping of str to values for JSON
        What has to be the same when mining goes on, by the names of the parameters.
    """

    def __init__(self, path: str | os.PathLike[str], made_with: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.trail = Trail()
        self._made_with = dict(made_with)
        self._next = time.monotonic() + PAUSE
        #: Where the stream has to be when its first images have been passed over.
        self.expected: tuple[int, str] = (0, "")

    def __call__(self, what: str, miner: Miner) -> None:
        """Write the state, if it is time; `what` is "batch" or "refit"."""
        if what == "refit" or time.monotonic() >= self._next:
            self.write(miner)
            self._next = time.monotonic() + PAUSE

    def write(self, miner: Miner) -> None:
        """Write the state. Mining goes on without if that fails."""
        plain, arrays = miner.state()
        plain |= {"kind": _KIND, "format": FORMAT, "made_with": self._made_with}
        plain["trail"] = [self.trail.read, self.trail.digest]
        text = np.frombuffer(json.dumps(plain).encode(), np.uint8)
        file = io.BytesIO()
        np.savez(file, plain=text, **arrays)  # type: ignore[arg-type]
        try:
            write_durably(self.path, file.getvalue())
        except OSError as error:
            warnings.warn(
                f"The state of mining can't be written to {self.path} ({error.strerror}): if it is "
                "stopped now, it goes on from an earlier one, or begins anew.",
                DataWarning,
                stacklevel=2,
            )

    def read(self, miner: Miner) -> bool:
        """Let a miner go on from the file; return False if there is none.

        Raises
        ------
        InvalidParameterError
            If it is the state of mining with other parameters.
        InvalidDataError
            If it is damaged, or not a state.
        """
        if not self.path.exists():
            return False
        try:
            state, made_with, trail = _loaded(self.path)
        except _UNREADABLE as error:
            raise InvalidDataError(
                f"{self.path}: not a state of mining that can be read ({error}). Delete it to "
                "begin anew."
            ) from error
        for name, value in self._made_with.items():
            if made_with.get(name) != value:
                raise InvalidParameterError(
                    f"The {name!r} parameter must be what it was when {self.path} was written, "
                    f"{made_with.get(name)!r}. Got {value!r} instead. Give the same, or delete the "
                    "file to begin anew."
                )
        try:
            miner.restore(state)
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidDataError(
                f"{self.path}: mining can't go on from it ({error}). Delete it to begin anew."
            ) from error
        self.expected = trail
        return True

    @contextmanager
    def passing_over(self) -> Iterator[None]:
        """Check that the images which a block passes over are those that were read before.

        Raises
        ------
        InvalidDataError
            If they are not, or the stream fails.
        """
        try:
            yield
        except Exception as error:
            cause = error.__cause__ or error
            raise InvalidDataError(
                f"The stream failed after {self.trail.read:,} of the {self.expected[0]:,} images "
                f"that were mined before: {cause!r}. The state is still in {self.path}."
            ) from cause
        if (self.trail.read, self.trail.digest) != self.expected:
            raise InvalidDataError(
                f"The stream does not begin with the {self.expected[0]:,} images that were mined "
                f"before. Give the same stream, or delete {self.path} to begin anew."
            )


def _loaded(path: Path) -> tuple[State, dict[str, Any], tuple[int, str]]:
    with np.load(path, allow_pickle=False) as file:
        arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    plain = json.loads(arrays.pop("plain").tobytes())
    if plain.get("kind") != _KIND or plain.get("format") != FORMAT:
        raise ValueError("another kind of file, or of another version of outgroup")
    read, digest = plain["trail"]
    return State(plain, arrays), plain["made_with"], (int(read), str(digest))
