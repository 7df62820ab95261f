"""Training over two hosts, which are network namespaces of this machine: `python tests/hosts.py FOLDER`, as root.

Each has an address, a name and a file of names of its own, and reaches the other over a virtual cable alone. Both run
the launch line of docs/commands.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDRESSES = "10.77.0.1", "10.77.0.2"
PORT = 6177
# A host resolves its own name: Paddle tells the others the address that it finds so.
ENTER = 'mount --bind "$1" /etc/hosts && hostname "$2" && shift 2 && exec "$@"'


@contextmanager
def two_hosts(folder: Path) -> Iterator[list[list[str]]]:
    """Make two hosts that are joined by a cable; yield the words that begin a command on each."""
    names = [f"fer{os.getpid()}{letter}" for letter in "ab"]
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for ip, name in zip(ADDRESSES, names)))
    with ExitStack() as stack:
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1])
        for name, address in zip(names, ADDRESSES):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", name, "link", "set", link, "up")
        inside = ["unshare", "--mount", "--uts", "sh", "-c", ENTER, "sh", str(hosts)]
        yield [["ip", "netns", "exec", name, *inside, name] for name in names]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def launch(hosts: Sequence[Sequence[str]], folder: Path, arguments: Sequence[str]) -> list[tuple[int, str]]:
    """Run a script with one process on each host; give their exit codes and what they and their processes wrote."""
    line = [sys.executable, "-m", "paddle.distributed.launch", "--nnodes", "2", "--nproc_per_node", "1"]
    line += ["--master", f"{ADDRESSES[0]}:{PORT}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = []
    for rank, host in enumerate(hosts):
        logs = folder / f"log{rank}"
        command = [*host, *line, "--rank", str(rank), "--log_dir", str(logs), *arguments]
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append((logs, process))
    done = []
    for logs, process in started:
        said = process.communicate(timeout=600)[0]
        done.append((process.returncode, said + "\n".join(path.read_text() for path in logs.glob("workerlog.*"))))
    return done


def main(folder: Path) -> None:
    """Train on drawn faces by the command line over both hosts and print what they wrote."""
    from tests.class_folders import write_drawn_faces

    write_drawn_faces(folder / "faces", 140)
    train = f"train --data {folder / 'faces'} --recipe tutorial --epochs 2 --size 24 --batch-size 16 --threads 1"
    with two_hosts(folder) as hosts:
        script = str(ROOT / "fer_paddle/__main__.py")
        for code, text in launch(hosts, folder, [script, *train.split(), "--out", str(folder / "run")]):
            print(text, f"exit code {code}", sep="\n")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(Path(sys.argv[1]).resolve())
