"""Commands that explain an expression network, calibrate it, and write the model cards."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP
from fer_paddle.arguments import count
from fer_paddle.console import OK, bar, fail_files, print_json, print_table

CARD_DATA = {
    "expression": ["fer2013_publictest.npz", "lfw_expr_dev.npz"],
    "ferplus": ["fer2013_publictest.npz", "lfw_expr_dev.npz"],
    "mouth": ["mouth_smile.npz"],
    "detector": ["facedet.tar:val", "facedet_pseudo.tar:held_out"],
}


def add_commands(commands: Any) -> None:
    """Adds explain, calibrate and card to the command line."""
    add_explain(commands)
    add_calibrate(commands)
    add_card(commands)


def add_explain(commands: Any) -> None:
    parser = commands.add_parser("explain", help="show why a face is given its name", description=explain.__doc__)
    parser.add_argument("pictures", nargs="*", help="files, folders or globs; their faces are found and explained")
    parser.add_argument("--data", help=f"labelled faces, for confusion, ROC, reliability and t-SNE: {DATA_HELP}")
    parser.add_argument("--costs", action="store_true", help="print parameters, operations, memory and time by layer")
    parser.add_argument("--weights", type=Path, help=".safetensors (default: the network that ships)")
    parser.add_argument("--layer", help="layer of Grad-CAM (default: the deepest with maps of 6 px)")
    parser.add_argument("--points", type=count, default=700, help="faces in the t-SNE layout (default: 700)")
    parser.add_argument("--out", type=Path, default=Path("out/explain"), help="folder (default: out/explain)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=explain)


def explain(args: argparse.Namespace) -> int:
    """Draws Grad-CAM, Grad-CAM++, saliency and occlusion of faces; figures of a data set; costs of the layers.

    A bad picture is named at the end, with exit code 1.
    """
    from fer_paddle.expression.files import ExpressionModel
    from fer_paddle.expression.predict import WEIGHTS

    if not (args.pictures or args.data or args.costs):
        raise ValueError("expected pictures, --data or --costs: what shall be explained?")
    model = ExpressionModel.load(args.weights or WEIGHTS.with_suffix(".safetensors"))
    network, size, classes = model.network, model.input_size, list(model.classes)
    if args.pictures and not _names_expressions(classes):
        raise ValueError(f"expected a network of expressions for pictures of faces, got one of {', '.join(classes)}")
    told: dict[str, Any] = {}
    failed: list[dict[str, str]] = []
    if args.pictures:
        told["pictures"], failed = _explain_pictures(args, network, size, classes)
        told["failed"] = failed
    if args.data:
        told["figures"] = [str(path) for path in _explain_data(args, network, size, classes)]
    if args.costs:
        from fer_paddle.analysis.complexity import layer_costs

        told["costs"] = [cost.to_json() for cost in layer_costs(network, (1, size, size), runs=20)]
    if args.json:
        print_json(told)
    else:
        _print_explained(told)
    return fail_files([(failure["file"], failure["reason"]) for failure in failed])


def _explain_pictures(
    args: argparse.Namespace, network: Any, size: int, classes: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A row for each picture, and file and reason of each that failed."""
    from fer_paddle.expression.explain import plot_explanations, save_figure
    from fer_paddle.image_files import OutputNames, find_pictures
    from fer_paddle.images import crop_square, read_image
    from fer_paddle.pipeline import MARGIN
    from yolo3tiny import Detector

    paths, find_faces = find_pictures(args.pictures, args.out), Detector()
    args.out.mkdir(parents=True, exist_ok=True)
    names, told, failed = OutputNames(args.out, paths), [], []
    for path in bar("pictures")(paths):
        try:
            image = read_image(path)
        except (ValueError, OSError) as error:
            failed.append({"file": str(path), "reason": str(error)})
            continue
        crops = [crop_square(image, box, MARGIN) for box in find_faces(image).boxes_xyxy]
        row = {"file": str(path), "faces": len(crops)}
        if crops:
            drawn = names.next_for(path.with_suffix(".png"))
            row["drawn"] = str(save_figure(plot_explanations(network, crops, size, args.layer, classes), drawn))
        told.append(row)
    return told, failed


def _explain_data(args: argparse.Namespace, network: Any, size: int, classes: Sequence[str]) -> list[Path]:
    import numpy as np

    from fer_paddle.analysis.embeddings import embed, lay_out, plot_embedding
    from fer_paddle.expression.explain import save_figure, write_figures
    from fer_paddle.images import faces_to_batch

    faces = _read_faces_of(classes, args.data)
    names = tuple(faces.counts())
    features = np.concatenate(
        [
            embed(network, faces_to_batch(faces.images[i : i + 64], size))
            for i in bar("batches")(range(0, len(faces.labels), 64))
        ]
    )
    from fer_paddle.environment import paddle
    from fer_paddle.expression.predict import softmax

    with paddle.no_grad():
        probs = softmax(network.classify(paddle.to_tensor(features)).numpy()[:, : len(names)])
    chosen = np.random.default_rng(0).permutation(len(faces.labels))[: args.points]
    points = lay_out(features[chosen], perplexity=min(30.0, (len(chosen) - 1) / 3))
    return [
        *write_figures(args.out, probs, faces.labels, names),
        save_figure(plot_embedding(points, faces.labels[chosen], names=names), args.out / "embedding.png"),
    ]


def _print_explained(told: dict[str, Any]) -> None:
    for row in told.get("pictures", ()):
        print(f"{row['file']}: {row['faces']} faces" + (f", {row['drawn']}" if "drawn" in row else ""))
    for path in told.get("figures", ()):
        print(path)
    if "costs" in told:
        names = ("parameters", "flops", "uncounted", "weight_bytes", "output_bytes")
        rows = [
            [c["name"], c["kind"], *(f"{c[name]:,}" for name in names), f"{c['time_ms']:.3f}"] for c in told["costs"]
        ]
        sums = [f"{sum(c[name] for c in told['costs']):,}" for name in names]
        rows.append(["all", "", *sums, f"{sum(c['time_ms'] for c in told['costs']):.3f}"])
        print_table(["layer", "kind", *names, "ms"], rows)


def _names_expressions(classes: Sequence[str]) -> bool:
    from fer_paddle.labels import EXPRESSIONS

    return set(EXPRESSIONS) <= set(classes)


def _read_faces_of(classes: Sequence[str], data: str) -> Any:
    """The faces of a data set for a network of these classes; for one of mouths, the mouths to measure on."""
    from fer_paddle.environment import find_data
    from fer_paddle.expression.data.faces import check_classes
    from fer_paddle.expression.data.ferplus import take_for_classes
    from fer_paddle.expression.data.mouths import read_mouths

    if _names_expressions(classes):
        return take_for_classes(_read_faces(data), classes)
    mouths = read_mouths([find_data(data)], progress=bar("pictures")).select_valid()
    check_classes(mouths, classes)
    return mouths


def _read_faces(data: str) -> Any:
    """The faces of a data set, of its PublicTest part where it has one."""
    from fer_paddle.environment import find_data
    from fer_paddle.expression.data.expressions import load_faces, take_usage

    faces = load_faces(find_data(data), progress=bar("pictures"))
    return take_usage(faces, "PublicTest" if "PublicTest" in faces.found_usages() else None, data)


def add_calibrate(commands: Any) -> None:
    parser = commands.add_parser("calibrate", help="fit the temperature of a network", description=calibrate.__doc__)
    parser.add_argument("--data", required=True, help=f"labelled faces the network has not learnt: {DATA_HELP}")
    parser.add_argument("--weights", type=Path, help=".onnx or .safetensors (default: the network that ships)")
    parser.add_argument("--write", action="store_true", help="write the temperature into the card and the ONNX file")
    parser.add_argument("--out", type=Path, help="a .png for the reliability diagrams before and after")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=calibrate)


def calibrate(args: argparse.Namespace) -> int:
    """Fits one temperature so that a network is as often right as it says; measures it on faces left out of the fit."""
    from fer_paddle.expression.calibrate import measure_calibration, plot_before_after, store_temperature
    from fer_paddle.expression.predict import WEIGHTS, load_classifier
    from fer_paddle.study import provenance

    classifier = load_classifier(args.weights)
    faces = _read_faces_of(classifier.classes, args.data)
    logits = _read_logits(classifier.runner, faces, classifier.input_size)
    found = {"data": args.data, **measure_calibration(logits, faces.labels), **provenance()}
    if args.out:
        from fer_paddle.expression.explain import save_figure

        args.out.parent.mkdir(parents=True, exist_ok=True)
        save_figure(plot_before_after(logits, faces.labels), args.out)
    if args.write:
        found["written"] = [str(path) for path in store_temperature(args.weights or WEIGHTS, found)]
    if args.json:
        print_json(found)
        return OK
    print(f"temperature {found['temperature']} from {found['faces']} faces (folds: {found['fold_temperatures']})")
    rows = [
        [name, *(f"{found[name][end]:.4f}" for end in ("value", "low", "high"))] for name in ("ece_before", "ece_after")
    ]
    print_table(["expected calibration error", "value", "low", "high"], rows)
    return OK


def add_card(commands: Any) -> None:
    parser = commands.add_parser("card", help="measure shipped weights, write their cards", description=card.__doc__)
    parser.add_argument("weights", nargs="*", type=Path, help=".onnx or .safetensors (default: all that ship)")
    parser.add_argument("--data", action="append", help="a data set, several times; photos as NAME:SPLIT")
    parser.add_argument("--text-only", action="store_true", help="write the text anew from what was measured before")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line for each")
    parser.set_defaults(run=card)


def card(args: argparse.Namespace) -> int:
    """Measures weights on their data sets, with confidence intervals; writes NAME.measured.json and NAME.md."""
    from fer_paddle.analysis.card_files import find_shipped, kind_of, read_measured, write_files

    told = []
    for weights in args.weights or find_shipped():
        measured = read_measured(weights) if args.text_only else _measure(weights, kind_of(weights), args.data)
        told.append({"weights": str(weights), "written": [str(path) for path in write_files(weights, measured)]})
    if args.json:
        print_json(told)
    else:
        for row in told:
            print(f"{row['weights']}: {', '.join(row['written'])}")
    return OK


def _measure(weights: Path, kind: str, data: list[str] | None) -> dict[str, Any]:
    from fer_paddle.study import provenance

    measure = _measure_detector if kind == "detector" else _measure_expressions
    sets = [{"data": name, **measure(weights, name)} for name in data or CARD_DATA[kind]]
    return {"kind": kind, **provenance(), "sets": sets}


def _measure_expressions(weights: Path, data: str) -> dict[str, Any]:
    from fer_paddle.deployment.runtimes import load_runner
    from fer_paddle.expression.measure import measure_expressions
    from fer_paddle.weights import load_card

    card = load_card(weights)
    faces = _read_faces_of(card["classes"], data)
    runner = load_runner(weights, "onnx" if weights.suffix == ".onnx" else "dynamic")
    logits = _read_logits(runner, faces, int(card["input_size"]))
    return measure_expressions(logits, faces, float(card.get("temperature", 1.0)))


def _read_logits(runner: Any, faces: Any, size: int) -> Any:
    """The logits of a network for the classes of the faces: without contempt where these know none, as Classifier."""
    from fer_paddle.expression.calibrate import read_logits

    return read_logits(runner, faces.images, size, bar("batches"))[:, : len(faces.counts())]


def _measure_detector(weights: Path, data: str) -> dict[str, Any]:
    from yolo3tiny.measure import measure_detector
    from yolo3tiny.predict import Detector
    from yolo3tiny.splits import choose_split, find_photos

    name, colon, split = data.rpartition(":")
    if not colon or "/" in split or "\\" in split:  # a colon within a path
        name, split = data, "val"
    return measure_detector(Detector(weights), choose_split(find_photos(name), split), bar("photos"))
