"""Which file formats are decoded, told by a file's first bytes and never by its name.

Pillow has decoders that start other programs (EPS) or that hardly anybody has tested against
hostile files. Only the formats of this table are handed to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from PIL import Image

from outgroup.errors import UnreadableImageError

UNSUPPORTED = "not a supported image format"


@dataclass(frozen=True)
class Format:
    """One row of the table.

    Parameters
    ----------
    name : str
        What people call the format.
    signature : bytes
        Regular expression for the start of a file.
    plugin : str
        Pillow's name of the decoder; empty where the format is known and refused.
    fix : str
        What to do where it is refused, or this Pillow has no such decoder.
    """

    name: str
    signature: bytes
    plugin: str = ""
    fix: str = ""

    def matches(self, data: bytes) -> bool:
        """Tell whether `data` starts as files of this format do."""
        return re.match(self.signature, data, re.DOTALL) is not None


HEIC_FIX = "convert it to JPEG, or install pillow-heif and call pillow_heif.register_heif_opener()"

FORMATS = (
    Format("JPEG", rb"\xff\xd8\xff", "JPEG"),
    Format("PNG", rb"\x89PNG\r\n\x1a\n", "PNG"),
    Format("WebP", rb"RIFF.{4}WEBP", "WEBP", "install a Pillow built with WebP"),
    Format("GIF", rb"GIF8[79]a", "GIF"),
    Format("BMP", rb"BM", "BMP"),
    Format("TIFF", rb"II[*+]\x00|MM\x00[*+]", "TIFF"),
    Format("PPM", rb"P[1-6f]\s", "PPM"),
    Format("ICO", rb"\x00\x00\x01\x00", "ICO"),
    Format("JPEG 2000", rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    Format(
        "AVIF",
        rb".{4}ftyp(avi[fs]|(mif1|msf1).{4,60}?avif)",
        "AVIF",
        "install Pillow 11.3 or newer",
    ),
    Format("HEIC", rb".{4}ftyp(he[iv][cmsx]|mif1|msf1)", "HEIF", HEIC_FIX),
    Format("video", rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}AVI ", fix="extract its frames"),
    Format("PDF", rb"%PDF", fix="export its pages as PNG"),
    Format("PostScript", rb"%!PS", fix="export it as PNG"),
    Format("SVG", rb"\s*(<\?xml.{0,200})?<svg", fix="export it as PNG"),
    Format("Photoshop", rb"8BPS", fix="export it as PNG"),
    Format("HTML", rb"(?i)\s*<(!doctype )?html", fix="a web page was saved instead of an image"),
)


def identify(data: bytes) -> Format:
    """Return the format of a file that Pillow may decode.

    Raises
    ------
    UnreadableImageError
        If its format is unknown, refused, or has no decoder in this installation.

    Examples
    --------
    >>> identify(b"GIF89a...").name
    'GIF'
    >>> identify(b"%PDF-1.7")
    Traceback (most recent call last):
    outgroup.errors.UnreadableImageError: not a supported image format (PDF: export its pages
    as PNG)
    """
    head = data[:512]
    found = next((row for row in FORMATS if row.matches(head)), None)
    if found is None:
        raise UnreadableImageError(UNSUPPORTED)
    if not _has_decoder(found.plugin):
        raise UnreadableImageError(f"{UNSUPPORTED} ({found.name}: {found.fix})")
    return found


def _has_decoder(plugin: str) -> bool:
    if plugin not in Image.OPEN:
        Image.init()  # imports the rest of Pillow's decoders; does nothing the second time
    return plugin in Image.OPEN
