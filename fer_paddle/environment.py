"""Prepares the process: Paddle on a CPU, seeds, versions, and where the data lie.

The only module that prepares Paddle. Whoever needs it writes `from fer_paddle.environment import paddle`.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import os
import platform
import random
import sys
import warnings
import zlib  # noqa: F401  libpaddle 2.6.2 exports zlib's symbols: the real zlib must be loaded before it
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
AISTUDIO_DATA = Path("/home/aistudio/data")
# Values of MKL_DEBUG_CPU_TYPE, the best first, and what each asks of the processor.
_MKL_PATHS = {"7": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}, "5": {"avx2", "fma"}}
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def prepare(threads: int | None = None) -> None:
    """Sets what must be set before Paddle is imported.

    Paddle's MKL takes a slow path on AMD processors, and glibc gives every large tensor back to the system at
    once; both cost a factor of two to three in training. See `choose_mkl_path`.

    Args:
        threads: Threads of OpenMP and MKL, 1 or more; None leaves the environment's choice.

    Raises:
        ValueError: `threads` is below 1, or Paddle is imported already and reads them no more.
    """
    if threads is not None:
        if threads < 1:
            raise ValueError(f"expected threads >= 1, got {threads}")
        if "paddle" in sys.modules:
            raise ValueError(f"expected threads before Paddle is imported, got {threads} after it")
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(threads)
    _prepare_once()


@functools.cache
def _prepare_once() -> None:
    if sys.platform.startswith("linux"):
        path = choose_mkl_path(_read_cpuinfo())
        if path is not None:
            os.environ.setdefault("MKL_DEBUG_CPU_TYPE", path)
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_MAX, 0)
            libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
            libc.mallopt(_M_TOP_PAD, 256 << 20)
    os.environ.setdefault("OPS_UNCHANGE_SHAPE", "elu")
    # Calling a to_static layer through Paddle's bytecode translator (SOT) ends in SIGSEGV where Paddle lies in a folder
    # with other than ASCII letters. Without it to_static reads the source, as export does anyway.
    os.environ.setdefault("ENABLE_FALL_BACK", "False")
    # Paddle says so at every batch normalisation in training.
    warnings.filterwarnings("ignore", message="When training, we now always track global mean and variance")


def choose_mkl_path(cpuinfo: str) -> str | None:
    """Which of MKL's code paths an AMD processor shall take, which left to itself takes the slowest.

    A 1024 matrix product on one core of an AMD EPYC of Zen 5: left alone 45 GFLOPS, AVX2 112, AVX-512 208; a training
    step of VGG8 takes 0.69 of its time with AVX-512 in place of AVX2.

    Args:
        cpuinfo: Content of Linux's /proc/cpuinfo.

    Returns:
        The value of MKL_DEBUG_CPU_TYPE; None for other processors, and for those without AVX2.
    """
    found = _cpu_fields(cpuinfo)
    if found.get("vendor_id") != "AuthenticAMD":
        return None
    flags = set(found.get("flags", "").split())
    return next((path for path, needed in _MKL_PATHS.items() if needed <= flags), None)


def _read_cpuinfo() -> str:
    """Linux's /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    return path.read_text(errors="replace") if path.is_file() else ""


def _cpu_fields(cpuinfo: str) -> dict[str, str]:
    """Names and values of its lines, those of the last core."""
    pairs = (line.split(":", 1) for line in cpuinfo.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def __getattr__(name: str) -> ModuleType:
    """Imports Paddle on first use, after `prepare`, so that reading this module stays cheap."""
    if name != "paddle":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    prepare()
    return importlib.import_module("paddle")


@contextmanager
def silence_c() -> Iterator[None]:
    """Keeps back what C++ writes to the descriptors 1 and 2 in a `with` block; errors are raised as ever."""
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    with Path(os.devnull).open("w") as nowhere:
        for descriptor in (1, 2):
            os.dup2(nowhere.fileno(), descriptor)
        try:
            yield
        finally:
            for descriptor, copy in zip((1, 2), kept):
                os.dup2(copy, descriptor)
                os.close(copy)


def seed_everything(seed: int) -> None:
    """Seeds Python, NumPy and Paddle alike; `seed` is 0 to 2**32 - 1."""
    random.seed(seed)
    np.random.seed(seed)
    __getattr__("paddle").seed(seed)


def versions() -> dict[str, str]:
    """Names the versions that decide a result: Python, machine and the packages of the requirements."""
    packages = (
        "paddlepaddle",
        "paddlepaddle-gpu",
        "paddleslim",
        "paddle2onnx",
        "onnxruntime",
        "opencv-python",
        "numpy",
    )
    found = {
        "python": platform.python_version(),
        "machine": machine(),
    }
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Names what this process computes on: system, cores and processor, and the GPU that Paddle takes, if any."""
    processor = _cpu_fields(_read_cpuinfo()).get("model name") or platform.processor()
    names = [f"{platform.system()} {platform.machine()}", f"{os.cpu_count()} cores", processor]
    if "paddle" in sys.modules and sys.modules["paddle"].device.get_device().startswith("gpu"):
        names.append(sys.modules["paddle"].device.cuda.get_device_name())
    return ", ".join(name for name in names if name)


def data_folders(folder: str | os.PathLike[str] | None = None) -> list[Path]:
    """Lists the places where data may lie, in the order they are looked at.

    An explicit folder is the only place looked at. Without one: FER_DATA, `../shared/data` beside the project,
    then every folder under /home/aistudio/data (AI Studio mounts each data set there) and that folder itself.
    """
    if folder is not None:
        return [Path(folder)]
    if os.environ.get("FER_DATA"):
        return [Path(os.environ["FER_DATA"])]
    mounted = sorted(path for path in AISTUDIO_DATA.glob("*") if path.is_dir()) if AISTUDIO_DATA.is_dir() else []
    return [REPOSITORY.parent / "shared" / "data", *mounted, AISTUDIO_DATA]


def find_data(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Finds a data file or folder by name.

    Args:
        name: A name such as `fer2013_train.npz`, or an existing path, which is taken as it is.
        folder: The folder to look in; None looks in the places of `data_folders`.

    Returns:
        The existing path.

    Raises:
        FileNotFoundError: It is in none of the places; the message names them all.
    """
    if folder is None and Path(name).exists():
        return Path(name)
    places = data_folders(folder)
    for place in places:
        if (place / name).exists():
            return place / name
    looked = ", ".join(str(place) for place in places)
    raise FileNotFoundError(
        f"expected the data {name!r} in one of: {looked} (set FER_DATA or give a folder); found in none"
    )
