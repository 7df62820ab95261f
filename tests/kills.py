"""Commands killed by SIGKILL at random moments and started again; as a script: `python tests/kills.py 20`."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Seconds of the processor that each command takes from its first change to its end; a kill may also come too late.
CPU_SECONDS = {"train": 2.5, "collect": 0.1, "study": 1.0}
_LEFTOVER = re.compile(r"\..*|.*\.tmp")


def command(name: str, data: Path, out: Path) -> list[str]:
    """Return one short command that writes into a folder."""
    arguments = {
        "train": f"train --data {data} --recipe tutorial --model vgg8_tiny --epochs 2 --size 24 --batch-size 8 "
        f"--threads 1 --resume --out {out}",
        "collect": f"collect clean {data} --out {out}",
        "study": f"study compare --data {data} --models vgg8_tiny vgg8_flat --epochs 1 --size 24 --threads 1 "
        f"--runs 1 --out {out}",
    }[name]
    return [sys.executable, "-m", "fer_paddle", *arguments.split()]


def kill_at(process: subprocess.Popen, out: Path, cpu_seconds: float) -> bool:
    """Send SIGKILL to a process and its children while it writes the next temporary file after a moment.

    The moment is so many seconds of the processor after the first change of the folder; False: it ended before.
    """
    ticks = os.sysconf("SC_CLK_TCK")
    before, start = set(out.glob("*")), None
    while process.poll() is None:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        used = (int(fields[11]) + int(fields[12])) / ticks
        if start is None and set(out.glob("*")) != before:
            start = used
        if start is not None and used - start >= cpu_seconds and any(one.endswith(".tmp") for one in leftovers(out)):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False


def leftovers(folder: Path) -> list[str]:
    """Return hidden and temporary files in a folder and beside it."""
    found = [f"{place}/{name}" for place, folders, files in os.walk(folder.parent) for name in folders + files]
    return sorted(path for path in found if _LEFTOVER.fullmatch(Path(path).name))


def run(name: str, kills: int, folder: Path, rng: random.Random) -> int:
    """Kill a command so often, let it end, and check what it leaves; return how many kills came in time."""
    from tests.class_folders import write_drawn_faces

    data, out = folder / "data", folder / "out" / name
    if not data.is_dir():
        write_drawn_faces(data, 70)
    out.parent.mkdir(exist_ok=True)
    in_time = 0
    for _ in range(4 * kills):
        if in_time == kills:
            break
        started = subprocess.Popen(
            command(name, data, out),
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if kill_at(started, out, rng.uniform(0, CPU_SECONDS[name])):
            in_time += 1
        else:  # it has ended: from the beginning again
            shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run(command(name, data, out), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    assert leftovers(out) == [], leftovers(out)
    return in_time


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        for number, one in enumerate(CPU_SECONDS):
            share = int(sys.argv[1]) // 3 + (number < int(sys.argv[1]) % 3)
            print(
                one, f"{run(one, share, Path(place), chance)} of {share} kills in time, nothing left behind", flush=True
            )
