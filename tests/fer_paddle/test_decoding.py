"""Reading image files: kinds of pixel, orientation, sizes, paths. Every file is made here."""

import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_paddle import decoding
from fer_paddle.images import read_image, read_size
from tests.fer_paddle.image_bytes import encode, exif_of, png, png_chunk, tiff

# Six flat fields of 32 pixels: even a JPEG with halved color keeps the pixel in the middle of each.
FIELD = 32
FIELDS_RGB = np.array([[[250, 20, 20], [20, 200, 40], [30, 40, 220]], [[0, 0, 0], [255, 255, 255], [120, 120, 120]]])


def fields_of(values: list) -> np.ndarray:
    return np.array(values).repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)


RGB = fields_of(FIELDS_RGB)
GRAY = fields_of([[0, 60, 120], [180, 240, 255]])
ALPHA = fields_of([[255, 128, 0], [0, 128, 255]])
IMAGE = Image.fromarray(RGB)
EXACT = {"lossless": True, "exact": True}


def over_white(rgb: np.ndarray, alpha: np.ndarray = ALPHA) -> np.ndarray:
    return np.rint(rgb * (alpha[..., None] / 255) + 255 - alpha[..., None])


def in_rgb(gray: np.ndarray) -> np.ndarray:
    return np.repeat(gray[..., None], 3, axis=2)


def palette() -> Image.Image:
    image = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    return image


RGBA, GRAY_ALPHA = Image.fromarray(np.dstack([RGB, ALPHA])), Image.fromarray(np.dstack([GRAY, ALPHA]))
ONE_BIT, FEW, ONE_GRAY = Image.fromarray(GRAY >= 128), IMAGE.quantize(8), Image.fromarray(GRAY)
BLUE_RGB = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200]]])
PAGES = [Image.new("RGB", (20, 10), color) for color in ((0, 128, 0), (0, 0, 128))]
BIG_ENDIAN = Image.frombytes("I;16B", (3, 1), struct.pack(">3H", 0, 25700, 65535))
LAB = Image.frombytes("LAB", (2, 1), bytes([255, 0, 0, 0, 0, 0]))
MANY = {"save_all": True, "append_images": PAGES[1:]}  # of which the first is read
# Image, formats, options, what it must give, and how far from that a lossy format may be.
KINDS = [
    (IMAGE, ("JPEG",), {"quality": 95}, RGB, 3),
    (IMAGE, ("PNG", "BMP", "WEBP", "TIFF"), EXACT, RGB, 0),
    (IMAGE, ("WEBP", "AVIF"), {"quality": 95}, RGB, 8),
    *[(IMAGE, ("TIFF",), {"compression": name}, RGB, 0) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits")],
    (ONE_GRAY, ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF"), EXACT, in_rgb(GRAY), 0),
    (FEW, ("PNG", "BMP", "GIF", "TIFF"), {}, np.asarray(FEW.convert("RGB")), 0),
    (ONE_BIT, ("PNG", "BMP", "GIF", "TIFF"), {}, in_rgb(np.where(GRAY >= 128, 255, 0)), 0),
    (RGBA, ("PNG", "WEBP", "TIFF"), EXACT, over_white(RGB), 1),
    (GRAY_ALPHA, ("PNG",), {}, over_white(in_rgb(GRAY)), 1),
    (palette(), ("PNG", "GIF"), {"transparency": 1}, over_white(BLUE_RGB, np.array([[255, 0, 255]])), 0),
    (palette(), ("PNG",), {"transparency": b"\xff\x80\0"}, over_white(BLUE_RGB, np.array([[255, 128, 0]])), 1),
    (BIG_ENDIAN, ("TIFF",), {}, in_rgb(np.array([[0, 100, 255]])), 0),
    (LAB, ("TIFF",), {}, in_rgb(np.array([[255, 0]])), 2),
    (PAGES[0], ("GIF", "WEBP", "TIFF", "PNG", "MPO"), MANY, np.asarray(PAGES[0]), 2),
]


@pytest.mark.parametrize(("image", "kinds", "options", "expected", "tolerance"), KINDS)
def test_kinds_of_pixel(image, kinds, options, expected, tolerance):
    for kind in kinds:
        file = encode(image, kind, **options)
        read = read_image(file)
        assert read.shape == expected.shape and read.dtype == np.uint8 and read.flags.c_contiguous, kind
        assert read_size(file) == read.shape[:2]
        middle = slice(FIELD // 2, None, FIELD) if min(read.shape[:2]) >= FIELD else slice(None)
        difference = np.abs(read[middle, middle, ::-1].astype(int) - expected[middle, middle]).max()
        assert difference <= tolerance, kind


DEEP = [0, 1, 100, 255]
DEPTHS = [
    (png(4, 1, 16, 0, b"\0" + struct.pack(">4H", 0, 60, 25700, 65535)), [0, 0, 100, 255]),
    (png(4, 1, 8, 0, b"\0" + bytes([0, 60, 120, 180]), png_chunk(b"tRNS", b"\0<")), [0, 255, 120, 180]),
    (png(2, 1, 16, 2, b"\0" + struct.pack(">6H", *[0x0909] * 3, *[0x8080] * 3)), [9, 128]),
    (png(2, 1, 16, 6, b"\0" + struct.pack(">8H", *[0x0909] * 3, 65535, *[0x0909] * 3, 0)), [9, 255]),
    (tiff(4, 1, 16, 1, struct.pack("<4H", 0, 257, 25700, 65535)), DEEP),
    (tiff(4, 1, 16, 1, zlib.compress(struct.pack("<4H", 0, 257, 25700, 65535)), 8), DEEP),
    (tiff(4, 1, 16, 0, struct.pack("<4H", 0, 257, 25700, 65535)), [255, 254, 155, 0]),  # white is zero
    (tiff(4, 1, 12, 1, bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x00])), [0, 255, 128, 0]),
    (tiff(4, 1, 16, 1, struct.pack("<4h", 0, 257, 25700, 257), sample_format=2), [0, 1, 100, 1]),
    (tiff(4, 1, 32, 1, struct.pack("<4f", 0, 0.25, 0.5, 1), sample_format=3), [0, 64, 128, 255]),
]


@pytest.mark.parametrize(("file", "expected"), DEPTHS)
def test_depths(file, expected):
    assert read_image(file).tolist() == [[[value] * 3 for value in expected]]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "YCCK"])
def test_inks_are_no_light(kind):
    # Without ink white, with black ink black; a CMYK JPEG stores it inverted (Adobe), a YCCK one as YCbCr besides.
    inks = np.array([(0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0)], np.uint8)
    blocks = inks[None].repeat(16, 0).repeat(16, 1)
    expected = 255 - np.minimum(inks[:, :3].astype(int) + inks[:, 3:], 255)
    if kind == "YCCK":
        blocks[..., :3] = 255 - np.asarray(Image.fromarray(blocks[..., :3].copy()).convert("YCbCr"))
    file = bytearray(encode(Image.fromarray(blocks, "CMYK"), "TIFF" if kind == "TIFF" else "JPEG", quality=100))
    if kind == "YCCK":
        file[file.index(b"Adobe") + 11] = 2
    assert np.abs(read_image(bytes(file))[8, 8::16, ::-1].astype(int) - expected).max() <= 4
    if kind != "TIFF":  # another decoder agrees
        other = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(read_image(bytes(file)).astype(int) - other).mean() < 3


# By hand from the EXIF standard, which says where the first row and column of the stored image lie.
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]], 2: [[3, 2, 1], [6, 5, 4]], 3: [[6, 5, 4], [3, 2, 1]], 4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]], 6: [[4, 1], [5, 2], [6, 3]], 7: [[6, 3], [5, 2], [4, 1]], 8: [[3, 6], [2, 5], [1, 4]],
    9: [[1, 2, 3], [4, 5, 6]],  # unknown
}  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation(kind, orientation, monkeypatch):
    blocks = Image.fromarray((np.array(UPRIGHT[1]) * 40).repeat(16, 0).repeat(16, 1).astype(np.uint8)).convert("RGB")
    file = encode(blocks, kind, exif=exif_of(orientation), **({"lossless": True} if kind == "WEBP" else {}))
    read = read_image(file)
    assert np.rint(read[8::16, 8::16, 0] / 40).astype(int).tolist() == UPRIGHT[orientation]
    assert read.flags.c_contiguous and read_size(file) == read.shape[:2]
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", 7 * 48)  # seven rows at a time
    np.testing.assert_array_equal(read_image(file), read)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12", b"Exif\0\0", b"\0" * 9])
def test_damaged_exif_does_no_harm_and_is_silent_in_every_thread(exif):
    filters, files = list(warnings.filters), [encode(IMAGE, kind, exif=exif) for kind in ("JPEG", "PNG")]

    def read_often(_):
        return all((*read_size(file), 3) == read_image(file).shape == RGB.shape for file in files * 10)

    with warnings.catch_warnings(), ThreadPoolExecutor(6) as pool:
        warnings.simplefilter("error")
        assert all(pool.map(read_often, range(6)))
    assert warnings.filters == filters


def test_large_jpeg_is_decoded_smaller_where_that_is_asked_for():
    file = encode(Image.fromarray(RGB.repeat(8, 0).repeat(8, 1)), "JPEG", quality=95, exif=exif_of(6))
    whole = read_image(file)  # 768 x 512 pixels, turned
    shapes = [read_image(file, max_pixels).shape[:2] for max_pixels in (None, 10**6, 768 * 512, 10**5, 10**4, 1000)]
    assert shapes == [(768, 512), (768, 512), (768, 512), (384, 256), (96, 64), (32, 22)]
    half = cv2.resize(whole, (256, 384), interpolation=cv2.INTER_AREA)
    assert np.abs(read_image(file, 10**5).astype(int) - half).mean() < 2


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "I;16"])
@pytest.mark.parametrize("strip", [64, decoding._STRIP_PIXELS])
def test_other_formats_are_reduced_strip_by_strip(mode, strip, monkeypatch):
    monkeypatch.setattr(decoding, "_STRIP_PIXELS", strip)
    image = Image.fromarray(np.kron(RGB, np.ones((3, 3, 1), np.uint8)))  # each pixel thrice in both directions
    image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257) if mode == "I;16" else image
    file = encode(image if mode == "I;16" else image.convert(mode), "PNG")
    whole = read_image(file)
    third = read_image(file, whole.shape[0] * whole.shape[1] // 9)
    assert third.shape == (len(whole) // 3, whole.shape[1] // 3, 3)
    np.testing.assert_allclose(third, whole[1::3, 1::3])
    odd = read_image(file, whole.shape[0] * whole.shape[1] // 4 - 1)  # the last pixels of odd sides
    assert odd.shape[:2] == tuple(-(-side // 3) for side in whole.shape[:2])
