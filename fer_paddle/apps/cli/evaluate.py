"""Commands that measure an expression network: accuracy, test-time augmentation, calibration, model cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import click

from fer_paddle.console import Output, percent, shown_names, table
from fer_paddle.messages import say
from fer_paddle.options import LabeledData, Number, Runtime, ThreadCount, Weights, check_places

LATENCY_RUNS = 100
FLIP, FIVE_CROP = "flip", "five-crop"
CARD_DATA = {
    "expression": ["fer2013_publictest.npz", "lfw_expr_dev.npz"],
    "photos": ["fer2013_publictest.npz", "lfw_expr_dev.npz", "fer2013_publictest.npz:votes"],
    "ferplus": ["fer2013_publictest.npz", "lfw_expr_dev.npz"],
    "mouth": ["mouth_smile.npz"],
    "landmarks": ["landmarks68_160.npz:val", "landmarks68_160.npz:test"],
    "detector": ["facedet.tar:val", "facedet_pseudo.tar:held_out"],
}


class View(click.ParamType):
    """One kind of test-time augmentation: flip, five-crop or a scale."""

    name = "view"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | float:
        return value if value in (FLIP, FIVE_CROP) else Number(float, 0, above=True).convert(value, param, ctx)


CardData = Annotated[tuple[str, ...], f"{LabeledData.__metadata__[0]}; with --card several; photos as NAME:SPLIT"]
Split = Annotated[str | None, "train, validation or test (default: validation, else test, else all faces)"]
Write = Annotated[bool, "write the temperature into the card and the ONNX file"]
Diagrams = Annotated[Path | None, "a .png for the reliability diagrams before and after"]
TextOnly = Annotated[bool, "write the text anew from what was measured before"]


def evaluate(
    *,
    data: CardData = (),
    split: Split = None,
    weights: Annotated[tuple[Path, ...], "network (default: the one that ships); several: their mean"] = (),
    runtime: Annotated[Runtime | None, "runtime (default: the file's own)"] = None,
    threads: Annotated[ThreadCount | None, "threads of the runtime (default: it chooses)"] = None,
    tta: Annotated[
        tuple[str | float, ...], View(), "test-time augmentation: flip, five-crop, scales such as 0.9 1 1.1"
    ] = (),
    calibrate: Annotated[bool, "fit the temperature"] = False,
    write: Write = False,
    out: Diagrams = None,
    card: Annotated[bool, "measure with confidence intervals and write the model card"] = False,
    text_only: TextOnly = False,
) -> Output:
    """Measure an expression network: accuracy, recall and precision of each class, time of one face.

    --tta shows the faces in several views to one network or several, scales to .safetensors alone. --calibrate fits a
    temperature so that a network is right as often as it says. --card writes NAME.measured.json and NAME.md.
    """
    for name, given, with_, of in (
        ("--write or --out", write or out, "--calibrate", calibrate),
        ("--text-only", text_only, "--card", card),
        ("one of --tta, --calibrate and --card", (bool(tta) + calibrate + card) > 1, "no other", False),
        (
            "--runtime or --threads",
            (runtime or threads) and (tta or calibrate or card or len(weights) > 1),
            "one network and neither --tta, --calibrate nor --card",
            False,
        ),
        ("--split", split and (calibrate or card), "neither --calibrate nor --card", False),
    ):
        if given and not of:
            raise ValueError(f"expected {name} with {with_}, got it otherwise")
    if card:
        return write_cards(weights, data=data, text_only=text_only)
    if len(data) != 1:
        raise ValueError(f"expected one --data, got {len(data)}")
    if calibrate:
        if len(weights) > 1:
            raise ValueError(f"expected one network to calibrate, got {len(weights)}")
        return calibrate_network(data=data[0], weights=weights[0] if weights else None, write=write, out=out)
    if tta or len(weights) > 1:
        return _evaluate_views(data[0], split, weights, tta)
    return _evaluate(data[0], split, weights[0] if weights else None, runtime, threads)


def _evaluate(data: str, split: str | None, weights: Path | None, runtime: str | None, threads: int | None) -> Output:
    from fer_paddle.deployment.benchmark import time_runs
    from fer_paddle.deployment.runtimes import choose_runtime
    from fer_paddle.deployment.runtimes.model_files import size_on_disk
    from fer_paddle.expression.predict import Classifier, classifier_file

    runtime = choose_runtime(weights, runtime, threads)
    classifier = Classifier(weights, runtime=runtime, threads=threads or 0)
    faces, figures, text = _measure_faces(classifier, classifier.classes, data, split)
    file = classifier_file(weights, runtime)
    figures |= {
        "latency_ms": time_runs(lambda: classifier(faces.images[:1]), LATENCY_RUNS)["median_ms"],
        "weights": file.name,
        "file_bytes": size_on_disk(file),
    }
    text += say("; {:.2f} ms a face, {:.0f} kB").format(figures["latency_ms"], figures["file_bytes"] / 1000)
    return Output(figures, text)


def _evaluate_views(data: str, split: str | None, weights: Sequence[Path], tta: Sequence[str | float]) -> Output:
    from fer_paddle.expression.predict import classifier_file
    from fer_paddle.expression.tta import load_ensemble

    scales = [view for view in tta if isinstance(view, float)] or [1.0]
    paths = [classifier_file(path, None if scales == [1.0] else "dynamic") for path in weights or (None,)]
    classifier, classes = load_ensemble(paths, scales, FLIP in tta, FIVE_CROP in tta)
    _, figures, text = _measure_faces(classifier, classes, data, split)
    figures |= {"weights": [str(path) for path in paths], "data": data, "views": classifier.views}
    return Output(figures, text + say("; {} views of each").format(classifier.views))


def _measure_faces(
    classifier: Any, classes: Sequence[str], data: str, split: str | None
) -> tuple[Any, dict[str, Any], str]:
    """Return faces, figures, and these as text."""
    from fer_paddle.expression.data.expressions import load_measured
    from fer_paddle.expression.measure import evaluate_classifier

    faces = load_measured(data, classes, split)
    figures = evaluate_classifier(classifier, faces.images, faces.labels, faces.classes)
    rows = [
        [shown, *(percent(figures[kind][name]) for kind in ("recall", "precision"))]
        for name, shown in shown_names(figures["recall"]).items()
    ]
    text = say("accuracy {accuracy:.4f}, mean recall {mean_recall:.4f} over {faces} faces").format(**figures)
    if (some := figures["mean_recall_of_20"]) is not None:
        text += say(" ({:.4f} over the classes of 20 and more)").format(some)
    return faces, figures, f"{table(['class', 'recall', 'precision'], rows)}\n\n{text}"


def calibrate_network(
    *, data: LabeledData, weights: Weights = None, write: Write = False, out: Diagrams = None
) -> Output:
    """Fit one temperature so that a network is right as often as it says: `evaluate --calibrate`."""
    from fer_paddle.analysis.calibration import negative_log_likelihood
    from fer_paddle.expression.calibrate import measure_calibration, plot_before_after, store_temperature
    from fer_paddle.expression.data.expressions import load_measured
    from fer_paddle.expression.predict import Classifier, classifier_file
    from fer_paddle.study import provenance

    classifier, file = Classifier(weights), classifier_file(weights)
    if write and file.suffix.lower() not in (".onnx", ".safetensors"):
        raise ValueError(f"expected an .onnx or .safetensors network for --write, got {file}")
    check_places({"out": file}, ["out"] if write else [])
    faces = load_measured(data, classifier.classes)
    logits = _read_logits(classifier.runner, faces, classifier.input_size)
    found = {"data": data, **measure_calibration(logits, faces.labels), **provenance()}
    if out:
        from fer_paddle.analysis.plots import save_figure

        out.parent.mkdir(parents=True, exist_ok=True)
        save_figure(plot_before_after(logits, faces.labels), out)
    text = say("temperature {temperature} from {faces} faces (folds: {fold_temperatures})").format(**found)
    stored = classifier.settings.temperature
    if write and negative_log_likelihood(logits, faces.labels, stored) <= found["nll_after"]:
        text += say("; the one that is stored, {}, is as good and stays").format(stored)
    elif write:
        found["written"] = [str(path) for path in store_temperature(file, found)]
    rows = [
        [name, *(f"{found[name][end]:.4f}" for end in ("value", "low", "high"))] for name in ("ece_before", "ece_after")
    ]
    return Output(found, f"{text}\n{table(['expected calibration error', 'value', 'low', 'high'], rows)}")


def write_cards(
    weights: Annotated[tuple[Path, ...], ".onnx, .safetensors or names of `models` (default: all that ship)"] = (),
    *,
    data: Annotated[tuple[str, ...], "data sets; photos as NAME:SPLIT"] = (),
    text_only: TextOnly = False,
) -> Output:
    """Measure weights with confidence intervals, write NAME.measured.json and NAME.md: `evaluate --card`."""
    from fer_paddle.analysis.card import find_shipped, kind_of, read_measured, write_files
    from fer_paddle.weights import find_weights

    result, paths = [], [find_weights(path) for path in weights] or find_shipped()
    check_places({"out": tuple(paths)}, ["out"])
    for path in paths:
        measured = read_measured(path) if text_only else _measure(path, kind_of(path), data)
        result.append({"weights": str(path), "written": [str(written) for written in write_files(path, measured)]})
    return Output(result, "\n".join(f"{row['weights']}: {', '.join(row['written'])}" for row in result))


def _measure(weights: Path, kind: str, data: Sequence[str]) -> dict[str, Any]:
    from fer_paddle.study import provenance

    if not data and kind not in CARD_DATA:
        raise ValueError(f"expected --data to measure {weights} on, got none: its classes are your own")
    measures = {"detector": _measure_detector, "landmarks": _measure_landmarks}
    measure_one = measures.get(kind, _measure_expressions)
    sets = [{"data": name, **measure_one(weights, name)} for name in data or CARD_DATA.get(kind, ())]
    return {"kind": kind, **provenance(), "sets": sets}


def _measure_expressions(weights: Path, data: str) -> dict[str, Any]:
    from fer_paddle.expression.data.expressions import load_measured
    from fer_paddle.expression.measure import measure_expressions
    from fer_paddle.expression.predict import Classifier
    from fer_paddle.weights import load_card

    classifier = Classifier(weights)
    faces = load_measured(data, classifier.classes)
    logits = _read_logits(classifier.runner, faces, classifier.input_size)
    return measure_expressions(logits, faces, float(load_card(weights).get("temperature", 1.0)))


def _measure_detector(weights: Path, data: str) -> dict[str, Any]:
    from yolo3tiny.evaluate import measure_detector
    from yolo3tiny.predict import Detector
    from yolo3tiny.splits import load_split

    return measure_detector(Detector(weights), load_split(*_name_and_split(data)))


def _measure_landmarks(weights: Path, data: str) -> dict[str, Any]:
    from fer_paddle.apps.landmarks import load_detected
    from fer_paddle.landmarks.evaluate import measure_landmarks
    from fer_paddle.landmarks.predict import Landmarker

    return measure_landmarks(Landmarker(weights), load_detected(*_name_and_split(data)))


def _name_and_split(data: str) -> tuple[str, str]:
    name, colon, split = data.rpartition(":")
    if not colon or "/" in split or "\\" in split:  # a colon within a path
        name, split = data, "val"
    return name, split


def _read_logits(runner: Any, faces: Any, size: int) -> Any:
    """Return a network's logits for the classes of the faces: without contempt where these know none."""
    from fer_paddle.expression.calibrate import read_logits

    return read_logits(runner, faces.images, size)[:, : len(faces.classes)]
