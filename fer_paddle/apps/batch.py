"""Labels millions of images by Ray Data, on one machine or a cluster, into a folder of Parquet files.

`_plan.parquet` says which images belong to which part. A worker labels one part after another and puts each in place
whole, as the one row group of `part-NUMBER.parquet`; a part is done once that file has as many rows as planned. So a
worker that dies costs its part, which Ray gives to another, a driver that dies the parts under way, and a part that is
done twice replaces its file by the same. The plan notes size and time of each image, and the network's digest: a part
with an image that has changed is labeled again. A worker notes in `_begun-NUMBER` each image before it reads it, so an
image that ends worker after worker is told from the others, and not read a fourth time. What reads Parquet folders
skips names that begin with `_`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray

from fer_paddle.environment import sigterm_kept
from fer_paddle.expression.predict import Classifier, classifier_file
from fer_paddle.files import clear_leftovers, file_digest, hold, replacing
from fer_paddle.image_files import annotate_files
from fer_paddle.images import list_images
from fer_paddle.messages import track
from fer_paddle.pipeline import Pipeline
from fer_paddle.study import differing_fields
from fer_paddle.weights import DETECTION, find_weights
from yolo3tiny.predict import DEFAULT, Detector

PLAN = "_plan.parquet"
MOST_DEATHS = 3  # at one image; the first may have another cause, such as the end of the driver


def label_folder(
    data: Path, out: Path, settings: dict[str, Any], workers: int, part_size: int = 500, resume: bool = False
) -> dict[str, int]:
    """Label every image of a folder and those below it: one row an image, with an `error` where it is unreadable.

    Args:
        data: Folder of images. On a cluster all machines see it and `out` under the same path.
        out: Folder of the parts. Columns: file (below `data`), width, height, faces (box_xyxy in pixels, score, label,
            sure, probs by class), error.
        settings: `weights`, `detector`, `min_score` and `min_face`, see Classifier, Detector and Pipeline.
        workers: Processes that label, a core each.
        part_size: Images of a part.
        resume: Go on with what is in `out`; images that have come since make new parts, and a part with an image that
            has changed or is gone is labeled again.

    Returns:
        `images` and `failed` of all parts, `parts`, and `done_now`, the parts of this run.

    Raises:
        ValueError: There is no image; `out` has a run and `resume` is False, or one of other settings; another run
            works there.
        OSError: Ray does not start, or a worker's work fails.
    """
    found = [os.fsencode(path.relative_to(data)) for path in list_images(data)]
    Labeler(data, settings)  # what is wrong with a network is told before Ray starts
    with hold(out):
        digests = {
            "network": file_digest(classifier_file(settings["weights"])),
            "faces": file_digest(find_weights(settings["detector"] or DEFAULT, DETECTION)),
        }
        told = {"data": str(data.resolve()), **settings, **digests}
        parts = _plan(found, out, told, part_size, resume)
        files = [_file(out, number) for number in range(len(parts))]
        numbers = [number for number, file in enumerate(files) if not _is_done(file, len(parts[number]))]
        if numbers:
            rows = [{"part": str(files[number].resolve()), "files": parts[number]} for number in numbers]
            try:
                for _ in zip(track(numbers, "parts"), _run(rows, data, settings, workers), strict=True):
                    pass
            finally:
                clear_leftovers(out)  # of workers that died, or were stopped
    failed = sum(len(errors) - errors.null_count for errors in (pq.read_table(file)["error"] for file in files))
    return {"images": sum(map(len, parts)), "failed": failed, "parts": len(parts), "done_now": len(numbers)}


class Labeler:
    """The pipeline in a worker, loaded once; labels parts and writes them."""

    def __init__(self, data: Path, settings: dict[str, Any]):
        # One thread a network: the workers are what fills the cores.
        detector = Detector(settings["detector"], threads=1)
        classifier = Classifier(settings["weights"], threads=1)
        self.pipeline = Pipeline(detector, classifier, min_face=settings["min_face"])
        self.data, self.min_score = data, settings["min_score"]
        self.schema = make_schema(self.pipeline.classes)

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        """Label the `files` of a `part`."""
        begun = _begun(Path(row["part"]))
        paths = {str(self.data / os.fsdecode(file)): os.fsdecode(file) for file in row["files"]}
        deaths = _count_deaths(begun)
        ended = "expected to label the image, but it ended {} workers, as by a crash or for want of memory"
        failed = [(path, ended.format(deaths[path])) for path in paths if deaths[path] >= MOST_DEATHS]
        left = [Path(path) for path in paths if deaths[path] < MOST_DEATHS]
        records, unreadable = annotate_files(_note(left, begun), None, self._label)
        for path, reason in failed + unreadable:
            records.append({"file": path, "faces": [], "error": _printable(reason)})
        for record in records:
            record["file"] = _printable(paths[record["file"]])
        with replacing(row["part"]) as temporary:
            pq.write_table(pa.Table.from_pylist(records, self.schema), temporary, row_group_size=len(records))
        return {"part": row["part"]}

    def _label(self, image: np.ndarray, scale: float) -> tuple[dict[str, Any], None]:
        faces = self.pipeline(image, min_score=self.min_score, min_face=self.pipeline.min_face / scale)
        return {"faces": [face.to_json() for face in faces]}, None


def make_schema(classes: Sequence[str]) -> pa.Schema:
    """Return the columns of a part: float64, in which a number of JSON stays what it is."""
    probs = pa.struct([(name, pa.float64()) for name in classes])
    face = [("box_xyxy", pa.list_(pa.float64())), ("score", pa.float64()), ("label", pa.string()), ("sure", pa.bool_())]
    faces = pa.list_(pa.struct([*face, ("probs", probs)]))
    sizes = [("width", pa.int32()), ("height", pa.int32())]
    return pa.schema([("file", pa.string()), *sizes, ("faces", faces), ("error", pa.string())])


def _printable(text: str) -> str:
    """Escape the bytes of a file's name that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _file(out: Path, number: int) -> Path:
    return out / f"part-{number:06d}.parquet"


def _begun(part: Path) -> Path:
    return part.with_name(part.stem.replace("part", "_begun"))


def _note(paths: Iterable[Path], begun: Path) -> Iterator[Path]:
    """Give images, each noted before: a line a worker, names as JSON between tabs; after the last the notes go."""
    with begun.open("ab", buffering=0) as file:
        file.write(b"\n")
        for path in paths:
            file.write(f"{json.dumps(str(path))}\t".encode())
            yield path
    begun.unlink(missing_ok=True)


def _count_deaths(begun: Path) -> Counter[str]:
    """Count how many workers ended at an image: the last that each noted."""
    lines = begun.read_text("ascii").splitlines() if begun.exists() else []
    return Counter(json.loads(line.split("\t")[-2]) for line in lines if "\t" in line)


def _plan(
    found: Sequence[bytes], out: Path, settings: dict[str, Any], part_size: int, resume: bool
) -> list[list[bytes]]:
    """Return the files of each part: those planned in `out`, then new ones in parts of their own; note them there."""
    parts: list[list[bytes]] = []
    stamps: list[list[list[int]]] = []
    if (out / PLAN).exists():
        if not resume:
            raise ValueError(f"expected a folder without a run, got {out} with one: resume it or choose another folder")
        table = pq.read_table(out / PLAN)
        if differing := differing_fields(settings, json.loads(table.schema.metadata[b"settings"])):
            raise ValueError(f"expected the settings of the run in {out}, got others: {', '.join(differing)}")
        parts, stamps = table["files"].to_pylist(), table["stamps"].to_pylist()
    known = {file for files in parts for file in files}
    new = [file for file in found if file not in known]
    if not known and not new:
        raise ValueError(f"expected images in {settings['data']}, found none")
    parts += [new[start : start + part_size] for start in range(0, len(new), part_size)]
    now = [[_stamp(Path(settings["data"], os.fsdecode(file))) for file in files] for files in parts]
    for number, (before, after) in enumerate(zip(stamps, now)):
        if before != after:
            for file in (_file(out, number), _begun(_file(out, number))):
                file.unlink(missing_ok=True)
    if now != stamps:
        columns = {"files": pa.list_(pa.binary()), "stamps": pa.list_(pa.list_(pa.int64()))}
        table = pa.table({name: pa.array(rows, columns[name]) for name, rows in (("files", parts), ("stamps", now))})
        with replacing(out / PLAN) as temporary:
            pq.write_table(table.replace_schema_metadata({"settings": json.dumps(settings)}), temporary)
    return parts


def _stamp(path: Path) -> list[int]:
    """Return size and time of change of an image, nothing where it is gone or out of reach, as a link to itself."""
    try:
        told = path.stat()
    except OSError:
        return []
    return [told.st_size, told.st_mtime_ns]


def _is_done(file: Path, rows: int) -> bool:
    try:
        return pq.read_metadata(file).num_rows == rows
    except (FileNotFoundError, pa.ArrowInvalid):  # a machine that lost its power may leave an empty file
        return False


def _run(
    rows: Sequence[dict[str, Any]], data: Path, settings: dict[str, Any], workers: int
) -> Iterator[dict[str, str]]:
    """Label parts in the cluster that RAY_ADDRESS names, or else on this machine; yield them as they are done.

    Ray Data starts an actor that died again, and gives its part to another, without end.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports to its makers
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else each start of a worker is an error
    here = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers, "include_dashboard": False}
    try:
        with sigterm_kept():
            ray.init(log_to_driver=False, logging_level="ERROR", **here)
        ray.data.DataContext.get_current().enable_progress_bars = False
        pool = ray.data.ActorPoolStrategy(size=min(workers, len(rows)))
        parts = ray.data.from_items(list(rows), override_num_blocks=len(rows))
        yield from parts.map(
            Labeler, compute=pool, fn_constructor_args=(data.resolve(), settings), num_cpus=1
        ).iter_rows()
    except Exception as error:  # Ray's own errors share no narrower base
        raise OSError(f"expected Ray to label every part, but it stopped: {error}") from error
    finally:
        ray.shutdown()
