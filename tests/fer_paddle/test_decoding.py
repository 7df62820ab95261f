"""Reading pictures: formats, kinds of pixel, orientation, paths. Every picture is made here."""

from __future__ import annotations

import itertools
import struct
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
from tests.fer_paddle.picture_bytes import encode, png, png_chunk, tiff

# Six flat fields of 32 pixels: even a JPEG with halved colour keeps the pixel in the middle of each.
FIELD = 32
FIELDS_RGB = np.array([[[250, 20, 20], [20, 200, 40], [30, 40, 220]], [[0, 0, 0], [255, 255, 255], [120, 120, 120]]])
RGB = FIELDS_RGB.repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)
GRAY = np.array([[0, 60, 120], [180, 240, 255]]).repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)
ALPHA = np.array([[255, 128, 0], [0, 128, 255]]).repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF")


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


def test_photos_of_the_demo_equal_those_of_another_decoder(data_pack: Callable[[str], Path]) -> None:
    with tarfile.open(data_pack("demo.tar")) as archive:
        photos = [m for m in archive if m.name.lower().endswith((".jpg", ".jpeg", ".png", ".webp"))]
        for photo in itertools.islice(photos, 10):
            data = archive.extractfile(photo).read()
            other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert np.abs(read_image(data).astype(int) - other).mean() < 1
