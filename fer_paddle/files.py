"""Files that appear whole or not at all, digests, JSON, csv and text, a folder held by one process."""

from __future__ import annotations

import csv
import errno
import functools
import hashlib
import itertools
import json
import logging
import math
import os
import platform
import re
import shutil
import sys
import time
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
_TEMPORARY = re.compile(r"\..*\.(\d+)(?:-\d+)?(?:-([0-9a-f]{8}))?\.tmp", re.DOTALL)  # process and machine
_MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"
_ELSEWHERE_SECONDS = 24 * 3600  # what a machine on a shared disk has not touched for so long, it has left
_LONGEST_NAME = 50  # bytes; most file systems allow 255
_counter = itertools.count()
_LOCK = ".lock"
# Of a JSON, a table or a list: parsed, a text takes about ten times its bytes of memory.
MAX_TEXT_BYTES = 50 << 20
_LONGEST_LINE = 200_000  # characters


def temporary_name(path: str | os.PathLike[str]) -> Path:
    """Return an unused hidden name beside `path`, once what killed runs left there is cleared."""
    path = Path(path)
    _clear_once(path.parent)
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST_NAME])
    return path.with_name(f".{name}.{os.getpid()}-{next(_counter)}-{_MACHINE}.tmp")


@contextmanager
def _named(path: str | os.PathLike[str], temporary: Path) -> Iterator[None]:
    """Let an error of the disk, such as a full one, name the path that is written, not a temporary one or none."""
    try:
        yield
    except OSError as error:
        names = [name for name in (error.filename, error.filename2) if isinstance(name, (str, os.PathLike))]
        is_ours = not names or any(Path(name).is_relative_to(temporary) for name in names)
        if error.errno is not None and is_ours:  # without a number it has a text of its own
            error.filename = os.fspath(path)
            del error.filename2  # that of a copy or a new name
        raise


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` at the end; an error leaves the old file alone."""
    temporary = temporary_name(path)
    try:
        with _named(path, temporary):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def temporary_folder(beside: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new folder beside a path, on the same disk, and remove it at the end."""
    folder = temporary_name(beside)
    try:
        with _named(beside, folder):
            folder.mkdir()
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new folder and put it in the place of `path` at the end; an error leaves what is there alone."""
    with temporary_folder(path) as aside:
        new, former = aside / "new", aside / "former"
        new.mkdir()
        yield new
        if Path(path).exists():
            os.replace(path, former)
        try:
            os.replace(new, path)
        except OSError:
            if former.exists():
                os.replace(former, path)
            raise


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files to temporary names, then rename all of them."""
    with ExitStack() as stack:
        for path, content in contents.items():
            stack.enter_context(replacing(path)).write_bytes(content)


def clear_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove temporary files and folders in `folder` whose process was killed."""
    folder = Path(folder)
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _TEMPORARY.fullmatch(path.name)
        if match is None or _is_used(path, int(match[1]), match[2] or _MACHINE):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


_clear_once = functools.cache(clear_leftovers)  # a folder of many files is looked through by a process once


def _is_used(path: Path, process: int, machine: str) -> bool:
    """Return whether a process may still write a temporary file or folder."""
    if machine == _MACHINE:
        return _is_running(process)
    try:
        return time.time() - path.lstat().st_mtime < _ELSEWHERE_SECONDS
    except FileNotFoundError:  # its process has just renamed it
        return True


def _is_running(process: int) -> bool:
    """Return whether a process of this machine has the id; unknown on Windows, where it counts as running."""
    if os.name == "nt":
        return True  # there os.kill(process, 0) would end it
    try:
        os.kill(process, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    except OverflowError:
        return False
    return True


@contextmanager
def hold(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a folder in a `with` block and clear what killed runs left in it; ValueError says which process holds it."""
    from filelock import FileLock, Timeout

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock, named = FileLock(folder / _LOCK), functools.partial(_named, folder, folder / _LOCK)
    try:
        with named():
            lock.acquire(timeout=0)
    except Timeout as error:
        try:
            holder = (folder / _LOCK).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            holder = ""
        raise ValueError(
            f"expected no other run in {folder}, but {holder or 'another process'} works there: "
            "wait for its end or choose another folder"
        ) from error
    try:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        with named():
            (folder / _LOCK).write_text(f"process {os.getpid()} ({command})\n", encoding="utf-8", errors="replace")
        clear_leftovers(folder)
        yield
    finally:
        if os.name != "nt":  # there filelock removes the file itself, after the release
            (folder / _LOCK).unlink(missing_ok=True)
        lock.release()


def read_bytes(path: str | os.PathLike[str], most: int = MAX_TEXT_BYTES) -> bytes:
    """Read a file, but none of more than `most` bytes, nor a pipe or device, which might never end (ValueError)."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"expected a regular file at {path}, got another kind")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"expected at most {most >> 20} MB in {path}, got {path.stat().st_size >> 20} MB")
    return content


def read_text(path: str | os.PathLike[str], most: int = MAX_TEXT_BYTES) -> str:
    """Read a text in UTF-8, with or without its mark; ValueError: it is in another encoding, or see `read_bytes`."""
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected text in UTF-8 in {path}, got: {error}") from error


def parse_numbers(line: str, counts: Collection[int], where: str) -> list[float]:
    """Return the finite numbers of a line; ValueError names `where` it is: their count is none of `counts`."""
    try:
        found = [float(word) for word in line.split()]
    except ValueError:
        found = []
    if len(found) not in counts or not all(map(math.isfinite, found)):
        raise ValueError(f"{where}: expected {' or '.join(map(str, counts))} numbers, got {line.strip()[:60]!r}")
    return found


def largest_content(path: str | os.PathLike[str]) -> int:
    """Return how many bytes a packed file may unpack to, before it is taken for a decompression bomb."""
    return (256 << 20) + 20 * Path(path).stat().st_size


def each_once(sources: Sequence[str | os.PathLike[str]]) -> Sequence[str | os.PathLike[str]]:
    """Return names or paths of data sets; ValueError where two are the same."""
    if len({os.path.realpath(source) for source in sources}) < len(sources):
        raise ValueError(f"expected each data set once, got {', '.join(map(str, sources))}")
    return sources


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def to_json(content: Any, **style: Any) -> str:
    """Return JSON, which has no NaN: a figure that is not finite, as the recall of a class without faces, is null."""
    return json.dumps(_finite(content), allow_nan=False, **style)


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def is_number(value: Any, kind: type = Real) -> bool:
    """Return whether a JSON value is a number: in Python true and false would be, as 1 and 0."""
    return isinstance(value, kind) and not isinstance(value, bool)


def check_number(name: str, value: Any, least: float = 0, most: float = math.inf) -> None:
    """Raise ValueError where a setting is no finite number from `least` to `most`."""
    if not is_number(value) or not math.isfinite(value) or not least <= value <= most:
        bounds = f"of {least:g} or more" if most == math.inf else f"in {least:g}..{most:g}"
        raise ValueError(f"expected {name} {bounds}, got {value!r}")


def check_integer(name: str, value: Any, least: float = 0, most: float = math.inf) -> None:
    """Raise ValueError where a setting is no integer from `least` to `most`."""
    if not is_number(value, Integral):
        raise ValueError(f"expected an integer as {name}, got {value!r}")
    check_number(name, value, least, most)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write JSON, whole or not at all; bytes of a file name that are not UTF-8 are escaped."""
    text = to_json(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def read_json(path: str | os.PathLike[str], description: str = "a JSON file") -> dict[str, Any]:
    """Read one JSON object; `description` names a missing file, anything else is a ValueError with the path."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"expected {description} at {path}, found none")
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON in {path}, got: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"expected a JSON object in {path}, got {type(content).__name__}")
    return content


def read_json_lines(path: str | os.PathLike[str], missing_ok: bool = False) -> list[dict[str, Any]]:
    """Read one JSON object per line, without a last line that was cut off; ValueError: another line is damaged."""
    if missing_ok and not Path(path).is_file():
        return []
    *lines, rest = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    if rest:
        logger.warning("%s: the last line was cut off and is left out", path)
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"expected JSON in line {number} of {path}, got {line[:60]!r}") from error
        if not isinstance(record, dict):
            raise ValueError(f"expected a JSON object in line {number} of {path}, got {line[:60]!r}")
        records.append(record)
    return records


def append_json_line(path: str | os.PathLike[str], record: Mapping[str, Any]) -> None:
    """Append a line, replacing one that a crash cut off."""
    with _named(path, Path(path)), Path(path).open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(to_json(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")


def read_table(
    path: str | os.PathLike[str], expected: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, cells by column name) of a csv with the expected columns, in any case; skip empty lines."""
    path, names = Path(path), {name.lower(): name for name in (*expected, *optional)}
    if not path.is_file():
        raise FileNotFoundError(f"expected a csv, found no file at {path}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        # A longer line, which no csv of ours has, is cut into two and refused, instead of read whole.
        reader = csv.reader(iter(lambda: file.readline(_LONGEST_LINE), ""), skipinitialspace=True)
        try:
            header = [names.get(name.strip().lower(), name.strip()) for name in next(filter(any, reader), [])]
            if missing := [name for name in expected if header.count(name) != 1]:
                got = ", ".join(header)[:200] or "none"
                raise ValueError(f"expected the columns {', '.join(expected)} in {path}, got {got}: no {missing[0]}")
            for row in filter(any, reader):
                if len(row) != len(header):
                    got = f"{len(row)} in line {reader.line_num}"
                    raise ValueError(f"expected {len(header)} columns in each line of {path}, got {got}")
                yield reader.line_num, dict(zip(header, map(str.strip, row)))
        except csv.Error as error:
            raise ValueError(f"expected a csv at {path}, got in line {reader.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"expected a csv in UTF-8 at {path}, got: {error}") from error
