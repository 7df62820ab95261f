"""Damaged, truncated and foreign files, drawn by a seed; as a script it tries many and prints what it took.

    python tests/bad_files.py IMAGES FILES

It exits with 1 where one ends in anything but a clear error, takes over MOST_SECONDS of the processor, or the whole
over MOST_MB of memory.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import tarfile
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

FORMATS = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP", "webp": "WEBP", "gif": "GIF", "tif": "TIFF", "avif": "AVIF"}
REFUSALS = (ValueError, OSError, RuntimeError)  # what an error of ours may be; RuntimeError: a package is missing
MOST_SECONDS, MOST_MB = 5, 1000


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, overwrite, exchange, repeat or replace bytes of a file."""
    data, kind = bytearray(content), rng.integers(7)
    place, size = int(rng.integers(len(data))), int(rng.integers(1, 64))
    if kind == 0:
        return bytes(data[:place])
    if kind == 1:
        data[place : place + size] = rng.bytes(size)
    elif kind == 2:  # of the header
        for spot in rng.integers(min(200, len(data)), size=8):
            data[spot] = rng.integers(256)
    elif kind == 3:
        data[place : place + size] = b"\xff" * size
    elif kind == 4:
        return bytes(data) + rng.bytes(size)
    elif kind == 5:
        return rng.bytes(size * 10)
    else:
        return bytes(data[place:]) + bytes(data[:place])
    return bytes(data)


def bad_images(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Give names and bytes of images, of which few are whole."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (60, 80, 3), np.uint8)
    whole = {}
    for suffix, name in FORMATS.items():
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, name)
        whole[suffix] = file.getvalue()
    for number in range(count):
        suffix, other = rng.choice(list(whole), 2)
        content = b"" if number % 50 == 49 else damage(whole[suffix], rng)
        yield f"{number:03}.{other if number % 10 == 9 else suffix}", content


def whole_files() -> dict[str, bytes]:
    """Return one small file of each kind that is read, by the name it must have."""
    from safetensors.numpy import save

    weights = Path(__file__).parents[1] / "fer_paddle" / "weights"
    packed, tar = io.BytesIO(), io.BytesIO()
    sheet = io.BytesIO()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(sheet, "PNG")
    arrays = {"shape": np.array([4, 8, 8]), "per_row": np.int64(2), "labels": np.arange(4)}
    np.savez(packed, sheet00=np.frombuffer(sheet.getvalue(), np.uint8), **arrays)
    table = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "bbox": [1, 1, 4, 4]}]}
    coco = json.dumps(table).encode()
    with tarfile.open(fileobj=tar, mode="w") as file:
        for name, content in (("annotations.json", coco), ("a.png", sheet.getvalue())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    pixels = " ".join(["7"] * 2304)
    voc = "<annotation><filename>a.png</filename><object><name>face</name></object></annotation>"
    return {
        "faces.npz": packed.getvalue(),
        "faces.csv": f"emotion,pixels,Usage\n3,{pixels},Training\n".encode(),
        "coco.json": coco,
        "photos.tar": tar.getvalue(),
        "Annotations/a.xml": voc.encode(),
        "wider.txt": b"a.png\n1\n1 1 4 4 0 0 0 0 0 0\n",
        "weights.safetensors": save({"x": np.zeros(3, np.float32)}),
        "weights.json": (weights / "vgg8_flat.fer2013.json").read_bytes(),
        "network.onnx": (weights / "mouth.smile.onnx").read_bytes(),
    }


def readers() -> dict[str, Callable[[Path], object]]:
    """Return what reads each of `whole_files`."""
    from fer_paddle import Classifier
    from fer_paddle.expression.data.expressions import load_faces
    from fer_paddle.weights import load_arrays, load_card
    from yolo3tiny.annotations import read_photos

    return {
        "faces.npz": load_faces,
        "faces.csv": load_faces,
        "coco.json": read_photos,
        "photos.tar": read_photos,
        "Annotations/a.xml": lambda path: read_photos(path.parent.parent),
        "wider.txt": read_photos,
        "weights.safetensors": load_arrays,
        "weights.json": load_card,
        "network.onnx": Classifier,
    }


def try_images(count: int, folder: Path, seed: int = 0) -> Counter[str]:
    """Recognize bad images; AssertionError where one takes too long."""
    from fer_paddle import Pipeline
    from fer_paddle.image_files import annotate_files

    for name, content in bad_images(count, seed):
        (folder / name).write_bytes(content)
    pipeline, said = Pipeline(), Counter[str]()
    for path in sorted(folder.iterdir()):
        start = time.process_time()
        records, _ = annotate_files([path], None, lambda image, scale: ({"faces": len(pipeline(image))}, None))
        assert time.process_time() - start < MOST_SECONDS, f"{path} took {time.process_time() - start:.1f} s"
        said["read" if records else "refused"] += 1
    return said


def try_files(count: int, folder: Path, seed: int = 0) -> Counter[str]:
    """Read bad files of every kind in turns; an error that is none of REFUSALS passes through."""
    rng, whole, read = np.random.default_rng(seed), whole_files(), readers()
    said: Counter[str] = Counter()
    for number in range(count):
        name = list(whole)[number % len(whole)]
        path = folder / str(number) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(damage(whole[name], rng))
        start = time.process_time()
        try:
            read[name](path)
            said["read"] += 1
        except REFUSALS as error:
            assert "\n" not in str(error) and len(str(error)) < 2000, error
            said["refused"] += 1
        assert time.process_time() - start < MOST_SECONDS, f"{path} took {time.process_time() - start:.1f} s"
    return said


def main(images: int, files: int) -> int:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "images").mkdir()
        print(f"{images} images:", dict(try_images(images, Path(folder) / "images")))
        print(f"{files} files:", dict(try_files(files, Path(folder) / "files")))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak_mb:.0f} MB")
    return int(peak_mb > MOST_MB)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main(*map(int, sys.argv[1:])))
