"""Where data are looked for, and how the process is prepared for Paddle."""

import json
import logging
import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_paddle import environment
from fer_paddle.environment import find_data
from tests.processes import run_python

NAME = "faces.npz"


def test_find_data_takes_the_first_place_and_fer_data_alone_once_it_is_set(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "REPOSITORY", tmp_path / "project")
    monkeypatch.setattr(environment, "AISTUDIO_DATA", tmp_path / "aistudio")
    monkeypatch.delenv("FER_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    for place in ("aistudio", "aistudio/data2", "aistudio/data1", "shared/data"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / NAME).touch()
        assert find_data(NAME) == tmp_path / place / NAME  # each stands before those already there
    monkeypatch.setenv("FER_DATA", str(tmp_path / "数据"))
    with pytest.raises(FileNotFoundError, match="数据"):  # never replaced by other data in silence
        find_data(NAME)
    (tmp_path / "数据").mkdir()
    (tmp_path / "数据" / NAME).touch()
    assert find_data(NAME) == tmp_path / "数据" / NAME


def load_printed(code: str, **variables: str) -> dict:
    """Return the JSON that a program prints, without the variables that `prepare` sets."""
    unset = ("MKL_DEBUG_CPU_TYPE", "OPS_UNCHANGE_SHAPE", "ENABLE_FALL_BACK", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return json.loads(run_python(code, environment=kept | variables))


PREPARE = """
import json, os, sys
from fer_paddle import environment
environment.prepare({threads})
environment.prepare({threads})
names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MKL_DEBUG_CPU_TYPE", "OPS_UNCHANGE_SHAPE", "ENABLE_FALL_BACK")
print(json.dumps({{"paddle": "paddle" in sys.modules, **{{name: os.environ.get(name) for name in names}}}}))
"""


def test_prepare_sets_what_paddle_reads_and_does_not_import_it():
    found = load_printed(PREPARE.format(threads=3))
    assert found["paddle"] is False
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "3"
    assert found["OPS_UNCHANGE_SHAPE"] == "elu"  # else PaddleSlim prunes nothing behind an ELU
    assert found["ENABLE_FALL_BACK"] == "False"  # else a to_static layer crashes in a folder with a Chinese name
    expected = environment.choose_mkl_path(Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
    assert found["MKL_DEBUG_CPU_TYPE"] == expected
    amd = sys.platform == "linux" and "AuthenticAMD" in Path("/proc/cpuinfo").read_text()
    assert expected in (("5", "7") if amd else (None,))


def test_a_process_without_a_home_gets_one_until_it_ends():
    """Paddle writes there when it exports, and VisualDL when it is imported."""
    told = PREPARE.format(threads=1).replace("names = (", 'names = ("HOME", ')
    found = load_printed(told + "open(os.environ['HOME'] + '/x', 'w')", HOME="/proc/none")
    assert found["HOME"] != "/proc/none" and not Path(found["HOME"]).exists()
    assert load_printed(told)["HOME"] == os.environ["HOME"]


AVX512 = "avx512f avx512dq avx512cd avx512bw avx512vl"


def cpuinfo(vendor, flags):
    return f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: EPYC: 64 cores\nflags\t\t: {flags}\n\n" * 2


@pytest.mark.parametrize(
    ("cpuinfo", "path"),
    [
        (cpuinfo("AuthenticAMD", f"fpu sse2 fma avx2 {AVX512} avx512_bf16"), "7"),  # Zen 4 and later
        (cpuinfo("AuthenticAMD", "fpu sse2 fma avx2"), "5"),
        (cpuinfo("AuthenticAMD", "fpu sse2 fma avx2 avx512f avx512cd"), "5"),  # a virtual machine may hide a part
        (cpuinfo("AuthenticAMD", "fpu sse2 avx"), None),
        (cpuinfo("AuthenticAMD", ""), None),
        (cpuinfo("GenuineIntel", f"fpu sse2 fma avx2 {AVX512}"), None),  # MKL finds the best path itself
        *((text, None) for text in ("", "Features : fp asimd", "CPU implementer\t: 0x41\n")),  # ARM, and not Linux
    ],
)
def test_mkl_takes_the_best_path_of_an_amd_processor(cpuinfo, path):
    assert environment.choose_mkl_path(cpuinfo) == path


@pytest.mark.parametrize(
    ("threads", "says"),
    [
        (0, "threads >= 1, got 0"),
        (-1, "threads >= 1, got -1"),
        (2, "threads before Paddle is imported, got 2 after it"),
    ],
)
def test_threads_are_refused_below_one_and_after_paddle(threads, says):
    assert environment.paddle
    with pytest.raises(ValueError, match=f"expected {says}"):
        environment.prepare(threads)


def test_paddle_is_imported_prepared_and_after_zlib():
    """libpaddle 2.6.2 exports zlib's symbols: inflating crashes where Paddle was loaded before zlib."""
    code = """
import json, os, sys
from fer_paddle.environment import paddle
import zlib
modules = list(sys.modules)
inflated = zlib.decompress(zlib.compress(bytes(1000)))
prepared = "OPS_UNCHANGE_SHAPE" in os.environ
print(json.dumps([modules.index("zlib") < modules.index("paddle"), len(inflated), prepared]))
"""
    assert load_printed(code) == [True, 1000, True]


def test_seed_everything_repeats_all_three_generators():
    def draw() -> list[float]:
        return [random.random(), np.random.rand(), environment.paddle.rand([1]).item()]

    environment.seed_everything(5)
    first = draw()
    assert draw() != first
    environment.seed_everything(5)
    assert draw() == first
    environment.seed_everything(6)
    assert all(a != b for a, b in zip(draw(), first))


def test_quiet_hides_what_python_and_c_print_and_log(capfd):
    with environment.quiet():
        print("python")
        os.write(1, b"c")
        os.write(2, b"c")
        logging.getLogger("paddle").warning("logged")
    print("after")
    assert capfd.readouterr() == ("after\n", "")
    with pytest.raises(ValueError, match="raised"), environment.quiet():
        raise ValueError("raised")
    assert logging.root.manager.disable == logging.NOTSET
