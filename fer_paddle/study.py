"""Studies: the rows of a comparison, kept one by one in a JSON file that says where they come from.

A study that was stopped goes on with the row it was at; with other settings or other data it is refused.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from fer_paddle import files
from fer_paddle.environment import versions
from fer_paddle.messages import track

Row = Mapping[str, Any]


class Study:
    """The `rows` of one study; what is added to `content` is kept by the next `save`.

    `path` None keeps the rows in memory. A file with other `settings`, or other `data` (digests by name), is refused;
    `data_changed` goes on all the same with other data, and keeps the former digests. `provenance` is never compared.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        settings: Mapping[str, Any],
        provenance: Mapping[str, Any] | None = None,
        data: Mapping[str, str] | None = None,
        data_changed: bool = False,
    ):
        self.path, self.data_changed = None if path is None else Path(path), data_changed
        settings, digests = json.loads(json.dumps([settings, data or {}]))
        former: dict[str, Any] = {"settings": settings, "rows": []}
        if self.path is not None and self.path.is_file():
            former = files.read_json(self.path, "a study")
        rows, known = former.get("rows"), former.get("settings", {})
        if not isinstance(known, dict) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError(f"expected a study with rows in {self.path}, got none")
        self.rows: list[dict[str, Any]] = rows
        differing = differing_fields(settings, known)
        if other_data := differing_fields(digests, former.get("data_digests") or digests, "data."):
            if data_changed:
                former["former_data"] = [*former.get("former_data", []), former["data_digests"]]
            else:
                differing += other_data
        if differing:
            got = ", ".join(differing)
            hint = "" if differing != other_data else " (--data-changed goes on all the same)"
            raise ValueError(f"expected the settings and data of the study in {self.path}, got others: {got}{hint}")
        known = {"settings": settings, **({"data_digests": digests} if digests else {}), "rows": self.rows}
        self.content: dict[str, Any] = {**(provenance or {}), **known}
        self.content |= {name: value for name, value in former.items() if name not in self.content}

    def find(self, row: Row) -> list[dict[str, Any]]:
        """Return the rows that have all the fields of `row`."""
        return [found for found in self.rows if all(found.get(name) == value for name, value in row.items())]

    def run(self, rows: Iterable[Row], make_row: Callable[[Row], Row | Sequence[Row]]) -> list[dict[str, Any]]:
        """Make the rows that are missing, and write the file after each."""
        rows = list(rows)
        missing = [row for row in rows if not self.find(row)]
        with nullcontext() if self.path is None or not missing else files.hold(self.path.parent):
            for row in track(missing, "rows"):
                with naming(row):
                    made = make_row(row)
                made = [{**row, **fields} for fields in ([made] if isinstance(made, Mapping) else made)]
                self.rows += json.loads(files.to_json(made))
                self.save()
        return [found for row in rows for found in self.find(row)]

    def save(self) -> None:
        """Write the file."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(self.path, self.content)


@contextmanager
def naming(row: Row) -> Iterator[None]:
    """Name the row of a study in the error of a training whose numbers are not finite."""
    try:
        yield
    except ArithmeticError as error:
        fields = ", ".join(f"{name} {value}" for name, value in row.items())
        raise type(error)(f"{error} ({fields})") from error


def provenance(program: str = "python -m fer_paddle", **more: Any) -> dict[str, Any]:
    """Return what a measured figure says of itself: `command`, `date`, `versions` with the machine, and `more`."""
    command = shlex.join([*program.split(), *sys.argv[1:]])
    return {"command": command, **more, "date": datetime.date.today().isoformat(), "versions": versions()}


def digest(*parts: Any) -> str:
    """Return 16 hexadecimal digits of arrays, sequences of arrays, or JSON values; they change with any value."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape} ".encode() + np.ascontiguousarray(part).tobytes())
        elif isinstance(part, Sequence) and not isinstance(part, (str, bytes)):
            found.update(f"{len(part)} ".encode() + "".join(digest(one) for one in part).encode())
        else:
            found.update(json.dumps(part, sort_keys=True).encode())
    return found.hexdigest()[:16]


def differing_fields(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name the fields of two JSON objects that differ, with both values: `recipe.epochs (3, was 2)`."""
    found = []
    for name in sorted(ours.keys() | theirs.keys()):
        our, their = ours.get(name), theirs.get(name)
        if isinstance(our, Mapping) and isinstance(their, Mapping):
            found += differing_fields(our, their, f"{prefix}{name}.")
        elif our != their:
            found.append(f"{prefix}{name} ({our!r}, was {their!r})")
    return found


def check_rule(path: Path, records: Iterable[Mapping[str, Any]], rule: Mapping[str, Any]) -> None:
    """Refuse to go on by another rule than the earlier records of a file say; ValueError names what differs."""
    for theirs in (record["rule"] for record in records if record.get("rule", rule) != rule):
        differing = ", ".join(differing_fields(rule, theirs))
        raise ValueError(
            f"expected the rule of the earlier run of {path}, got another: {differing}: choose another folder"
        )
