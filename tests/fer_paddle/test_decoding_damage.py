"""Reading pictures that are damaged, no pictures, or bombs. Every file is made here."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_paddle.images import read_image
from tests.fer_paddle.picture_bytes import bmp_rle, encode, png, png_chunk, tiff


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


def test_the_limit_does_not_hang_on_that_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ValueError, match="expected a picture of at most 100 megapixels"):
        read_image(png(BOMB, BOMB, 8, 2, b""))
