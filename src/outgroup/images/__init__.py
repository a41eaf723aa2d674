"""One image in, upright RGB pixels out; or one plain reason why not.

What this package sees to:

* a path, bytes, a Pillow image or an array of the same image give the same pixels;
* whatever is wrong with a file ends in `UnreadableImageError` with a reason that a person can act
  on, never in another exception, a hang, or half a picture;
* bytes and pixels are capped before memory is taken for them;
* decoding runs in threads: no global setting of Pillow or of `warnings` is changed. (Pillow itself
  still warns of some damage in TIFF and ICO files; no thread can silence that for itself alone.)

The usual calls, where a file is to be hashed and decoded but read only once:

>>> from outgroup.images import Preprocessing, content_digest, load_image, read_source
>>> import numpy as np
>>> data = read_source(np.zeros((300, 400, 3), np.uint8))  # a path becomes its bytes
>>> len(content_digest(data)), load_image(data, Preprocessing()).shape
(32, (224, 224, 3))
"""

from __future__ import annotations

from outgroup.images.decoding import MAX_PIXELS, decode, decode_with_size, load_image
from outgroup.images.digests import content_digest
from outgroup.images.preprocessing import Preprocessing
from outgroup.images.sources import MAX_BYTES, ImageSource, is_one_image, read_source

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "ImageSource",
    "Preprocessing",
    "content_digest",
    "decode",
    "decode_with_size",
    "is_one_image",
    "load_image",
    "read_source",
]
