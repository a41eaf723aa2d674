"""From exceptions to reasons: one place says in plain words why an image can't be read."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from outgroup.errors import UnreadableImageError

FILE_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "a folder, not an image file",
    errno.ELOOP: "a loop of symbolic links",
    errno.ENAMETOOLONG: "the file name is too long",
}

DECODER_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (MemoryError, "not enough memory to decode it"),
    (Image.DecompressionBombError, "too many pixels"),
    (RecursionError, "damaged: nested too deeply"),
)

# A decoder's message may quote the file; a record stays one readable line.
MAX_LENGTH = 200


def file_reason(error: OSError) -> str:
    """Return why a file could not be opened or read.

    >>> file_reason(PermissionError(13, "Permission denied"))
    'permission denied'
    """
    known = FILE_REASONS.get(error.errno or 0)
    return known or _one_line(f"can't be read: {error.strerror or type(error).__name__}")


@contextmanager
def decoder_reasons(kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises into `UnreadableImageError`.

    Decoders meet damaged files with nearly every exception there is, so all of them are caught;
    KeyboardInterrupt and SystemExit are none of `Exception` and pass.

    Parameters
    ----------
    kind : str
        What is being decoded, such as "JPEG".

    Examples
    --------
    >>> with decoder_reasons("PNG"):
    ...     raise SyntaxError("broken PNG file")
    Traceback (most recent call last):
    outgroup.errors.UnreadableImageError: damaged PNG: broken PNG file
    """
    try:
        yield
    except UnreadableImageError:
        raise
    except Exception as error:
        for exception, reason in DECODER_REASONS:
            if isinstance(error, exception):
                raise UnreadableImageError(reason) from error
        # Of a LookupError the message is only the key that was not found.
        message = "" if isinstance(error, LookupError) else str(error)
        message = message or type(error).__name__
        raise UnreadableImageError(_one_line(f"damaged {kind}: {message}")) from error


def _one_line(text: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return printable if len(printable) <= MAX_LENGTH else printable[: MAX_LENGTH - 1] + "…"
