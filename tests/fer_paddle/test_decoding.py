"""Reading pictures: formats, kinds of pixel, orientation, damage, bombs. Every picture is made here."""

from __future__ import annotations

import io
import itertools
import random
import struct
import subprocess
import sys
import tarfile
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_paddle import decoding
from fer_paddle.images import read_image

# Six flat fields of 32 pixels: even a JPEG with halved colour keeps the pixel in the middle of each.
FIELD = 32
FIELDS_RGB = np.array([[[250, 20, 20], [20, 200, 40], [30, 40, 220]], [[0, 0, 0], [255, 255, 255], [120, 120, 120]]])
RGB = FIELDS_RGB.repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)
GRAY = np.array([[0, 60, 120], [180, 240, 255]]).repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)
ALPHA = np.array([[255, 128, 0], [0, 128, 255]]).repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF")


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def fields(image: np.ndarray) -> np.ndarray:
    """The pixel in the middle of each field, [2,3,3] RGB."""
    return image[FIELD // 2 :: FIELD, FIELD // 2 :: FIELD, ::-1].astype(int)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.rint(rgb * (alpha[..., None] / 255) + 255 - alpha[..., None]).astype(int)


def rgb_image() -> Image.Image:
    return Image.fromarray(RGB)


def rgba_image() -> Image.Image:
    return Image.fromarray(np.dstack([RGB, ALPHA]))


def gray_as_rgb(gray: np.ndarray) -> np.ndarray:
    return np.repeat(gray[..., None], 3, axis=2)


def png(width: int, height: int, bits: int, color_type: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG byte by byte, for what Pillow cannot write; `rows` with the filter byte before each row."""
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    parts = [
        png_chunk(b"IHDR", header),
        *chunks,
        png_chunk(b"IDAT", zlib.compress(rows)),
        png_chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def tiff(width: int, height: int, bits: int, photometric: int, data: bytes, compression: int = 1, **more: int) -> bytes:
    """A little-endian TIFF of one sample a pixel: one strip, or one tile where `tile` gives its side."""
    tile = more.get("tile")
    tags = {
        256: width,
        257: height,
        258: bits,
        259: compression,
        262: photometric,
        339: more.get("sample_format", 1),
    }
    tags |= {322: tile, 323: tile, 325: len(data)} if tile else {278: height, 279: len(data)}
    tags[324 if tile else 273] = 8 + 2 + 12 * (len(tags) + 1) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def bmp_rle(width: int, height: int, data: bytes) -> bytes:
    palette = b"".join(bytes([0, 0, value, 0]) for value in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(data), 0, 0, 54 + 1024) + header + palette + data


# ---- formats and kinds of pixel


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 3),
        ("JPEG", {"quality": 95, "progressive": True, "subsampling": 2}, 3),
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 8),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("TIFF", {"compression": "jpeg", "quality": 95}, 3),
        ("TIFF", {"big_tiff": True}, 0),
    ],
)
def test_rgb(kind: str, options: dict[str, object], tolerance: int) -> None:
    image = read_image(encode(rgb_image(), kind, **options))
    assert image.shape == RGB.shape
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(fields(image) - FIELDS_RGB).max() <= tolerance


@pytest.mark.parametrize("kind", FORMATS)
def test_gray(kind: str) -> None:
    image = read_image(encode(Image.fromarray(GRAY), kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert np.array_equal(fields(image), gray_as_rgb(fields(gray_as_rgb(GRAY))[..., 0]))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_palette(kind: str) -> None:
    image = rgb_image().quantize(8)
    assert np.array_equal(read_image(encode(image, kind))[..., ::-1], np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_one_bit(kind: str) -> None:
    image = read_image(encode(Image.fromarray(GRAY >= 128), kind))
    assert np.array_equal(image, gray_as_rgb(np.where(GRAY >= 128, 255, 0)))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})])
def test_alpha_is_laid_over_white(kind: str, options: dict[str, bool]) -> None:
    image = read_image(encode(rgba_image(), kind, **options))
    expected = over_white(RGB, ALPHA)
    assert np.abs(image[..., ::-1].astype(int) - expected).max() <= 1  # the rounding of one half


def test_gray_with_alpha_is_laid_over_white() -> None:
    image = read_image(encode(Image.fromarray(np.dstack([GRAY, ALPHA])), "PNG"))
    assert np.abs(image.astype(int) - over_white(gray_as_rgb(GRAY), ALPHA)).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entry_is_white(kind: str) -> None:
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    image = Image.frombytes("P", (3, 2), indices.tobytes())
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    read = read_image(encode(image, kind, transparency=1))[..., ::-1]
    assert read.tolist() == [
        [[200, 0, 0], [255, 255, 255], [0, 0, 200]],
        [[0, 0, 200], [255, 255, 255], [200, 0, 0]],
    ]


def test_palette_with_partial_alpha() -> None:
    image = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    read = read_image(encode(image, "PNG", transparency=bytes([255, 128, 0])))[0, :, ::-1].astype(int)
    expected = over_white(np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200]]), np.array([255, 128, 0]))
    assert np.abs(read - expected).max() <= 1


@pytest.mark.parametrize(
    ("bits", "color_type", "row", "transparent", "expected"),
    [
        # Gray of 2 and 4 bits is spread over 0..255, and so must be the transparent value.
        (2, 0, bytes([0b00011011]), (2,), [0, 85, 255, 255]),
        (4, 0, bytes([0x3A, 0x0F]), (10,), [51, 255, 0, 255]),
        (8, 0, bytes([0, 60, 120, 180]), (60,), [0, 255, 120, 180]),
        (16, 0, struct.pack(">4H", 0, 60, 25700, 65535), (60,), [0, 255, 100, 255]),
        (16, 0, struct.pack(">4H", 0, 60, 25700, 65535), None, [0, 0, 100, 255]),
        (8, 2, bytes([9, 9, 9, 8, 8, 8]), (8, 8, 8), [9, 255]),
        (16, 2, struct.pack(">6H", *[0x0909] * 3, *[0x0808] * 3), (0x0808,) * 3, [9, 255]),
        (16, 2, struct.pack(">6H", *[0x0909] * 3, *[0x8080] * 3), None, [9, 128]),
        (16, 4, struct.pack(">4H", 0x0909, 65535, 0x0909, 0), None, [9, 255]),
        (16, 6, struct.pack(">8H", *[0x0909] * 3, 65535, *[0x0909] * 3, 0), None, [9, 255]),
    ],
)
def test_png_depths(
    bits: int, color_type: int, row: bytes, transparent: tuple[int, ...] | None, expected: list[int]
) -> None:
    chunks = [png_chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))] if transparent else []
    image = read_image(png(len(expected), 1, bits, color_type, b"\0" + row, *chunks))
    assert image.tolist() == [[[value] * 3 for value in expected]]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (tiff(4, 1, 16, 1, struct.pack("<4H", 0, 257, 25700, 65535)), [0, 1, 100, 255]),
        (tiff(4, 1, 16, 1, zlib.compress(struct.pack("<4H", 0, 257, 25700, 65535)), 8), [0, 1, 100, 255]),
        (tiff(4, 1, 16, 0, struct.pack("<4H", 0, 257, 25700, 65535)), [255, 254, 155, 0]),  # white is zero
        (tiff(4, 1, 8, 0, bytes([0, 1, 100, 255])), [255, 254, 155, 0]),
        (tiff(4, 1, 12, 1, bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x00])), [0, 255, 128, 0]),
        (tiff(4, 1, 32, 1, struct.pack("<4I", 0, 257, 25700, 65535)), [0, 1, 100, 255]),
        (tiff(4, 1, 16, 1, struct.pack("<4h", 0, 257, 25700, 257), sample_format=2), [0, 1, 100, 1]),
        (tiff(4, 1, 32, 1, struct.pack("<4f", 0, 0.25, 0.5, 1), sample_format=3), [0, 64, 128, 255]),
        (tiff(4, 1, 32, 0, struct.pack("<4f", 0, 0.2, 0.6, 1), sample_format=3), [255, 204, 102, 0]),
    ],
)
def test_tiff_depths(file: bytes, expected: list[int]) -> None:
    assert read_image(file).tolist() == [[[value] * 3 for value in expected]]


def test_big_endian_16_bit_tiff() -> None:
    image = Image.frombytes("I;16B", (3, 1), struct.pack(">3H", 0, 25700, 65535))
    assert read_image(encode(image, "TIFF"))[0, :, 0].tolist() == [0, 100, 255]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    # Ink, not light: no ink is white, and black ink alone is black. A CMYK JPEG stores it inverted (Adobe).
    inks = [(0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 255, 255, 128)]
    light = [(255, 255, 255), (0, 0, 0), (0, 255, 255), (255, 0, 255), (255, 255, 0), (127, 0, 0)]
    image = Image.fromarray(np.array(inks, np.uint8)[None].repeat(16, 0).repeat(16, 1), "CMYK")
    file = encode(image, kind, **({"quality": 100} if kind == "JPEG" else {}))
    read = read_image(file)[8, 8::16, ::-1].astype(int)
    assert np.abs(read - light).max() <= 3
    if kind == "JPEG":  # another decoder agrees
        other = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)[8, 8::16, ::-1].astype(int)
        assert np.abs(read - other).max() <= 3


def test_ycck_jpeg() -> None:
    # Written as CMYK with the YCbCr of the inks as its first three channels, then marked as YCCK.
    inks = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (80, 160, 240)], np.uint8)
    planes = 255 - np.asarray(Image.fromarray(inks[None].repeat(16, 0).repeat(16, 1)).convert("YCbCr"))
    image = Image.fromarray(np.dstack([planes, np.zeros_like(planes[..., 0])]), "CMYK")
    file = bytearray(encode(image, "JPEG", quality=100))
    file[file.index(b"Adobe") + 11] = 2
    read = read_image(bytes(file))[8, 8::16, ::-1].astype(int)
    assert np.abs(read - (255 - inks.astype(int))).max() <= 4


def test_lab_tiff() -> None:
    lab = Image.frombytes("LAB", (2, 1), bytes([255, 0, 0, 0, 0, 0]))
    assert np.abs(read_image(encode(lab, "TIFF"))[0, :, 0].astype(int) - [255, 0]).max() <= 2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG", "MPO"])
def test_first_of_many_pictures(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    pages = [Image.new("RGB", (20, 10), (0, 128, 0)), Image.new("RGB", (20, 10), (0, 0, 128))]
    image = read_image(encode(pages[0], kind, save_all=True, append_images=pages[1:], **options))
    assert image.shape == (10, 20, 3)
    assert np.abs(image.astype(int) - [0, 128, 0]).max() <= 2


def test_webp_with_a_newline_in_its_length() -> None:
    file = bytearray(encode(rgb_image(), "WEBP", lossless=True))
    padding = (0x0A - (len(file) - 8) - 8) % 256  # a further chunk that brings the length to 0x..0A
    file += b"XXXX" + struct.pack("<I", padding) + bytes(padding)
    file[4:8] = struct.pack("<I", len(file) - 8)
    assert file[4] == ord("\n")
    assert np.array_equal(read_image(bytes(file))[..., ::-1], RGB)


def test_long_thin_and_one_pixel() -> None:
    assert read_image(encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).tolist() == [[[3, 2, 1]]]
    assert read_image(encode(Image.new("L", (65535, 1), 7), "PNG")).shape == (1, 65535, 3)
    assert read_image(encode(Image.new("L", (1, 65535), 7), "PNG")).shape == (65535, 1, 3)


# ---- orientation

STORED = np.array([[1, 2, 3], [4, 5, 6]])
# Written by hand from the EXIF standard, which says where the first row and column of the stored picture lie.
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],  # top, left
    2: [[3, 2, 1], [6, 5, 4]],  # top, right
    3: [[6, 5, 4], [3, 2, 1]],  # bottom, right
    4: [[4, 5, 6], [1, 2, 3]],  # bottom, left
    5: [[1, 4], [2, 5], [3, 6]],  # left, top
    6: [[4, 1], [5, 2], [6, 3]],  # right, top
    7: [[6, 3], [5, 2], [4, 1]],  # right, bottom
    8: [[3, 6], [2, 5], [1, 4]],  # left, bottom
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    blocks = Image.fromarray((STORED * 40).repeat(16, 0).repeat(16, 1).astype(np.uint8)).convert("RGB")
    image = read_image(encode(blocks, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})))
    assert np.rint(image[8::16, 8::16, 0] / 40).astype(int).tolist() == UPRIGHT[orientation]
    assert image.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
def test_picture_of_many_strips(monkeypatch: pytest.MonkeyPatch, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for image in (rgb_image(), rgba_image(), Image.fromarray(GRAY.astype(np.uint16) * 257)):
        file = encode(image, "PNG", exif=exif)
        monkeypatch.setattr("fer_paddle.decoding._STRIP_PIXELS", 10**6)
        in_one = read_image(file)
        # 7 of the 64 rows at a time, so that the last strip is a short one.
        monkeypatch.setattr("fer_paddle.decoding._STRIP_PIXELS", 7 * image.width)
        assert np.array_equal(read_image(file), in_one)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_orientation_leaves_the_picture(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(read_image(encode(rgb_image(), "PNG", exif=exif)), RGB[..., ::-1])


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12", b"Exif\0\0", b"\0" * 9])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_does_no_harm_and_is_silent(kind: str, exif: bytes) -> None:
    file = encode(rgb_image(), kind, exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(file).shape == RGB.shape


# ---- paths


@pytest.mark.parametrize("name", ["picture.png", "表情 识别/生气.png", "été ß.png", "no_extension", "wrong.jpg"])
def test_paths(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(rgb_image(), "PNG"))
    for source in (path, str(path), path.read_bytes()):
        assert np.array_equal(read_image(source)[..., ::-1], RGB)
    path.unlink()  # fails on Windows where the file is still open


@pytest.mark.parametrize("missing", ["none.png", "无.png", "file/none.png", ""])
def test_missing_file(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    path = tmp_path / (missing or "a\0b")
    with pytest.raises(FileNotFoundError, match="found no such file") as caught:
        read_image(path)
    assert repr(str(path)) in str(caught.value)


@pytest.mark.parametrize("source", [None, 3, np.zeros((2, 2, 3), np.uint8), ["a.png"], bytearray(b"x")])
def test_wrong_source(source: object) -> None:
    with pytest.raises(ValueError, match="expected a path or the bytes of a picture file, got"):
        read_image(source)


# ---- bad pictures


def seeds() -> dict[str, bytes]:
    """Small whole files of many kinds, to be damaged."""
    rng = np.random.default_rng(0)
    noise = np.clip(rng.integers(-20, 21, (24, 20, 3)).cumsum(1) + 128, 0, 255).astype(np.uint8)
    rgb = Image.fromarray(noise)
    gray, palette, exif = rgb.convert("L"), rgb.quantize(16), Image.Exif()
    rgba = rgb.copy()
    rgba.putalpha(gray)
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "description", 72.0
    animation = {"save_all": True, "append_images": [rgb.rotate(90)]}
    files = {
        "jpeg": encode(rgb, "JPEG", exif=exif),
        "jpeg_progressive": encode(gray, "JPEG", progressive=True),
        "jpeg_cmyk": encode(rgb.convert("CMYK"), "JPEG"),
        "png": encode(rgba, "PNG", exif=exif),
        "png_palette": encode(palette, "PNG", transparency=3),
        "png_16": encode(Image.fromarray(np.asarray(gray).astype(np.uint16) * 257), "PNG"),
        "bmp": encode(rgb, "BMP"),
        "bmp_rle": bmp_rle(5, 4, b"\5\1\0\0\5\2\0\0\0\3abc\0\2\4\0\0\5\3\0\1"),
        "gif": encode(palette, "GIF", transparency=2),
        "gif_animation": encode(rgb, "GIF", disposal=2, **animation),
        "webp": encode(rgb, "WEBP", exif=exif),
        "webp_animation": encode(rgba, "WEBP", lossless=True, **animation),
        "tiff_f": encode(Image.fromarray(np.asarray(gray) / np.float32(255)), "TIFF", exif=exif),
    }
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        files[f"tiff_{compression}"] = encode(rgb, "TIFF", compression=compression, exif=exif)
    return files


SEEDS = seeds()


def reads_or_says_why(file: bytes) -> np.ndarray | None:
    try:
        image = read_image(file)
    except ValueError as error:
        assert "\n" not in str(error)
        assert "expected" in str(error)
        return None
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    return image


@pytest.mark.parametrize("name", SEEDS)
def test_truncated_file_is_an_error_and_never_half_a_picture(name: str) -> None:
    file = SEEDS[name]
    whole = read_image(file)
    if "animation" not in name:  # of which half may hold the first frame
        assert reads_or_says_why(file[: len(file) // 2]) is None
    for length in sorted({*range(0, len(file), max(1, len(file) // 40)), *range(len(file) - 16, len(file))}):
        image = reads_or_says_why(file[:length])
        assert image is None or np.array_equal(image, whole)


@pytest.mark.parametrize("name", SEEDS)
def test_damaged_file_is_read_or_a_value_error(name: str) -> None:
    chance = random.Random(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what Pillow remarks on such files must not come through either
        for _ in range(150):
            file = bytearray(SEEDS[name])
            end = chance.choice((len(file), min(len(file), 120)))  # half the time in the header only
            for _ in range(chance.choice((1, 1, 2, 4, 16))):
                file[chance.randrange(end)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
            reads_or_says_why(bytes(file))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "got an empty file"),
        (b"\0", "got a file that starts"),
        (b"\0" * 5000, "got a file that starts"),
        (b"Angry,0\nHappy,3\n", "got a file that starts b'Angry,0"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "got a file that starts b'RIFF"),
        (b"%PDF-1.7", "got a file that starts b'%PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "got a file that starts"),  # never handed to Ghostscript
        (b"BM", "expected a readable BMP picture"),
        (b"\xff\xd8\xff", "expected a readable JPEG picture"),
        (b"\x89PNG\r\n\x1a\n", "expected a readable PNG picture"),
        (b"GIF89a", "expected a readable GIF picture"),
        (b"II*\0", "expected a readable TIFF picture"),
        (b"RIFF\x10\0\0\0WEBP", "expected a readable WEBP picture"),
        (
            tiff(2, 1, 32, 1, struct.pack("<2f", 0, 255), sample_format=3),
            r"pixels of 0\.\.255, expected 0\.\.1",
        ),
        (tiff(2, 1, 32, 1, struct.pack("<2f", 0, float("nan")), sample_format=3), "pixels of nan"),
        # A signalling NaN: comparing it warns.
        (tiff(2, 1, 32, 1, struct.pack("<fI", 0, 0x7F800001), sample_format=3), "pixels of"),
        (tiff(2, 1, 16, 1, struct.pack("<2h", 0, -1), sample_format=2), r"expected 0\.\.65535"),
        (tiff(2, 1, 64, 1, struct.pack("<2d", 0, 1), sample_format=3), "expected a readable TIFF picture"),
    ],
)
def test_bad_content(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "坏 bad.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=expected) as caught:
        read_image(path)
    assert "坏 bad.jpg" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=expected):
        read_image(content)


def test_error_of_many_lines_is_told_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(image: Image.Image) -> None:
        raise OSError("first\nsecond")

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", fail)
    with pytest.raises(ValueError, match=r"expected a readable JPEG picture, got OSError: first second$"):
        read_image(SEEDS["jpeg"])


def test_folder_is_no_picture(tmp_path: Path) -> None:
    folder = tmp_path / "folder.png"
    folder.mkdir()
    with pytest.raises(ValueError, match=r"folder\.png'.*got a folder"):
        read_image(folder)


def test_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = tmp_path / "locked.png"
    path.write_bytes(SEEDS["png"])
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ValueError, match=r"locked\.png'.*Permission denied"):
        read_image(path)


def test_name_longer_than_the_file_system_allows(tmp_path: Path) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match="expected a JPEG, PNG"):
        read_image(tmp_path / ("x" * 5000))


# ---- bombs

BOMB = 10_001  # 100.02 megapixels


def packed_zeros(megabytes: int) -> bytes:
    """A zlib stream of zeros, made of one block over and over so that it takes no time to make."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (megabytes * 1_000_000 % 65_521) << 16 | 1
    return head + block * megabytes + b"\3\0" + struct.pack(">I", checksum)


def gif_frame(side: int) -> bytes:
    """A frame far larger than its screen of one pixel, to be cleared after it was shown."""
    control = b"!\xf9\x04\x08\0\0\0\0"
    frame = b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x44\x01\0;"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + control + frame


# Lossless, one colour, 16,383 pixels square.
WEBP_OF_16383 = bytes.fromhex("524946461a000000574542505650384c0e0000002ffebfff0f071011fd0f4444ff03")


def bombs() -> dict[str, bytes]:
    flat = Image.new("L", (BOMB, BOMB))
    black = Image.new("1", (BOMB, BOMB))
    text = packed_zeros(2000)
    picture = encode(Image.new("L", (8, 8)), "PNG")
    after_header = 8 + 25
    chunks = {
        "zTXt": png_chunk(b"zTXt", b"k\0\0" + text),
        "iTXt": png_chunk(b"iTXt", b"k\0\1\0\0\0" + text),
        "iCCP": png_chunk(b"iCCP", b"k\0\0" + text),
    }
    return {
        "png": encode(black, "PNG"),
        "png_header_only": png(2**31 - 1, 2**31 - 1, 8, 2, b""),
        "jpeg_progressive": encode(flat, "JPEG", progressive=True),
        "bmp": encode(black, "BMP"),
        # One step over 255 rows of 90 million pixels.
        "bmp_rle_delta": bmp_rle(90_000_000, 1, b"\1\1\0\2\0\0\0\xff"),
        "gif": encode(black, "GIF"),
        "gif_frame": gif_frame(13_000),
        "gif_frame_65535": gif_frame(65_535),
        "webp": WEBP_OF_16383,
        "tiff": encode(black, "TIFF", compression="group4"),
        "tiff_tile": tiff(64, 64, 16, 1, packed_zeros(1152), compression=8, tile=24_000),
        "tiff_white": tiff(BOMB, BOMB, 32, 1, b"", sample_format=3),
        **{name: picture[:after_header] + chunk + picture[after_header:] for name, chunk in chunks.items()},
    }


READ_ALL = """
import sys, warnings
from pathlib import Path
from fer_paddle.environment import prepare
from fer_paddle.images import read_image
prepare()  # with the allocator that training has: what is only reserved elsewhere is taken here
warnings.simplefilter("error")
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        print(path.name, read_image(path).shape)
    except ValueError as error:
        assert path.name in str(error) and "\\n" not in str(error), error
        print(path.name, "ValueError")
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def read_in_another_process(folder: Path) -> tuple[list[str], float]:
    """Reads every file; gives what came of each, and the peak memory of the process in MB.

    From /proc, for getrusage counts the memory of the parent at the moment of the fork as the child's.
    """
    command = [sys.executable, "-c", READ_ALL, str(folder)]
    *lines, peak = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout.splitlines()
    return lines, int(peak) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is read from /proc")
def test_bombs_are_refused_within_little_memory(tmp_path: Path) -> None:
    files = bombs()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    lines, peak = read_in_another_process(tmp_path)
    assert lines == [f"{name} ValueError" for name in sorted(files)]
    assert peak < 400  # the GIF whose frame outgrows its screen takes 170 MB before it can be told


@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is read from /proc")
def test_the_largest_picture_is_read_within_a_gigabyte_and_without_warning(tmp_path: Path) -> None:
    # 95 megapixels: Pillow warns from 89 on. In colour and turned, so that a careless copy would show.
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (10_000, 9_500), (9, 8, 7)).save(tmp_path / "jpeg", "JPEG", exif=exif)
    Image.new("1", (10_000, 9_500)).save(tmp_path / "tiff", "TIFF", compression="group4")
    lines, peak = read_in_another_process(tmp_path)
    assert lines == ["jpeg (9500, 10000, 3)", "tiff (9500, 10000, 3)"]
    assert peak < 1000


# ---- the process stays as it was


def test_the_process_is_left_as_it_was() -> None:
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    odd = encode(rgb_image(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12")
    failed: list[BaseException] = []

    def read_often() -> None:
        try:
            for _ in range(30):
                read_image(odd)
        except BaseException as error:  # carried to the test's thread
            failed.append(error)

    threads = [threading.Thread(target=read_often) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert limit == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


def test_threads_silence_warnings_one_after_the_other() -> None:
    # Interleaved, the second to leave would put back the silence of the first, for ever.
    filters = list(warnings.filters)
    entered, leave = threading.Event(), threading.Event()

    def second() -> None:
        with decoding._warnings_off():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=second)
    with decoding._warnings_off():
        thread.start()
        assert not entered.wait(0.1)
    assert entered.wait(60)
    leave.set()
    thread.join()
    assert warnings.filters == filters


def test_the_limit_does_not_hang_on_that_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ValueError, match="expected a picture of at most 100 megapixels"):
        read_image(png(BOMB, BOMB, 8, 2, b""))


def test_photos_of_the_demo_equal_those_of_another_decoder(data_pack: Callable[[str], Path]) -> None:
    with tarfile.open(data_pack("demo.tar")) as archive:
        photos = [m for m in archive if m.name.lower().endswith((".jpg", ".jpeg", ".png", ".webp"))]
        for photo in itertools.islice(photos, 10):
            data = archive.extractfile(photo).read()
            other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert np.abs(read_image(data).astype(int) - other).mean() < 1
