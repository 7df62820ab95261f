"""Image files that are damaged, no images, or bombs: refused in one line, within little memory."""

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_paddle import decoding
from fer_paddle.images import list_images, read_image
from tests.fer_paddle.image_bytes import encode, exif_of, png, tiff
from tests.processes import run_python

BOMB = 10_001  # pixels a side: 100.02 megapixels
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the peak memory of a process is read from /proc")


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
    *lines, peak = run_python(READ_ALL, folder).splitlines()
    return lines, int(peak) / 1024


@linux_only
def test_bombs_are_refused_within_little_memory(tmp_path):
    files = bombs()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    lines, peak = read_in_another_process(tmp_path)
    assert lines == [f"{name} ValueError" for name in sorted(files)]
    assert peak < 400  # the GIF whose frame outgrows its screen takes 170 MB before that is known


@pytest.mark.slow
@linux_only
def test_the_largest_image_is_read_within_a_gigabyte_and_without_warning(tmp_path):
    # 95 megapixels: Pillow warns from 89 on. In color and turned, so that a careless copy would show.
    Image.new("RGB", (10_000, 9_500), (9, 8, 7)).save(tmp_path / "jpeg", "JPEG", exif=exif_of(3))
    Image.new("1", (10_000, 9_500)).save(tmp_path / "tiff", "TIFF", compression="group4")
    lines, peak = read_in_another_process(tmp_path)
    assert lines == ["jpeg (9500, 10000, 3)", "tiff (9500, 10000, 3)"]
    assert peak < 1000
