"""Paddle made ready (`from fer_paddle.environment import paddle`), seeds, silence, versions, and where data lie."""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import logging
import os
import platform
import random
import signal
import sys
import tempfile
import threading
import warnings
import zlib  # noqa: F401  libpaddle 2.6.2 exports zlib's symbols: the real zlib must be loaded before it
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import paddle as paddle  # for the type checker: at run time __getattr__ imports it

REPOSITORY = Path(__file__).resolve().parent.parent
AISTUDIO_DATA = Path("/home/aistudio/data")
# Values of MKL_DEBUG_CPU_TYPE, the best first, and the flags of the processor that each needs. On a Zen 5 core a matrix
# product of 1024 takes 0.4 of its time with AVX2 and 0.22 with AVX-512: left alone, MKL takes its slowest path on AMD.
_MKL_PATHS = {"7": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}, "5": {"avx2", "fma"}}
_PACKAGES = (
    "paddlepaddle", "paddlepaddle-gpu", "paddleslim", "paddle2onnx", "onnxruntime", "opencv-python", "numpy",
)  # fmt: skip
_NEW_IR_ONLY = ("sigmoid", "tanh")  # of the activations that Paddle 3.3 lets no other program have, those in use
MAX_THREADS = 1024  # a runtime that is asked for a million of them crashes
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def prepare(threads: int | None = None) -> None:
    """Set what must be set before Paddle is imported: MKL's code path, glibc's memory, and Paddle's own switches.

    MKL takes a slow path on AMD processors, and glibc returns every large tensor to the system at once; each costs a
    factor of two to three in training. `threads` is for OpenMP and MKL, None leaves the environment's choice.
    ValueError: it is below 1, or Paddle is imported already.
    """
    if threads is not None:
        if threads < 1:
            raise ValueError(f"expected threads >= 1, got {threads}")
        if "paddle" in sys.modules:
            raise ValueError(f"expected threads before Paddle is imported, got {threads} after it")
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
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
    if os.name != "nt" and not os.access(os.path.expanduser("~"), os.W_OK):  # noqa: PTH111 (Path raises without one)
        # Paddle, when it exports, and VisualDL, when it is imported, write below a home; a container may have none.
        os.environ["HOME"] = _temporary_home().name
    os.environ.setdefault("OPS_UNCHANGE_SHAPE", "elu")
    # Calling a to_static layer through Paddle's bytecode translator (SOT) ends in SIGSEGV where Paddle lies in a folder
    # with other than ASCII letters. Without it to_static reads the source, as export does anyway.
    os.environ.setdefault("ENABLE_FALL_BACK", "False")
    # Paddle says so at every batch normalization in training.
    warnings.filterwarnings("ignore", message="When training, we now always track global mean and variance")
    # Paddle 3, when it is imported, and where to_tensor takes what may be an array or a tensor.
    warnings.filterwarnings("ignore", message="No ccache found|To copy construct from a tensor")


@functools.cache
def _temporary_home() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="fer_paddle-home-")


def choose_mkl_path(cpuinfo: str) -> str | None:
    """Return the MKL_DEBUG_CPU_TYPE for the content of /proc/cpuinfo; None for other than AMD, and without AVX2."""
    found = _cpu_fields(cpuinfo)
    if found.get("vendor_id") != "AuthenticAMD":
        return None
    flags = set(found.get("flags", "").split())
    return next((path for path, needed in _MKL_PATHS.items() if needed <= flags), None)


def _read_cpuinfo() -> str:
    """Return Linux's /proc/cpuinfo, empty where there is none."""
    path = Path("/proc/cpuinfo")
    return path.read_text(errors="replace") if path.is_file() else ""


def _cpu_fields(cpuinfo: str) -> dict[str, str]:
    """Return names and values of its lines, those of the last core."""
    pairs = (line.split(":", 1) for line in cpuinfo.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def __getattr__(name: str) -> ModuleType:
    """Import Paddle on first use, after `prepare`."""
    if name != "paddle":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    prepare()
    return _import_paddle()


@functools.cache
def _import_paddle() -> ModuleType:
    with sigterm_kept():
        return importlib.import_module("paddle")


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Set back how SIGTERM is handled: that of Paddle and that of Ray print a trace and clear nothing."""
    former, python = signal.getsignal(signal.SIGTERM), ctypes.pythonapi
    python.PyOS_getsig.restype, python.PyOS_setsig.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    native = python.PyOS_getsig(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, former or signal.SIG_DFL)
        else:  # where Python sets none, as in the page, the function of the C library is set back
            python.PyOS_setsig(signal.SIGTERM, native)


def check(install: bool = True) -> str:
    """Add what the course lacks and say what is wrong: packages.check, which a notebook's first cell calls."""
    from fer_paddle import packages  # not at every start: it reads what is installed

    return packages.check(install)


@contextmanager
def old_ir() -> Iterator[None]:
    """Let Paddle 3 build, save and load programs in a `with` block as 2.6 does, none with parameters of another.

    PaddleSlim and paddle2onnx 1.3.1 know `.pdmodel` alone, and so do the figures and files of the course.
    """
    paddle = __getattr__("paddle")
    guard = getattr(getattr(paddle, "pir_utils", None), "DygraphOldIrGuard", None)
    functional = paddle.nn.functional
    new = {name: getattr(functional, name) for name in _NEW_IR_ONLY} if guard else {}
    # Parameters by id(program): PaddleSlim's traces, and those that fail, leave theirs here to a later program of that
    # id, which paddle.jit.save then refuses with a KeyError.
    traced = paddle.jit.dy2static.program_translator.ProgramTranslator.get_instance()._params_recorder.params_dict
    traced.clear()
    try:
        vars(functional).update({name: _for_programs(name, function) for name, function in new.items()})
        with guard() if guard else nullcontext():
            yield
    finally:
        vars(functional).update(new)
        traced.clear()


def _for_programs(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an activation that can add its operator to a program as Paddle 2.6 does, and is unchanged elsewhere."""
    from paddle.base.layer_helper import LayerHelper

    def activate(x: Any, *rest: Any) -> Any:
        if not isinstance(x, __getattr__("paddle").base.framework.Variable):
            return function(x, *rest)
        helper = LayerHelper(name)
        output = helper.create_variable_for_type_inference(x.dtype)
        helper.append_op(type=name, inputs={"X": x}, outputs={"Out": output})
        return output

    return activate


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what is printed and logged in a `with` block, by C++ too; errors are raised as usual."""
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    disabled = logging.root.manager.disable
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for descriptor in (1, 2):
            os.dup2(nowhere.fileno(), descriptor)
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)
            for descriptor, copy in zip((1, 2), kept):
                os.dup2(copy, descriptor)
                os.close(copy)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and Paddle; `seed` is 0 to 2**32 - 1."""
    random.seed(seed)
    np.random.seed(seed)
    __getattr__("paddle").seed(seed)


def versions() -> dict[str, str]:
    """Return the versions that decide a result: Python, the machine and the packages of the requirements."""
    found = {"python": platform.python_version(), "machine": machine()}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def machine() -> str:
    """Return what this process computes on: system, cores, processor, and the GPU that Paddle uses, if any."""
    processor = _cpu_fields(_read_cpuinfo()).get("model name") or platform.processor()
    names = [f"{platform.system()} {platform.machine()}", f"{os.cpu_count()} cores", processor]
    if "paddle" in sys.modules and sys.modules["paddle"].device.get_device().startswith("gpu"):
        names.append(sys.modules["paddle"].device.cuda.get_device_name())
    return ", ".join(name for name in names if name)


def data_folders(folder: str | os.PathLike[str] | None = None) -> list[Path]:
    """Return the places where data may lie, in the order they are searched."""
    if folder is not None:
        return [Path(folder)]
    if os.environ.get("FER_DATA"):
        return [Path(os.environ["FER_DATA"])]
    mounted = sorted(path for path in AISTUDIO_DATA.glob("*") if path.is_dir()) if AISTUDIO_DATA.is_dir() else []
    return [REPOSITORY.parent / "shared" / "data", *mounted, AISTUDIO_DATA]


def find_data(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of a data file or folder, such as `fer2013_train.npz`; an existing path is returned as it is.

    FileNotFoundError names all places that were searched: `folder`, or those of `data_folders()`.
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
