"""An image that can't be read gives one plain line that says why."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFile

from outgroup.errors import InvalidParameterError, UnreadableImageError
from outgroup.images import Preprocessing, content_digest, decode, load_image, read_source


@pytest.fixture
def limit_pixels(monkeypatch) -> Callable[[int], None]:
    return lambda n: monkeypatch.setattr("outgroup.images.decoding.MAX_PIXELS", n)


def reason(source) -> str:
    with pytest.raises(UnreadableImageError) as caught:
        load_image(source, Preprocessing())
    text = str(caught.value)
    assert text.isprintable()
    return text


class TestFiles:
    def test_missing(self, tmp_path):
        assert reason(tmp_path / "no.jpg") == "no such file"
        assert reason(tmp_path / "no" / "such.jpg") == "no such file"
        assert reason("") == "no such file"

    def test_below_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        assert reason(tmp_path / "file" / "photo.jpg") == "no such file"

    def test_empty(self, tmp_path):
        (tmp_path / "empty.jpg").touch()
        assert reason(tmp_path / "empty.jpg") == "the file is empty"

    def test_folder(self, tmp_path):
        assert reason(tmp_path) == "a folder, not an image file"

    def test_link_to_itself(self, tmp_path):
        (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
        assert reason(tmp_path / "loop.jpg") == "a loop of symbolic links"

    def test_broken_link(self, tmp_path):
        (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
        assert reason(tmp_path / "link.jpg") == "no such file"

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert "not a regular file" in reason(tmp_path / "pipe.jpg")

    def test_a_socket_and_a_device(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # the name of a socket must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.jpg")
            assert "not a regular file" in reason("socket.jpg")
        assert "not a regular file" in reason("/dev/zero")

    def test_permission(self, tmp_path, monkeypatch):
        (tmp_path / "secret.jpg").write_bytes(b"x")

        def refuse(*_args, **_options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", refuse)
        assert reason(tmp_path / "secret.jpg") == "permission denied"

    def test_a_failing_disk(self, tmp_path, monkeypatch):
        (tmp_path / "photo.jpg").write_bytes(b"x")

        def fail(*_args, **_options):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr("builtins.open", fail)
        assert reason(tmp_path / "photo.jpg") == "can't be read: Input/output error"

    def test_memory_is_short_for_reading(self, tmp_path, monkeypatch):
        (tmp_path / "photo.jpg").write_bytes(b"x")

        def fail(*_args, **_options):
            raise MemoryError

        monkeypatch.setattr("builtins.open", fail)
        assert reason(tmp_path / "photo.jpg") == "not enough memory to read the file"

    @pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 5000])
    def test_an_impossible_name(self, name):
        assert "name" in reason(name)

    def test_a_name_that_is_not_text(self, tmp_path, photo, encode):
        path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
        with open(path, "wb") as file:
            file.write(encode(photo, "PNG"))
        name = os.fsdecode(path)
        assert decode(name).size == photo.size
        os.truncate(path, 100)
        assert "PNG" in reason(name)

    def test_a_file_above_the_limit_is_not_read(self, tmp_path):
        with open(tmp_path / "huge.jpg", "wb") as file:
            file.truncate(2**40)  # takes no disk
        expected = "1,099,511,627,776 bytes, more than the 268,435,456 that are read"
        assert expected in reason(tmp_path / "huge.jpg")


class TestFormats:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"x",
            b"Dear diary,",
            b"P",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            b"%PDF-1.7",
            b"8BPS" + bytes(40),
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
            b"<!DOCTYPE html><html>",
            b"\0\0\0\x18ftypmp42" + bytes(20),
            b"PK\x03\x04",
        ],
    )
    def test_other_formats_are_refused(self, data):
        assert reason(data).startswith("not a supported image format")

    @pytest.mark.parametrize("brand", [b"heic", b"mif1", b"heix"])
    def test_heic_names_the_fix(self, brand):
        assert "pillow-heif" in reason(b"\0\0\0\x18ftyp" + brand + bytes(20))

    def test_a_decoder_that_is_not_built_in_is_named(self, monkeypatch, photo, encode):
        data = encode(photo, "WEBP")
        monkeypatch.delitem(Image.OPEN, "WEBP")
        assert (
            reason(data) == "not a supported image format (WebP: install a Pillow built with WebP)"
        )


class TestDamage:
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_half_a_file_is_refused(self, photo, encode, format, share):
        data = encode(photo, format)
        assert reason(data[: int(len(data) * share)]).startswith("damaged")

    def test_a_truncated_jpeg_says_so(self, photo, encode):
        data = encode(photo, "JPEG", progressive=True)
        assert "truncated" in reason(data[: len(data) // 2])

    @pytest.mark.parametrize("keep", [2, 3, 4, 12, 30, 160])
    def test_the_head_of_a_jpeg_is_refused(self, photo, encode, keep):
        assert reason(encode(photo, "JPEG")[:keep])

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (MemoryError(), "not enough memory to decode it"),
            (RecursionError(), "damaged: nested too deeply"),
            (Image.DecompressionBombError("x"), "too many pixels"),
            (KeyError(3), "damaged PNG: KeyError"),
            (OSError(), "damaged PNG: OSError"),
            (ValueError("a\nb\x00" + "c" * 999), "damaged PNG: a?b?ccc"),
            (UserWarning("odd"), "damaged PNG: odd"),
        ],
    )
    def test_any_exception_of_a_decoder_is_a_reason(
        self, photo, encode, monkeypatch, error, expected
    ):
        data = encode(photo, "PNG")

        def fail(*_args, **_options):
            raise error

        monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
        text = reason(data)
        assert text.startswith(expected)
        assert len(text) <= 200

    def test_an_interrupt_passes(self, photo, encode, monkeypatch):
        data = encode(photo, "PNG")

        def interrupt(*_args):
            raise KeyboardInterrupt

        monkeypatch.setattr(ImageFile.ImageFile, "load", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_image(data, Preprocessing())

    def test_a_pillow_image_whose_file_is_gone(self, photo, tmp_path):
        photo.save(tmp_path / "photo.png")
        image = Image.open(tmp_path / "photo.png")
        image.close()
        assert reason(image).startswith("damaged image")
        with pytest.raises(UnreadableImageError):
            content_digest(image)


class TestPixelLimit:
    @pytest.mark.parametrize("format", ["PNG", "GIF", "BMP", "TIFF", "WEBP"])
    def test_is_checked_before_decoding(self, photo, encode, format, limit_pixels):
        data = encode(photo, format)
        limit_pixels(320 * 240 - 1)
        assert reason(data) == "320 x 240 pixels, more than the 76,799 that are decoded"
        limit_pixels(320 * 240)
        assert load_image(data, Preprocessing()).shape == (224, 224, 3)

    def test_a_bomb_is_refused_by_its_header(self):
        header = b"P6 40000 40000 255\n"
        assert "40000 x 40000 pixels" in reason(header + bytes(100))

    def test_counts_a_jpeg_at_its_reduced_size(self, photo, encode, limit_pixels):
        data = encode(photo.resize((2048, 2048)), "JPEG")
        limit_pixels(256**2)
        assert load_image(data, Preprocessing()).shape == (224, 224, 3)
        with pytest.raises(UnreadableImageError, match="2048 x 2048"):
            decode(data)
        limit_pixels(256**2 - 1)
        assert "256 x 256" in reason(data)

    def test_counts_a_progressive_jpeg_in_full(self, photo, encode, limit_pixels):
        data = encode(photo.resize((2048, 2048)), "JPEG", progressive=True)
        limit_pixels(2048**2 - 1)
        assert "2048 x 2048" in reason(data)
        limit_pixels(2048**2)
        assert load_image(data, Preprocessing()).shape == (224, 224, 3)

    def test_counts_a_jpeg_of_several_scans_in_full(self, photo, encode, limit_pixels):
        data = encode(photo.resize((2048, 2048)), "JPEG")
        at = data.index(b"\xff\xda") + 4
        limit_pixels(256**2)
        assert "2048 x 2048" in reason(data[:at] + b"\x01" + data[at + 1 :])

    @pytest.mark.slow
    def test_170_megapixels_of_jpeg_are_read_and_of_png_refused(self, encode):
        image = Image.new("L", (13_100, 13_000), 99)
        jpeg, png = encode(image, "JPEG"), encode(image, "PNG", compress_level=1)
        assert (load_image(jpeg, Preprocessing()) == 99).all()
        assert "13100 x 13000 pixels" in reason(png)


class TestArrays:
    @pytest.mark.parametrize("shape", [(30, 40), (30, 40, 1), (30, 40, 3), (30, 40, 4)])
    def test_these_shapes_are_images(self, shape):
        array = np.full(shape, 255, np.uint8)
        assert (load_image(array, Preprocessing()) == 255).all()

    def test_a_view_that_is_not_contiguous(self):
        array = np.random.default_rng(0).integers(0, 256, (40, 30, 6), np.uint8)
        view = array[::-1, ::2, ::2]
        np.testing.assert_array_equal(
            load_image(view, Preprocessing()), load_image(view.copy(), Preprocessing())
        )
        assert content_digest(view) == content_digest(view.copy())

    @pytest.mark.parametrize(
        ("array", "fix"),
        [
            (np.zeros((9, 9)), r"astype\('uint8'\)"),
            (np.zeros((9, 9), bool), "give uint8"),
            (np.zeros((9, 9), object), "give uint8"),
            (np.zeros((3, 9, 9), np.uint8), "transpose"),
            (np.zeros((9, 9, 2), np.uint8), "1, 3 or 4 channels"),
            (np.zeros((5, 9, 9, 3), np.uint8), "give .height, width"),
            (np.zeros(9, np.uint8), "give .height, width"),
            (np.zeros((0, 9, 3), np.uint8), "empty array"),
        ],
    )
    def test_others_name_the_fix(self, array, fix):
        with pytest.raises(UnreadableImageError, match=fix):
            load_image(array, Preprocessing())


@pytest.mark.parametrize("source", [None, 3.0, ["a.jpg"], {"path": "a.jpg"}])
def test_a_source_of_another_type_is_an_invalid_argument(source):
    for call in (read_source, decode, content_digest):
        with pytest.raises(InvalidParameterError, match=r"^Invalid `source`: must be a path"):
            call(source)


def test_a_pillow_image_without_pixels():
    assert reason(Image.new("RGB", (0, 9))) == "an image without pixels"


FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "ICO", "JPEG2000")
PREPROCESSING = Preprocessing(resize=32, crop=28)


def flip_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for at in rng.integers(0, len(data), rng.integers(1, 9)):
        damaged[at] = rng.integers(256)
    return bytes(damaged)


def flip_bytes_of_the_header(data: bytes, rng: np.random.Generator) -> bytes:
    return flip_bytes(data[:200], rng) + data[200:]


def cut_the_end(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data))]


def cut_out_a_part(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(rng.integers(0, len(data), 2))
    return data[:start] + data[end:]


def check(data: bytes) -> None:
    """Either the image decodes or there is a reason; nothing else is raised."""
    try:
        shape = load_image(data, PREPROCESSING).shape
        reason = ""
    except UnreadableImageError as error:
        shape = None
        reason = str(error)
    assert shape == (28, 28, 3) or reason
    assert reason.isprintable()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "damage", [flip_bytes, flip_bytes_of_the_header, cut_the_end, cut_out_a_part]
)
def test_random_damage_decodes_or_gives_a_reason(photo, encode, format, damage, limit_pixels):
    limit_pixels(10**6)
    data = encode(photo.resize((40, 36)), format)
    rng = np.random.default_rng(0)
    for _ in range(12):
        check(damage(data, rng))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_a_header_of_another_format_gives_a_reason(photo, encode, format, other, limit_pixels):
    limit_pixels(10**6)
    if format != other:
        head, body = encode(photo, other)[:24], encode(Image.new("L", (40, 36)), format)[24:]
        with pytest.raises(UnreadableImageError):
            load_image(head + body, PREPROCESSING)
