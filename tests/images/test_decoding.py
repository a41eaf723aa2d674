"""The same image gives the same upright RGB pixels, however it is given or stored."""

from __future__ import annotations

import concurrent.futures
import hashlib
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from outgroup.images import Preprocessing, content_digest, decode, load_image, read_source

PREPROCESSING = Preprocessing(resize=64, crop=56)
LOSSLESS = [
    ("PNG", {}),
    ("WEBP", {"lossless": True, "quality": 0}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("PPM", {}),
    ("JPEG2000", {"irreversible": False}),
]


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_path_bytes_pillow_and_array_give_the_same_pixels(photo, encode, tmp_path, format, options):
    data = encode(photo, format, **options)
    path = tmp_path / "photo.with.a.wrong.ending.txt"
    path.write_bytes(data)
    expected = load_image(np.asarray(photo), PREPROCESSING)
    for source in (path, str(path), data, photo, Image.open(path)):
        np.testing.assert_array_equal(load_image(source, PREPROCESSING), expected)


def test_the_result_is_contiguous_rgb_that_may_be_written_to(photo):
    pixels = load_image(photo, PREPROCESSING)
    assert pixels.shape == (56, 56, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize("size", [(320, 240), (240, 321), (227, 227), (2000, 1500), (40, 30)])
@pytest.mark.parametrize("resample", ["bicubic", "bilinear", "lanczos", "box", "hamming"])
def test_cropping_while_resizing_equals_resizing_then_cropping(photo, size, resample):
    image = photo.resize(size, Image.Resampling.BICUBIC)
    filter = Image.Resampling[resample.upper()]
    width, height = (64 * side // min(size) for side in size)
    left, top = round((width - 56) / 2), round((height - 56) / 2)
    plain = image.resize((width, height), filter).crop((left, top, left + 56, top + 56))
    pixels = load_image(image, Preprocessing(resize=64, crop=56, resample=resample))
    assert np.abs(pixels.astype(int) - np.asarray(plain)).max() <= 2


def test_squashing_shows_the_whole_image():
    image = np.zeros((100, 400, 3), np.uint8)
    image[:, :40] = 255
    squashed = load_image(image, Preprocessing(resize=50, crop=50, keep_aspect=False))
    kept = load_image(image, Preprocessing(resize=50, crop=50))
    assert squashed[25, 0, 0] == 255
    assert kept[25, 0, 0] == 0


def test_nearest_invents_no_colours():
    image = np.random.default_rng(0).choice([0, 255], (100, 90)).astype(np.uint8)
    pixels = load_image(image, Preprocessing(resize=64, crop=56, resample="nearest"))
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1), (1, 1), (3, 60_000)])
def test_slivers_are_resized(size):
    pixels = load_image(Image.new("RGB", size, (10, 20, 30)), Preprocessing())
    assert (pixels == (10, 20, 30)).all()


def test_threads_give_the_same_pixels(photo, encode):
    files = [encode(photo.rotate(angle), "JPEG") for angle in range(40)]
    alone = [load_image(file, PREPROCESSING) for file in files]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda file: load_image(file, PREPROCESSING), files))
    np.testing.assert_array_equal(together, alone)


class TestReducedJPEG:
    @pytest.mark.parametrize("size", [(1601, 1200), (500, 1999), (512, 512), (511, 700), (90, 70)])
    @pytest.mark.parametrize("progressive", [False, True])
    def test_it_is_never_smaller_than_needed(self, photo, encode, size, progressive):
        data = encode(photo.resize(size), "JPEG", progressive=progressive)
        reduced = decode(data, min_side=256)
        assert min(reduced.size) >= min(256, *size)
        assert reduced.width <= size[0]
        assert decode(data).size == size

    def test_it_looks_like_the_full_one(self, photo, encode):
        data = encode(photo.resize((1600, 1200), Image.Resampling.BICUBIC), "JPEG", quality=95)
        reduced = load_image(data, Preprocessing()).astype(int)
        full = load_image(decode(data), Preprocessing())
        assert decode(data, min_side=256).size == (400, 300)
        assert np.abs(reduced - full).mean() < 2


ORANGE = (250, 128, 10)


def colour_of(source) -> tuple[int, ...]:
    image = decode(source)
    assert image.mode == "RGB"
    return image.getpixel((image.width // 2, image.height // 2))


def solid(mode: str, colour) -> Image.Image:
    return Image.new(mode, (32, 24), colour)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (solid("RGB", ORANGE), ORANGE),
        (solid("L", 77), (77, 77, 77)),
        (solid("1", 1), (255, 255, 255)),
        (solid("RGBX", (*ORANGE, 0)), ORANGE),
        (solid("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
        (solid("RGBA", (*ORANGE, 255)), ORANGE),
        (solid("RGBA", (*ORANGE, 0)), (255, 255, 255)),
        (solid("RGBA", (0, 0, 0, 51)), (204, 204, 204)),
        (solid("LA", (100, 0)), (255, 255, 255)),
        (solid("LA", (100, 255)), (100, 100, 100)),
        (solid("La", (100, 255)), (100, 100, 100)),
        (solid("RGBa", (*ORANGE, 255)), ORANGE),
        (solid("RGB", ORANGE).convert("P", palette=Image.Palette.ADAPTIVE), ORANGE),
        (solid("RGB", ORANGE).convert("HSV"), ORANGE),
        (solid("RGB", ORANGE).convert("YCbCr"), ORANGE),
        (solid("LAB", (255, 128, 128)), (255, 255, 255)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_every_mode_becomes_rgb(image, expected):
    assert np.abs(np.subtract(colour_of(image), expected)).max() <= 6


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bit_grey_keeps_its_upper_bits(dtype, encode):
    image = Image.fromarray(np.full((24, 32), 0x8012, dtype))
    assert colour_of(image) == (128, 128, 128)
    assert colour_of(encode(image, "TIFF")) == (128, 128, 128)


def test_a_16_bit_png_is_neither_black_nor_white(encode):
    data = encode(Image.fromarray(np.full((24, 32), 0x4000, np.uint16)), "PNG")
    assert colour_of(data) == (64, 64, 64)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 25700.0, 65535.0], [0, 100, 255]),
        ([-10.0, 0.0, 10.0], [0, 128, 255]),
        ([0.0, 0.0, 1e9], [0, 0, 255]),
        ([0.0, float("nan"), float("inf")], [0, 0, 0]),
        ([7e5, 7e5, 7e5], [0, 0, 0]),
    ],
)
def test_floats_are_scaled_by_a_likely_white(values, expected, encode):
    image = Image.fromarray(np.array([values], np.float32))
    for source in (image, encode(image, "TIFF")):
        assert np.asarray(decode(source))[0, :, 0].tolist() == expected


def test_32_bit_integers_are_scaled_by_a_likely_white():
    image = Image.fromarray(np.array([[0, 100, 255]], np.int32))
    assert np.asarray(decode(image))[0, :, 0].tolist() == [0, 100, 255]


class TestTransparency:
    def test_colours_of_transparent_pixels_are_ignored(self, encode):
        colours = np.random.default_rng(0).integers(0, 256, (24, 32, 4), np.uint8)
        colours[..., 3] = 0
        for source in (colours, encode(Image.fromarray(colours), "PNG")):
            assert (np.asarray(decode(source)) == 255).all()

    @pytest.mark.parametrize("transparency", [0, b"\x00"])
    def test_a_transparent_palette_colour_is_white(self, encode, transparency):
        image = Image.new("P", (32, 24), 0)
        image.putpalette([*ORANGE, 0, 0, 0])
        data = encode(image, "PNG", transparency=transparency)
        assert colour_of(data) == (255, 255, 255)

    def test_a_transparent_rgb_colour_is_white(self, encode):
        data = encode(solid("RGB", ORANGE), "PNG", transparency=ORANGE)
        assert colour_of(data) == (255, 255, 255)

    def test_a_transparent_gif_is_white(self, encode):
        image = solid("RGB", ORANGE).convert("P", palette=Image.Palette.ADAPTIVE)
        data = encode(image, "GIF", transparency=image.getpixel((0, 0)))
        assert colour_of(data) == (255, 255, 255)


class TestCMYK:
    def test_adobe_files_are_not_inverted(self, encode):
        data = encode(solid("CMYK", (0, 255, 255, 0)), "JPEG", quality=95)
        assert b"Adobe" in data
        assert np.abs(np.subtract(colour_of(data), (255, 0, 0))).max() <= 8

    def test_tiff(self, encode):
        data = encode(solid("CMYK", (0, 255, 255, 0)), "TIFF")
        assert colour_of(data) == (255, 0, 0)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_it_is_the_first_frame(encode, format):
    first, second = solid("RGB", (255, 0, 0)), solid("RGB", (0, 0, 255))
    data = encode(first, format, save_all=True, append_images=[second])
    red, green, blue = colour_of(data)
    assert red > 240
    assert max(green, blue) < 15


def test_an_icon_is_its_largest_image(encode):
    data = encode(solid("RGBA", (*ORANGE, 255)).resize((48, 48)), "ICO", sizes=[(16, 16), (48, 48)])
    assert decode(data).size == (48, 48)
    assert colour_of(data) == ORANGE


STORED_AS = {  # what a camera that writes this orientation did to the picture
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif_block(orientation: int, order: str = "<") -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + start + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def stored(photo: Image.Image, orientation: int) -> Image.Image:
    turn = STORED_AS.get(orientation)
    return photo if turn is None else photo.transpose(turn)


def difference(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(np.abs(np.asarray(one, int) - np.asarray(other, int)).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_orientations_come_out_upright(photo, encode, orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored(photo, orientation), format, exif=exif)
    assert difference(decode(data), photo) < 2


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_are_read(photo, encode, order):
    data = encode(stored(photo, 6), "JPEG", exif=exif_block(6, order))
    assert difference(decode(data), photo) < 2


def test_a_pillow_image_is_turned_once(photo, encode, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encode(stored(photo, 8), "JPEG", exif=exif_block(8)))
    with Image.open(tmp_path / "photo.jpg") as image:
        upright = decode(image)
        assert difference(upright, photo) < 2
        assert difference(decode(upright), photo) < 2
        assert image.size == (240, 320)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_impossible_orientation_is_upright(photo, encode, orientation):
    assert difference(decode(encode(photo, "JPEG", exif=exif_block(orientation))), photo) < 2


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        exif_block(6)[:-10],
        b"Exif\0\0MM\0*" + b"\xff" * 40,
        b"Exif\0\0garbage",
        b"not exif at all",
        # A resolution whose value lies beyond the end: Pillow warns about it.
        b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x011A, 5, 1, 9999, 0),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_changes_no_pixel(photo, encode, exif, format):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, while it writes the file
        data = encode(photo, format, exif=exif)
    assert difference(decode(data), photo) < 3


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_broken_colour_profile_changes_no_pixel(photo, encode, format):
    data = encode(photo, format, icc_profile=b"no profile" * 9000)
    assert difference(decode(data), photo) < 3


def png_chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


@pytest.mark.parametrize(
    ("kind", "start"), [(b"zTXt", b"key\0\0"), (b"iTXt", b"key\0\1\0\0\0"), (b"iCCP", b"key\0\0")]
)
def test_a_text_that_unpacks_to_gigabytes_is_never_unpacked(photo, encode, kind, start):
    data = encode(photo, "PNG")
    bomb = png_chunk(kind, start + zlib.compress(bytes(100_000_000), 1))
    assert difference(decode(data[:33] + bomb + data[33:]), photo) == 0


def test_a_text_of_megabytes_changes_no_pixel(photo, encode):
    notes = PngInfo()
    notes.add_text("workflow", "x" * 3_000_000, zip=True)
    assert difference(decode(encode(photo, "PNG", pnginfo=notes)), photo) == 0


def test_broken_animation_control_changes_no_pixel(photo, encode):
    data = encode(photo, "PNG")
    control = png_chunk(b"acTL", bytes(8))  # no frames: Pillow warns about it
    assert difference(decode(data[:33] + control + data[33:]), photo) == 0


def test_a_broken_preview_index_changes_no_pixel(photo, encode):
    data = encode(photo, "JPEG")
    preview = b"MPF\0II*\0" + struct.pack("<IH", 8, 0xFFFF)
    segment = b"\xff\xe2" + struct.pack(">H", len(preview) + 2) + preview
    assert difference(decode(data[:2] + segment + data[2:]), photo) < 2


def test_fill_bytes_between_jpeg_segments_are_allowed(photo, encode):
    data = encode(photo, "JPEG", exif=exif_block(1))
    assert difference(decode(data[:2] + b"\xff\xff\xff" + data[2:]), photo) < 2


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


def test_digests_of_arrays_differ_by_shape_and_values():
    array = np.zeros((4, 6), np.uint8)
    other = array.copy()
    other[0, 0] = 1
    digests = {content_digest(a) for a in (array, array.T, array.reshape(4, 6, 1), other)}
    assert len(digests) == 4
    assert content_digest(array) == content_digest(array.copy())
    assert content_digest(array.tobytes()) not in digests


def test_digests_of_pillow_images_differ_by_their_pixels():
    def paletted(colour):
        image = Image.new("P", (4, 4), 0)
        image.putpalette(colour)
        return image

    assert content_digest(paletted([255, 0, 0])) != content_digest(paletted([0, 255, 0]))
    assert content_digest(paletted([255, 0, 0])) == content_digest(Image.new("RGB", (4, 4), "red"))
