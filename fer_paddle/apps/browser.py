"""The page without a server: a folder for any static host whose script runs the networks in the browser.

`browser_page/` has its files; the networks run in ONNX Runtime Web, which is packed with it. Starts without Paddle.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle.apps.web_texts import TEXTS
from fer_paddle.drawn import draw_scene
from fer_paddle.expression.predict import Classifier, classifier_file
from fer_paddle.files import file_digest, read_bytes, read_json, replacing, replacing_folder, write_json
from fer_paddle.images import FER_MEAN, FER_STD, write_image
from fer_paddle.labels import class_colors, class_names_zh
from fer_paddle.landmarks.predict import DEFAULT as LANDMARKS
from fer_paddle.landmarks.predict import TASK, Landmarker
from fer_paddle.pipeline import MARGIN, MIN_PROB, MIN_SCORE
from fer_paddle.weights import DETECTION, find_weights
from yolo3tiny.boxes import PAD_GRAY
from yolo3tiny.predict import CLOSEST, DOUBT, ELSEWHERE, FAST, HINT, LARGE, NMS_IOU, SMALL_PX, SURE, Detector
from yolo3tiny.predict import DEFAULT as DETECTOR

PAGE = Path(__file__).with_name("browser_page")
STYLE = Path(__file__).with_name("web.css")
SITE = "site.json"
MADE_BY = "python -m fer_paddle export web"
RUNTIME_VERSION = "1.23.2"  # that of ONNX Runtime in requirements.txt
RUNTIME = f"onnxruntime-web-{RUNTIME_VERSION}.tgz"  # file of the npm package
RUNTIME_URL = "https://registry.npmjs.org"  # NPM_CONFIG_REGISTRY names a mirror
RUNTIME_SHA512 = "T09JUtMn+CZLk3mFwqiH0lgQf+4S7+oYHHtk6uhaYAAJI95bTcKi5bOOZYwORXfS/RLZCjDDEXGWIuOCAFlEjg=="
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")  # SIMD; threads where the page may use them
MAX_RUNTIME_BYTES = 64 << 20
CACHE = Path.home() / ".cache" / "fer_paddle" / RUNTIME
_SHARED_TEXTS = ("title", "footer", "webcam", "score", "no_face")


def write_site(
    out: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    detector: str | os.PathLike[str] = DETECTOR,
    landmarks: str | os.PathLike[str] | None = LANDMARKS,
    prior: Mapping[str, float] | str | None = None,
    runtime: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Write the page as a folder of static files.

    It finds faces, names expressions and draws landmarks of an image, a video or the camera as `Pipeline` does; its
    content security policy lets no image leave the browser.

    Args:
        out: A new or empty folder, or one that this function wrote, which is replaced.
        weights: Expression network: an `.onnx` file or the name of one that ships; None takes that of `Classifier`.
        detector: Face detector, or one of another class.
        landmarks: Landmark network; None leaves landmarks out.
        prior: See `Classifier`.
        runtime: The npm package of ONNX Runtime Web, as `npm pack` writes it; None takes CACHE, or fetches it there.

    Returns:
        What the page reads as `site.json`.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The folder has other files, a file is no such network, or the package is another.
        RuntimeError: The package is neither in CACHE nor to be fetched.
    """
    out = Path(out).resolve()
    _check_free(out)
    files = {"expression": classifier_file(weights), "detector": find_weights(detector, DETECTION)}
    files |= {"landmarks": find_weights(landmarks, TASK)} if landmarks is not None else {}
    site = _describe(files, prior)
    packed = load_runtime(runtime)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(out) as folder:
        shutil.copytree(PAGE, folder, dirs_exist_ok=True)
        shutil.copy(STYLE, folder)
        (folder / "texts.json").unlink()  # they are in site.json
        for name, path in files.items():
            shutil.copyfile(path, folder / site[name]["file"])
        (folder / "runtime").mkdir()
        for name, content in packed.items():
            (folder / "runtime" / name).write_bytes(content)
        write_image(folder / "example.jpg", draw_scene(2, 640, 480, num_faces=4, min_px=70).image)
        _finish(folder, site)
    return site


def load_runtime(archive: str | os.PathLike[str] | None = None) -> dict[str, bytes]:
    """Return RUNTIME_FILES of the npm package by name; see write_site."""
    if archive is not None:
        content = read_bytes(archive, MAX_RUNTIME_BYTES)
        if not _is_runtime(content):
            raise ValueError(f"expected the npm package {RUNTIME}, got another file in {archive}")
    elif not (CACHE.is_file() and _is_runtime(content := CACHE.read_bytes())):
        content = _fetch_runtime()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = {name: tar.extractfile(f"package/dist/{name}") for name in RUNTIME_FILES}
        return {name: member.read() for name, member in members.items() if member is not None}


def _fetch_runtime() -> bytes:
    url = f"{os.environ.get('NPM_CONFIG_REGISTRY', RUNTIME_URL).rstrip('/')}/onnxruntime-web/-/{RUNTIME}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content: bytes = answer.read(MAX_RUNTIME_BYTES)
        if not _is_runtime(content):
            raise OSError("another file, or a part of it")
    except OSError as error:
        way_out = f"--runtime takes the file of `npm pack onnxruntime-web@{RUNTIME_VERSION}`"
        raise RuntimeError(f"expected {RUNTIME} at {CACHE} or from {url}, got: {error}; {way_out}") from error
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with replacing(CACHE) as temporary:
        temporary.write_bytes(content)
    return content


def _is_runtime(content: bytes) -> bool:
    return base64.b64encode(hashlib.sha512(content).digest()).decode() == RUNTIME_SHA512


def _describe(files: Mapping[str, Path], prior: Mapping[str, float] | str | None) -> dict[str, Any]:
    """Load the networks, which checks them, and return what the script must know of them."""
    classifier = Classifier(files["expression"], runtime="onnx", prior=prior)
    found = Detector(files["detector"]).settings
    own = json.loads((PAGE / "texts.json").read_text(encoding="utf-8"))
    texts = {name: TEXTS[name] for name in _SHARED_TEXTS} | own
    site: dict[str, Any] = {
        "made_by": MADE_BY,
        "texts": {name: {"en": english, "zh": chinese} for name, (english, chinese) in texts.items()},
        "classes": classifier.classes,
        "names": {"en": classifier.classes, "zh": class_names_zh(classifier.classes)},
        "colors": [f"rgb({red},{green},{blue})" for blue, green, red in class_colors(classifier.classes)],
        "min_score": MIN_SCORE,
        "min_prob": MIN_PROB,
        "margin": MARGIN,
        "mean": FER_MEAN,
        "std": FER_STD,
    }
    for name, path in files.items():
        site[name] = {"file": f"{name}.onnx", "name": path.stem}
    ratios = classifier.prior_ratios
    site["expression"] |= {"input_size": classifier.input_size, "temperature": classifier.settings.temperature}
    site["expression"] |= {"prior_ratios": None if ratios is None else ratios.tolist()}
    site["detector"] |= {"anchors": np.asarray(found.anchors, float).tolist(), "strides": list(found.strides)}
    site["detector"] |= {"longest": found.longest, "fast": min(FAST, found.longest)}
    site["detector"] |= {"closest": CLOSEST, "hint": HINT, "small_px": SMALL_PX}
    site["detector"] |= {"doubt": DOUBT, "sure": SURE, "large": LARGE, "elsewhere": ELSEWHERE}
    site["detector"] |= {"nms_iou": NMS_IOU, "pad_gray": PAD_GRAY}
    if "landmarks" in files:
        settings = Landmarker(files["landmarks"], runtime="onnx").settings
        site["landmarks"] |= {"input_size": settings.input_size, "margin": settings.margin}
    return site


def _finish(folder: Path, site: dict[str, Any]) -> None:
    """Write site.json, which names the files and their size, and the list of what the service worker keeps."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    site |= {"files": sorted([*names, SITE]), "mb": round(sum(path.stat().st_size for path in files) / 1e6)}
    write_json(folder / SITE, site)
    version = hashlib.sha256("".join(map(file_digest, [*files, folder / SITE])).encode()).hexdigest()[:16]
    kept = ["./", *(name for name in site["files"] if name != "sw.js")]
    worker = (folder / "sw.js").read_text(encoding="utf-8")
    head = f"const VERSION = {json.dumps(version)};\nconst FILES = {json.dumps(kept)};\n"
    (folder / "sw.js").write_text(head + worker, encoding="utf-8", newline="\n")


def _check_free(out: Path) -> None:
    """Raise ValueError where the folder has files that this module did not write."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"expected a folder for the page, got the file {out}")
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    earlier = read_json(out / SITE) if SITE in there else {}
    ours = set(earlier["files"]) if earlier.get("made_by") == MADE_BY else set()
    if foreign := sorted(there - ours):
        raise ValueError(f"expected a new or empty folder, or an earlier page of ours, got {out} with {foreign[0]}")
