"""Image files made in memory, byte by byte where Pillow cannot write them."""

import io
import struct
import zlib

from PIL import Image


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
