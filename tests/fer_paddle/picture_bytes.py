"""Picture files made byte by byte, for what Pillow cannot write."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


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
