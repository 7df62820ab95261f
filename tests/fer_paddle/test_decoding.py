"""Reading image files: kinds of pixel, orientation, paths, damaged files and bombs. Every file is made here."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_paddle import decoding
from fer_paddle.images import list_images, read_image, read_size

# Six flat fields of 32 pixels: even a JPEG with halved color keeps the pixel in the middle of each.
FIELD = 32
BOMB = 10_001  # pixels a side: 100.02 megapixels
FIELDS_RGB = np.array([[[250, 20, 20], [20, 200, 40], [30, 40, 220]], [[0, 0, 0], [255, 255, 255], [120, 120, 120]]])


def fields_of(values: list) -> np.ndarray:
    return np.array(values).repeat(FIELD, 0).repeat(FIELD, 1).astype(np.uint8)


RGB = fields_of(FIELDS_RGB)
GRAY = fields_of([[0, 60, 120], [180, 240, 255]])
ALPHA = fields_of([[255, 128, 0], [0, 128, 255]])
IMAGE = Image.fromarray(RGB)
EXACT = {"lossless": True, "exact": True}
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is read from /proc")


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, bits: int, color_type: int, rows: bytes, *chunks: bytes) -> bytes:
    """A PNG byte by byte, for what Pillow cannot write; `rows` with the filter byte before each row."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0))
    end = png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + end


def tiff(width: int, height: int, bits: int, photometric: int, data: bytes, compression: int = 1, **more: int) -> bytes:
    """A little-endian TIFF of one sample a pixel: one strip, or one tile where `tile` gives its side."""
    tile = more.get("tile")
    tags = {256: width, 257: height, 258: bits, 259: compression, 262: photometric, 339: more.get("sample_format", 1)}
    tags |= {322: tile, 323: tile, 325: len(data)} if tile else {278: height, 279: len(data)}
    tags[324 if tile else 273] = 8 + 2 + 12 * (len(tags) + 1) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


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


@pytest.mark.parametrize("name", ["a.png", "表情 识别/生气.png", "été ß.png", "no_extension", "wrong.jpg"])
def test_paths(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode(IMAGE, "PNG"))
    for source in (path, str(path), path.read_bytes()):
        assert np.array_equal(read_image(source)[..., ::-1], RGB)
    path.unlink()  # fails on Windows where the file is still open


def test_what_is_no_readable_file_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    for name, content in {"file": b"x", "a.HEIC": b"\0\0\0\x18ftypheic" + bytes(12)}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    missing = ("none.png", "无.png", "file/none.png", "a\0b")
    cases = dict.fromkeys(missing, "found no such file") | {"a.HEIC": "pip install pillow-heif"}
    cases |= {"folder.png": "a folder", "loop.png": "OSError", "x" * 5000: "OSError"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        (tmp_path / "device.jpg").symlink_to("/dev/zero")
        cases |= dict.fromkeys(("pipe.jpg", "device.jpg"), "no regular file")
    for name, words in cases.items():
        with pytest.raises(FileNotFoundError if name in missing else ValueError, match=words) as caught:
            read_image(tmp_path / name)
        assert repr(str(tmp_path / name)) in str(caught.value)
    assert tmp_path / "a.HEIC" in list_images(tmp_path)
    monkeypatch.setattr(Path, "open", lambda path, mode: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(ValueError, match=r"file'.*denied"):
        read_image(tmp_path / "file")


# Small whole files of many kinds, to be damaged.
STEPS = np.random.default_rng(0).integers(-20, 21, (24, 20, 3)).cumsum(1) + 128
NOISE = Image.fromarray(np.clip(STEPS, 0, 255).astype(np.uint8))
NOISE_GRAY, NOISE_FEW = NOISE.convert("L"), NOISE.quantize(16)
NOISE_ALPHA = Image.fromarray(np.dstack([np.asarray(NOISE), np.asarray(NOISE_GRAY)]))
EXIF, ANIMATION = exif_of(6), {"save_all": True, "append_images": [NOISE.rotate(90)]}
EXIF[0x010E], EXIF[0x011A] = "description", 72.0
SEEDS = {
    "jpeg": encode(NOISE, "JPEG", exif=EXIF),
    "jpeg_cmyk": encode(NOISE.convert("CMYK"), "JPEG"),
    "png": encode(NOISE_ALPHA, "PNG", exif=EXIF),
    "png_palette": encode(NOISE_FEW, "PNG", transparency=3),
    "bmp": encode(NOISE, "BMP"),
    "gif": encode(NOISE_FEW, "GIF", transparency=2),
    "webp": encode(NOISE, "WEBP", exif=EXIF),
    "webp_animation": encode(NOISE_ALPHA, "WEBP", lossless=True, **ANIMATION),
    "avif": encode(NOISE, "AVIF", exif=EXIF),
    "tiff_f": encode(Image.fromarray(np.asarray(NOISE_GRAY) / np.float32(255)), "TIFF", exif=EXIF),
    **{
        f"tiff_{name}": encode(NOISE, "TIFF", compression=name, exif=EXIF)
        for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
    },
}


def reads_or_says_why(file: bytes) -> np.ndarray | None:
    try:
        image = read_image(file)
    except ValueError as error:
        assert "\n" not in str(error) and "expected" in str(error)
        return None
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    return image


@pytest.mark.parametrize("name", SEEDS)
def test_truncated_file_is_an_error_and_never_half_an_image(name):
    file, whole = SEEDS[name], read_image(SEEDS[name])
    for length in sorted({*range(0, len(file), max(1, len(file) // 40)), *range(len(file) - 16, len(file))}):
        image = reads_or_says_why(file[:length])
        assert image is None or np.array_equal(image, whole)


OTHER_FILES = (b"\0", b"Angry,0\n", b"RIFF\x10\0\0\0WAVEfmt ", b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF-3.0", b"BM")
OTHER_FILES += (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"RIFF\x10\0\0\0WEBP")
BAD = [
    *((file, "got a file that starts|got .*Error") for file in OTHER_FILES),
    (tiff(2, 1, 32, 1, struct.pack("<2f", 0, 255), sample_format=3), r"pixels of 0\.\.255, expected 0\.\.1"),
    (tiff(2, 1, 32, 1, struct.pack("<fI", 0, 0x7F800001), sample_format=3), "pixels of"),  # comparing it warns
    (tiff(2, 1, 16, 1, struct.pack("<2h", 0, -1), sample_format=2), r"expected 0\.\.65535"),
    (tiff(2, 1, 64, 1, struct.pack("<2d", 0, 1), sample_format=3), "got a file that starts"),
    (b"", "got an empty file"),
    (png(BOMB, BOMB, 8, 2, b""), "an image of at most 100 megapixels"),  # whatever Pillow's own limit is
]


@pytest.mark.parametrize(("content", "expected"), BAD)
def test_bad_content_is_named_in_one_line(tmp_path, content, expected, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    path = tmp_path / "坏 bad.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"坏 bad.jpg.*expected .*({expected})") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_a_kept_error_keeps_no_pixels():
    """Each damaged image of 80 megapixels kept 285 MB."""
    file = encode(Image.new("RGB", (3000, 2000)), "PNG", compress_level=0)
    with pytest.raises(ValueError, match="expected a readable image") as caught:
        read_image(file[: len(file) // 2])
    error: BaseException | None = caught.value
    assert error is not None and error.__context__ is None and error.__cause__ is None
    trace = error.__traceback__
    while trace is not None:
        kept = [value for value in trace.tb_frame.f_locals.values() if isinstance(value, (Image.Image, np.ndarray))]
        assert trace.tb_frame.f_code.co_filename != decoding.__file__ or not kept
        trace = trace.tb_next


def gif_frame(side: int) -> bytes:
    """A frame far larger than its screen of one pixel, to be cleared after it was shown."""
    frame = b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x44\x01\0;"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + b"!\xf9\x04\x08\0\0\0\0" + frame


def many_scans(image: Image.Image, scans: int) -> bytes:
    file = encode(image, "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * scans + file[-2:]


def bombs() -> dict[str, bytes]:
    black = Image.new("1", (BOMB, BOMB))
    return {
        "png": encode(black, "PNG"),
        "png_header_only": png(2**31 - 1, 2**31 - 1, 8, 2, b""),
        "jpeg_progressive": encode(Image.new("L", (BOMB, BOMB)), "JPEG", progressive=True),
        "jpeg_scans": many_scans(Image.new("L", (1000, 1000)), 2000),
        "jpeg_large_scans": many_scans(Image.new("L", (8000, 8000)), 60),
        "bmp": encode(black, "BMP"),
        "gif": encode(black, "GIF"),
        "gif_frame": gif_frame(13_000),
        "gif_frame_65535": gif_frame(65_535),
        # Lossless, one color, 16,383 pixels square.
        "webp": bytes.fromhex("524946461a000000574542505650384c0e0000002ffebfff0f071011fd0f4444ff03"),
        "tiff": encode(black, "TIFF", compression="group4"),
        "tiff_tile": tiff(64, 64, 16, 1, b"", compression=8, tile=24_000),
        "tiff_white": tiff(BOMB, BOMB, 32, 1, b"", sample_format=3),
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
    """What came of each file, and the peak memory in MB from /proc: getrusage counts the parent's at the fork."""
    command = [sys.executable, "-c", READ_ALL, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    *lines, peak = done.stdout.splitlines()
    return lines, int(peak) / 1024


@linux_only
def test_bombs_are_refused_within_little_memory(tmp_path):
    files = bombs()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    start = time.monotonic()
    lines, peak = read_in_another_process(tmp_path)
    assert lines == [f"{name} ValueError" for name in sorted(files)]
    assert peak < 400  # the GIF whose frame outgrows its screen takes 170 MB before that is known
    assert time.monotonic() - start < 60


@linux_only
def test_the_largest_image_is_read_within_a_gigabyte_and_without_warning(tmp_path):
    # 95 megapixels: Pillow warns from 89 on. In color and turned, so that a careless copy would show.
    Image.new("RGB", (10_000, 9_500), (9, 8, 7)).save(tmp_path / "jpeg", "JPEG", exif=exif_of(3))
    Image.new("1", (10_000, 9_500)).save(tmp_path / "tiff", "TIFF", compression="group4")
    lines, peak = read_in_another_process(tmp_path)
    assert lines == ["jpeg (9500, 10000, 3)", "tiff (9500, 10000, 3)"]
    assert peak < 1000
