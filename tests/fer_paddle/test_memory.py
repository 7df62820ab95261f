"""Files from elsewhere that ask for gigabytes are read or refused within a fixed amount of memory and time."""

import gzip
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.processes import run_python

MOST_MB, MOST_SECONDS = 100, 5  # beside those of Python and its packages; seconds of the processor
PHOTO_MB = 650  # 99 megapixels: Pillow holds four bytes of each
# A peak of memory never falls: each case runs in a fork of a process that has imported everything, whose own peak
# begins with the fork.
CHILD = """
import json, os, sys, time
from pathlib import Path
def memory_mb(name):
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(name)]
    return int(line.split()[1]) / 1024
cases = json.loads(sys.argv[1])
for _, setup, _ in cases:
    exec(setup)
for path, _, call in cases:
    path = Path(path)
    if pid := os.fork():
        if os.waitpid(pid, 0)[1]: sys.exit(f"{path} ended its process")
        continue
    before, start = memory_mb("VmRSS"), time.process_time()
    try:
        exec(call)
        said = "read"
    except (ValueError, RuntimeError) as error:
        said = str(error)
    seconds = time.process_time() - start
    print(json.dumps([path.name, memory_mb("VmHWM") - before, seconds, said]), flush=True)
    os._exit(0)
"""


def write_npz(path: Path) -> None:
    np.savez_compressed(path, big=np.broadcast_to(np.zeros(1 << 20, np.uint8), (500, 1 << 20)))


def write_npz_header(path: Path) -> None:
    """Declare an array of 4 TB whose bytes are not there."""
    with zipfile.ZipFile(path, "w") as packed, packed.open("big.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (5 * 10**11,)})


def write_npz_sheets(path: Path) -> None:
    """Say that 10 kB of PNG are 50 GB of images."""
    sheet = io.BytesIO()
    Image.new("L", (1000, 1000)).save(sheet, "PNG")
    arrays = {"shape": np.array([50_000, 1000, 1000]), "per_row": np.int64(1)}
    np.savez_compressed(path, sheet00=np.frombuffer(sheet.getvalue(), np.uint8), **arrays)


def write_tar(path: Path, name: str, size: int, kind: bytes = tarfile.REGTYPE) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))


def write_onnx(path: Path, kind: str) -> None:
    import onnx
    from onnx import helper

    from tests.fer_paddle.small_onnx import make_onnx

    constants, nodes = {
        "filled": ({"many": [10**9]}, [helper.make_node("ConstantOfShape", ["many"], ["big"])]),
        "broadcast": (
            {"a": np.zeros((40_000, 1)), "b": np.zeros((1, 40_000))},
            [helper.make_node("Add", ["a", "b"], ["big"])],
        ),
        "computed": (  # from the shape of the image, and so only when it runs
            {"zeros": np.full(4, 10**5), "first": [2], "last": [4]},
            [
                helper.make_node("Shape", ["images"], ["shape"]),
                helper.make_node("Mul", ["shape", "zeros"], ["product"]),
                helper.make_node("Slice", ["product", "first", "last"], ["sides"]),
                helper.make_node("ConstantOfShape", ["sides"], ["big"]),
            ],
        ),
    }[kind]
    nodes += [
        helper.make_node("ReduceMax", ["big"], ["highest"], keepdims=0),
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["mean", "highest"], ["logits"]),
    ]
    told = {"classes": '["a", "b"]', "input_size": "8"}
    onnx.save(make_onnx(nodes, constants, (1, 8, 8), ["logits"], name="images", **told), path)


def write_card(path: Path, **changes: object) -> None:
    """Write a card whose network would take any memory beside weights of some bytes."""
    from fer_paddle.weights import save_weights

    card: dict[str, object] = {"model": "vgg8", "arguments": {}, "input_size": 48, "classes": ["a", "b"]}
    card |= {"normalize": {"mean": 0.5077, "std": 0.2550}, **changes}
    save_weights(path, {"x": np.zeros(1, np.float32)}, card)


def write_image(path: Path) -> None:
    Image.linear_gradient("L").resize((11_000, 9_000)).convert("RGB").save(path, compress_level=1)


PHOTOS = "from yolo3tiny.annotations import read_photos", "read_photos(path)"
PHOTOS_BESIDE = PHOTOS[0], "read_photos(path.parent)"
PACK = "from fer_paddle.packs import load_pack", "load_pack(path)"
FACES = "from fer_paddle.expression.data.expressions import load_faces", "load_faces(path)"
ARRAYS = "from fer_paddle.weights import load_arrays", "load_arrays(path)"
ONNX = "from fer_paddle import Classifier", "Classifier(path)"
NETWORK = "from fer_paddle.expression.files import ExpressionModel", "ExpressionModel.load(path)"

LONG_HEADER = (1 << 40).to_bytes(8, "little")
RECOGNIZE = (
    "from fer_paddle import Pipeline\nfrom fer_paddle.apps.recognize import recognize_files",
    "assert recognize_files([path], path.with_name('out'), Pipeline(), 0.5).results",
)
CASES = {
    # what is written, how it is read, and what is said
    "zeros.npz": (write_npz, PACK, "expected a .npz pack of at most 2.. MB at .*, got one of 500 MB"),
    "header.npz": (write_npz_header, PACK, "expected a whole .npz pack"),
    "sheets.npz": (write_npz_sheets, PACK, "expected a .npz pack of at most 256 MB .*, got one of 47683 MB"),
    "table.tar.gz": (lambda path: write_tar(path, "annotations.json", 1 << 29), PHOTOS, "at most"),
    "name.tar.gz": (lambda path: write_tar(path, "x", 1 << 29, tarfile.GNUTYPE_LONGNAME), PHOTOS, "a whole tar"),
    "extended.tar.gz": (lambda path: write_tar(path, "x", 1 << 29, tarfile.XHDTYPE), PHOTOS, "a whole tar"),
    "annotations.json": (lambda path: write_sparse(path, b'{"images": ['), PHOTOS, "at most 50 MB"),
    "Annotations/a.xml": (lambda path: write_sparse(path, b"<a>"), PHOTOS_BESIDE, "at most 4 MB"),
    "images/a.txt": (lambda path: write_yolo(path), PHOTOS_BESIDE, "at most 4 MB"),
    "one line.csv": (lambda path: write_sparse(path, b"emotion,pixels\n0,"), FACES, "in line 2|expected 2 columns"),
    "weights.safetensors": (lambda path: write_sparse(path, LONG_HEADER, 1 << 12), ARRAYS, "a header"),
    "filled.onnx": (lambda path: write_onnx(path, "filled"), ONNX, "expected an ONNX file at .*bad_alloc"),
    "broadcast.onnx": (lambda path: write_onnx(path, "broadcast"), ONNX, "expected an ONNX file at .*bad_alloc"),
    "computed.onnx": (lambda path: write_onnx(path, "computed"), ONNX, "that onnx can run, got: .*llocate"),
    "width.safetensors": (lambda path: write_card(path, arguments={"width": 1000}), NETWORK, "a width above 0 to 4"),
    "side.safetensors": (lambda path: write_card(path, input_size=10**6), NETWORK, "input_size in pixels, 1 to 4096"),
    "photo.jpg": (write_image, RECOGNIZE, "read"),
    "photo.png": (write_image, RECOGNIZE, "read"),
}


def write_sparse(path: Path, start: bytes, size: int = 1 << 30) -> None:
    """Write a file that begins so and goes on with zeros, which take no room on the disk."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)


def write_yolo(path: Path) -> None:
    write_sparse(path, b"0 0.5 0.5 0.1 0.1\n")
    Image.new("RGB", (8, 8)).save(path.with_suffix(".png"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the memory of ONNX Runtime is bounded on Linux alone")
def test_memory_and_time_are_bounded(tmp_path):
    cases = []
    for name, (write, (setup, call), _) in CASES.items():
        path = tmp_path / name.replace("/", "-") / name
        path.parent.mkdir(parents=True)
        write(path)
        cases.append((str(path), setup, call))
    found = [json.loads(line) for line in run_python(CHILD, json.dumps(cases)).splitlines()]
    wrong = [
        one
        for one, (_, _, said) in zip(found, CASES.values(), strict=True)
        if one[1] >= (PHOTO_MB if said == "read" else MOST_MB) or one[2] >= MOST_SECONDS or not re.search(said, one[3])
    ]
    assert wrong == []
