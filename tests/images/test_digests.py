from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

from outgroup.images import Preprocessing, content_digest, load_image, read_source


def test_a_path_has_the_digest_of_its_bytes(tmp_path, photo, encode):
    data = encode(photo, "PNG")
    (tmp_path / "photo.png").write_bytes(data)
    expected = hashlib.blake2b(data, digest_size=16).hexdigest()
    for source in (tmp_path / "photo.png", str(tmp_path / "photo.png"), data):
        assert content_digest(source) == expected


def test_a_file_is_read_once_for_digest_and_pixels(tmp_path, photo, encode):
    path = tmp_path / "photo.png"
    path.write_bytes(encode(photo, "PNG"))
    expected = content_digest(path), load_image(path, Preprocessing())
    data = read_source(path)
    path.unlink()
    assert content_digest(data) == expected[0]
    np.testing.assert_array_equal(load_image(data, Preprocessing()), expected[1])


def test_images_in_memory_are_what_read_source_returns(photo):
    array = np.asarray(photo)
    assert read_source(photo) is photo
    assert read_source(array) is array


def test_arrays_differ_by_shape_and_values():
    array = np.zeros((4, 6), np.uint8)
    other = array.copy()
    other[0, 0] = 1
    digests = {content_digest(a) for a in (array, array.T, array.reshape(4, 6, 1), other)}
    assert len(digests) == 4
    assert content_digest(array) == content_digest(array.copy())
    assert content_digest(array.tobytes()) not in digests


def test_pillow_images_differ_by_what_is_seen():
    def paletted(colour):
        image = Image.new("P", (4, 4), 0)
        image.putpalette(colour)
        return image

    assert content_digest(paletted([255, 0, 0])) != content_digest(paletted([0, 255, 0]))
    assert content_digest(paletted([255, 0, 0])) == content_digest(Image.new("RGB", (4, 4), "red"))
