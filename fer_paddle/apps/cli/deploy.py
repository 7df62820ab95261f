"""Commands that carry networks elsewhere and time them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fer_paddle.console import FAILED, OK, Output, fail, table
from fer_paddle.messages import say, track
from fer_paddle.options import FACES, Batch, Int, Number, PositiveInt, Runs, Runtime, Side, ThreadCount

PARITY_IMAGES = 256
TABLE, IMAGE = "benchmark.json", "benchmark.png"


def models(
    pattern: Annotated[str, 'names, such as "distresnet*"'] = "*",
    *,
    runs: Annotated[int, Number(int, 0, 10**6), "timed runs of each in ONNX Runtime on one thread; 0: none"] = 20,
) -> Output:
    """List the networks that ship: what each does, how well, how large, how fast here; `--weights` takes the names."""
    from fer_paddle.apps.speed import time_side_by_side
    from fer_paddle.weights import find_weights
    from fer_paddle.zoo import list_models

    found = list_models(pattern)
    times = time_side_by_side([find_weights(one.name) for one in found], runs=runs) if runs else [{}] * len(found)
    content, rows = [], []
    for one, time in zip(found, times):
        latency_ms = time.get("median_ms", one.latency_ms)
        content.append({**asdict(one), "latency_ms": latency_ms})
        figures = (f"{value:{form}}" if value else "-" for value, form in ((one.accuracy, ".3f"), (latency_ms, ".2f")))
        sizes = f"{one.parameters:,}", f"{one.file_kb:,.0f}"
        rows.append([one.name, one.task, len(one.classes), one.input_size, *sizes, *figures])
    header = ["name", "task", "classes", "px", "parameters", "kB", "accuracy or AP", "ms"]
    return Output(content, table(header, rows))


def export(
    *,
    weights: Annotated[Path, ".safetensors of a run, .onnx (to write .param, .mnn or .tflite), or a name of `models`"],
    out: Annotated[
        Path, "file to write: .onnx, .pdmodel (Paddle Inference), .param (ncnn, its .bin beside it), .mnn or .tflite"
    ],
    data: Annotated[
        str | None, f"real faces to compare on: {FACES}; for a detector photos with boxes (default: drawn ones)"
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        "of the weights stored: fp16 for .param, int8 for .mnn, both for .tflite; not compared to 1e-4 then",
    ] = "fp32",
    opset: Annotated[
        int, Number(int, 9, 16), "ONNX's version, of an .onnx file from .safetensors; 10 for OpenCV 4.6"
    ] = 13,
    batch: Annotated[Batch | None, "images of a run, fixed, of such a file (default: any number)"] = None,
    labels: Annotated[
        Literal["both", "fer2013", "ferplus"], "label set that a network of two, such as vgg8.photos, answers by"
    ] = "both",
) -> Output:
    """Write an expression network or a face detector for a runtime, with classes, size and normalization.

    Compares it with Paddle (an .onnx file with ONNX Runtime) on 256 images, writes the report beside it, and refuses
    with exit code 1 where an output differs by more than 1e-4 in fp32. `export web` writes a page for browsers.
    """
    from fer_paddle.environment import find_data
    from fer_paddle.expression.export import export_expression_network
    from fer_paddle.landmarks.predict import TASK as LANDMARKS
    from fer_paddle.weights import DETECTION, NETWORK_OF, find_weights
    from fer_paddle.zoo import task_of
    from yolo3tiny.export import export_detector
    from yolo3tiny.keypoint.predict import TASK as KEYPOINT

    weights = find_weights(weights, suffix=".onnx" if out.suffix in (".param", ".mnn", ".tflite") else ".safetensors")
    name, task = Path(data or "").name, task_of(weights)
    if task not in ("expression", DETECTION) and (task, weights.suffix) != (LANDMARKS, ".onnx"):
        known = "an expression network or a face detector, or a landmark network as .onnx"
        makers = {KEYPOINT: "python -m yolo3tiny keypoint export", LANDMARKS: "python -m fer_paddle landmarks train"}
        hint = f"; {makers[task]} writes its .onnx file" if task in makers else ""
        raise ValueError(f"{weights}: expected {known}, got {NETWORK_OF.get(task or '', 'another network')}{hint}")
    if task == DETECTION:
        if labels != "both":
            raise ValueError(f"expected an expression network for --labels, got the detector {weights}")
        from yolo3tiny.photos import ALL
        from yolo3tiny.splits import find_photos

        photos = (one.read() for one in track(find_photos(data, [ALL])[:PARITY_IMAGES], "photos")) if data else None
        parity = export_detector(weights, out, photos, f"photos of {name}", precision, opset, batch)
    else:
        from fer_paddle.expression.data.expressions import load_faces

        faces = load_faces(find_data(data)).images[:PARITY_IMAGES] if data else None
        parity = export_expression_network(weights, out, faces, f"faces of {name}", precision, opset, batch, labels)
    figures = out, parity.reference, parity.max_difference, parity.mean_difference, parity.inputs
    text = say("{}: from {} at most {:.2g}, on average {:.2g}, over {} {}").format(*figures, say(parity.description))
    if parity.top1_agreement is not None:
        text += say(", same class for {:.1%}").format(parity.top1_agreement)
    return Output(parity.to_json() | {"file": str(out)}, text)


def export_web(
    *,
    out: Annotated[Path, "folder to write: new, empty, or an earlier page, which is replaced"],
    weights: Annotated[Path | None, "expression network: .onnx, or a name of `models` (default: vgg8.photos)"] = None,
    detector: Annotated[Path, "face detector, or one of another class: .onnx, or a name"] = Path("yolo3lite.face"),
    landmarks: Annotated[Path, "landmark network: .onnx, or a name; none: no landmarks"] = Path("landmarks.68"),
    prior: Annotated[
        Literal["trained", "uniform"], "class shares to expect: those of the training, or as many of each class"
    ] = "trained",
    runtime: Annotated[
        Path | None, "the file of `npm pack onnxruntime-web@1.23.2` (default: ~/.cache/fer_paddle, else fetched there)"
    ] = None,
) -> Output:
    """Write the page without a server: a folder for any static host that recognizes faces in the visitor's browser.

    Images, videos and the camera never leave the browser; works offline from the second visit on; English and Chinese.
    """
    from fer_paddle.apps.browser import write_site

    marks = None if str(landmarks) == "none" else landmarks
    site = write_site(out, weights, detector, marks, None if prior == "trained" else prior, runtime)
    networks = {name: site[name]["name"] for name in ("expression", "detector", "landmarks") if name in site}
    text = f"{out}: {', '.join(networks.values())}, {site['mb']} MB; look at it: python -m http.server -d {out}"
    return Output({"folder": str(out), "mb": site["mb"], **networks}, text)


def benchmark(
    *,
    quick: Annotated[
        bool, "only detector, classifier, pipeline and a whole command, as they ship; takes --runs and --json alone"
    ] = False,
    weights: Annotated[tuple[Path, ...], "networks (default: both that ship, and their int8 files)"] = (),
    runtime: Annotated[tuple[Runtime, ...], "default: onnx openvino ncnn mnn paddle"] = (),
    precision: Annotated[tuple[Literal["fp32", "fp16", "bf16", "int8"], ...], "default: all"] = (),
    threads: Annotated[tuple[ThreadCount, ...], "threads of one run (default: 1 2)"] = (),
    batch: Annotated[tuple[Batch, ...], "images of one run (default: 1 8 32)"] = (),
    runs: Runs = 100,
    out: Annotated[Path | None, "folder for benchmark.csv, .json and .png (default: none)"] = None,
    resume: Annotated[bool, "measure only the rows that the folder lacks, keep the others"] = False,
) -> Output:
    """Time networks in every runtime, precision, number of threads and batch: median and 95th percentile.

    Each row runs in a process of its own, after warm-up, and has its peak memory, file size and load time. The whole
    table takes about 20 minutes; choose rows by the options, or take --quick. Each row is kept as soon as it is there.
    """
    from fer_paddle.analysis.plots import save_figure
    from fer_paddle.apps import speed
    from fer_paddle.deployment import benchmark as timing
    from fer_paddle.deployment.benchmark_report import disambiguate, draw_rows, write_csv
    from fer_paddle.study import Study, provenance
    from fer_paddle.weights import find_weights

    if quick:
        refused: dict[str, Any] = {"weights": weights, "runtime": runtime, "precision": precision, "threads": threads}
        refused |= {"batch": batch, "out": out, "resume": resume}
        if given := [f"--{name}" for name, value in refused.items() if value]:
            raise ValueError(f"expected --quick with --runs and --json alone, got {', '.join(given)} as well")
        rows = speed.benchmark_shipped(runs)
        shown = [[row["what"], f"{row['median_ms']:.1f}", f"{row['p95_ms']:.1f}", row["runs"]] for row in rows]
        return Output(rows, table(["what", "median ms", "95 % ms", "runs"], shown))
    if resume and out is None:
        raise ValueError("expected --out FOLDER with --resume, got none")
    study = Study(out / TABLE if out and resume else None, {}, provenance())
    study.path = out / TABLE if out else None  # without --resume the table begins anew
    rows = timing.compare_runtimes(
        [find_weights(path) for path in weights] or speed.shipped_networks(),
        speed.input_shape,
        speed.LOADER,
        runtime or timing.COMPARED,
        precision or None,
        threads or timing.THREADS,
        batch or timing.BATCHES,
        runs,
        study,
    )
    if out is not None:
        write_csv(out / "benchmark.csv", study.rows)
        if any("median_ms" in row for row in study.rows):
            save_figure(draw_rows(study.rows), out / IMAGE)
    told = disambiguate(rows)
    for row in told:
        if "error" in row:
            fail(f"{row['network']} in {row['runtime']} {row['precision']}: {row['error']}", FAILED)
    measured = [row for row in told if "median_ms" in row]
    failed = [row for row in rows if "error" in row and "threads" in row]
    return Output(rows, _table_of_rows(measured), code=FAILED if failed or not measured else OK)


def _table_of_rows(measured: list[dict[str, Any]]) -> str:
    rows = [
        [
            *(row[name] for name in ("network", "runtime", "precision", "threads", "batch")),
            *(f"{row[name]:.2f}" for name in ("median_ms", "p95_ms")),
            *("-" if row[name] is None else f"{row[name]:.0f}" for name in ("images_per_s", "peak_mb", "load_ms")),
            f"{row['file_bytes'] / 1000:.0f}",
        ]
        for row in measured
    ]
    header = ["network", "runtime", "precision", "threads", "batch", "median ms", "95 % ms", "images/s", "peak MB"]
    return table([*header, "load ms", "kB"], rows)


def bench(
    loops: Annotated[PositiveInt, "timed runs"],
    threads: Annotated[ThreadCount, "threads of one run"],
    powersave: Annotated[Int, "0 all cores, 1 little cores, 2 big cores"],
    gpu: Annotated[Int, "Vulkan device, -1 for the CPU"],
    cooling: Annotated[Literal["0", "1"], "1 waits ten seconds before"],
    model: Annotated[Path, ".param with its .bin, or .onnx"],
    width: Annotated[Side, "width of the image"],
    height: Annotated[Side, "height of the image"],
) -> Output:
    """Time a network in ncnn on one image, with the arguments and the line of ncnn's benchncnn."""
    from fer_paddle.deployment import benchncnn

    figures = benchncnn.bench(model, width, height, loops, threads, powersave, gpu, cooling == "1")
    times = "  ".join(f"{name} = {figures[f'{name}_ms']:7.2f}" for name in ("min", "max", "avg"))
    return Output(figures, f"{model.stem:>20}  {times}")
