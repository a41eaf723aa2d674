"""Images in, upright RGB pixels out, or one plain reason why not.

* A path, bytes, a Pillow image or an array of the same image give the same pixels.
* Whatever is wrong with a file ends in `UnreadableImageError` with a reason that a person can act
  on, never in another exception, a hang, or half a picture.
* Bytes and pixels are capped before memory is taken for them.
* Decoding runs in threads: no global setting of Pillow or of `warnings` is changed. Pillow's own
  warnings about damaged TIFF and ICO files can't be silenced for one thread alone.

To hash and decode a file but read it only once:

>>> from outgroup.images import Preprocessing, content_digest, load_image, read_source
>>> import numpy as np
>>> data = read_source(np.zeros((300, 400, 3), np.uint8))  # a path becomes its bytes
>>> len(content_digest(data)), load_image(data, Preprocessing()).shape
(32, (224, 224, 3))
"""

from __future__ import annotations

from outgroup.images.decoding import (
    content_digest,
    decode,
    decode_with_size,
    decoder_reasons,
    image_from_array,
    load_image,
)
from outgroup.images.image_files import MAX_BYTES, ImageSource, is_one_image, read_source
from outgroup.images.preprocessing import Preprocessing

__all__ = [
    "MAX_BYTES",
    "ImageSource",
    "Preprocessing",
    "content_digest",
    "decode",
    "decode_with_size",
    "decoder_reasons",
    "image_from_array",
    "is_one_image",
    "load_image",
    "read_source",
]
