"""The command that explains an expression network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fer_paddle.console import Output, table, visible
from fer_paddle.options import FACES, FaceDetector, PositiveInt, Weights, check_places


def explain(
    images: Annotated[tuple[str, ...], "files, folders or globs; their faces are found and explained"] = (),
    *,
    data: Annotated[str | None, f"labeled faces, for confusion, ROC, reliability and t-SNE: {FACES}"] = None,
    costs: Annotated[bool, "print parameters, operations, memory and time by layer"] = False,
    weights: Weights = None,
    detector: FaceDetector = None,
    points: Annotated[PositiveInt, "faces in the t-SNE layout"] = 700,
    out: Annotated[Path | None, "folder of the figures (default: out/explain)"] = None,
) -> Output:
    """Draw Grad-CAM, Grad-CAM++, saliency and occlusion of faces; figures of a data set; costs of the layers.

    A bad image is named at the end, with exit code 1.
    """
    from fer_paddle.expression.files import ExpressionModel
    from fer_paddle.expression.predict import classifier_file

    if not (images or data or costs):
        raise ValueError("expected images, --data or --costs to explain, got none")
    out = out or Path("out/explain")
    check_places({"out": out, "data": data}, ["out"] if images or data else [])  # costs are not written
    model = ExpressionModel.load(classifier_file(weights, "dynamic"))
    network, size, classes = model.network, model.input_size, model.classes
    result: dict[str, Any] = {}
    lines: list[str] = []
    failed: list[tuple[str, str]] = []
    if images:
        result["images"], failed = _explain_images(images, detector, network, size, classes, out)
        result["failed"] = [{"file": file, "reason": reason} for file, reason in failed]
        for row in result["images"]:
            drawn = f", {out / row['drawn']}" if "drawn" in row else ""
            lines.append(f"{visible(row['file'])}: {row['faces']} faces{drawn}")
    if data:
        result["figures"] = [str(path) for path in _explain_data(data, network, size, classes, points, out)]
        lines += result["figures"]
    if costs:
        from fer_paddle.analysis.complexity import layer_costs

        result["costs"] = [cost.to_json() for cost in layer_costs(network, (1, size, size), runs=20)]
        lines.append(_table_of_costs(result["costs"]))
    return Output(result, "\n".join(lines), failed)


def _explain_images(
    patterns: Sequence[str], detector: Path | None, network: Any, size: int, classes: Sequence[str], out: Path
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return a row for each image, and file and reason of each that failed."""
    from fer_paddle.analysis.plots import save_figure
    from fer_paddle.expression.explain import plot_explanations
    from fer_paddle.image_files import annotate_files, find_images, read_ours
    from fer_paddle.images import crop_square
    from fer_paddle.pipeline import MARGIN
    from yolo3tiny import Detector

    find_faces, results = Detector(detector), out / "explained.json"

    def annotate(image: Any, scale: float) -> tuple[dict[str, Any], Any]:
        crops = [crop_square(image, box, MARGIN) for box in find_faces(image).boxes_xyxy]
        figure = plot_explanations(network, crops, size, names=classes) if crops else None
        return {"faces": len(crops)}, figure

    paths = find_images(patterns, out, read_ours(results))
    return annotate_files(paths, results, annotate, lambda path, figure: save_figure(figure, path), ".png")


def _explain_data(data: str, network: Any, size: int, classes: Sequence[str], points: int, out: Path) -> list[Path]:
    import numpy as np

    from fer_paddle.analysis.embeddings import embed, lay_out, plot_embedding
    from fer_paddle.analysis.plots import save_figure
    from fer_paddle.expression.data.expressions import load_measured
    from fer_paddle.expression.explain import write_figures
    from fer_paddle.images import predict

    faces = load_measured(data, classes)
    names = faces.classes
    features = predict(partial(embed, network), faces.images, size)
    from fer_paddle.analysis.metrics import softmax
    from fer_paddle.environment import paddle

    with paddle.no_grad():
        probs = softmax(network.classify(paddle.to_tensor(features)).numpy()[:, : len(names)])
    chosen = np.random.default_rng(0).permutation(len(faces.labels))[:points]
    layout = lay_out(features[chosen], perplexity=min(30.0, (len(chosen) - 1) / 3))
    return [
        *write_figures(out, probs, faces.labels, names),
        save_figure(plot_embedding(layout, faces.labels[chosen], names=names), out / "embedding.png"),
    ]


def _table_of_costs(costs: Sequence[dict[str, Any]]) -> str:
    names = ("parameters", "flops", "uncounted", "weight_bytes", "output_bytes")
    rows = [[c["name"], c["kind"], *(f"{c[name]:,}" for name in names), f"{c['time_ms']:.3f}"] for c in costs]
    sums = [f"{sum(c[name] for c in costs):,}" for name in names]
    rows.append(["all", "", *sums, f"{sum(c['time_ms'] for c in costs):.3f}"])
    return table(["layer", "kind", *names, "ms"], rows)
