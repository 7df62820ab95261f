"""Commands that make a face detector smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fer_paddle import options as opt
from fer_paddle.console import Output, table
from fer_paddle.messages import track
from fer_paddle.options import PositiveInt
from fer_paddle.weights import DETECTION, find_weights

TINY = Path("yolo3tiny.face")


def prune(
    *,
    weights: Annotated[Path, "network: .safetensors or a name"] = TINY,
    data: Annotated[tuple[str, ...], f"photos with boxes, may be given several times: {opt.PHOTOS}"],
    options: opt.PruneOptions,
    epochs: Annotated[PositiveInt, "epochs of each fine-tuning"] = 4,
    learning_rate: Annotated[opt.PositiveFloat, "highest learning rate of fine-tuning"] = 5e-4,
    samples: Annotated[PositiveInt, "samples for the sensitivities"] = 96,
    workers: opt.Workers = 0,
) -> Output:
    """Measure how much each layer matters, cut the network to parts of its cost (0.5) and fine-tune each.

    Writes sensitivities_*.json and .png, one folder a pruned network with model.safetensors and model.onnx,
    results.json and curve.png to the folder of the study. What was finished is not done again with --resume.
    """
    from fer_paddle import environment

    environment.prepare(options.threads)
    from fer_paddle.compression.prune_study import PruneSettings, PruningStudy, check_new, table_of
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar
    from yolo3tiny.files import DetectorModel
    from yolo3tiny.photos import check_readable
    from yolo3tiny.prune import DetectorPruneTask
    from yolo3tiny.splits import find_train_valid

    check_new(options.out, options.resume)
    cost, ratios = options.cost((0.5,))
    settings = PruneSettings(ratios, options.criterion, options.steps, cost)
    found = find_train_valid(data, own=DetectorModel.read_settings(weights).classes)
    check_readable(track(found[0] + found[1], "photos"))
    task = DetectorPruneTask(
        weights, *found, epochs=epochs, learning_rate=learning_rate, samples=samples,
        seed=options.seed, workers=workers,
    )  # fmt: skip
    origin = provenance("python -m yolo3tiny", data=list(data), weights=weights.name, seed=options.seed)
    study = PruningStudy(task, settings, options.out, origin, [ProgressBar()], options.data_changed)
    content = study.run(options.results)
    return Output(content, table(*table_of(content, "ap")))


def quantize(
    *,
    weights: Annotated[Path, "network: .onnx or a name; slim- methods need its .safetensors"] = TINY,
    data: Annotated[str, "photos with boxes: the split val measures, train calibrates"],
    methods: opt.Methods = ("ort-minmax",),
    calibrate: opt.Calibrate = None,
    images: opt.CalibrationImages = 64,
    photos: Annotated[PositiveInt | None, "measure on every n-th photo, so many at most"] = None,
    epochs: Annotated[PositiveInt, "epochs of slim-qat"] = 2,
    learning_rate: Annotated[opt.PositiveFloat, "highest learning rate of slim-qat"] = 1e-4,
    out: Annotated[Path, "folder of the files"] = Path("runs/quantize-yolo"),
    results: opt.Results = None,
    seed: opt.Seed = 0,
    threads: Annotated[opt.ThreadCount, "threads"] = 1,
    data_changed: opt.DataChanged = False,
) -> Output:
    """Quantize a detector by several methods; show method, runtime, AP, drop and file size of each.

    The files go to OUT/METHOD, the table to OUT/results.json. Rows already there for the same weights and photos are
    kept, so an interrupted comparison goes on where it was.
    """
    from fer_paddle import environment

    environment.prepare(threads)
    from fer_paddle.compression.quantize import METHODS, choose, compare, read_calibration_images, table_of
    from fer_paddle.study import provenance
    from yolo3tiny.photos import check_readable
    from yolo3tiny.predict import Detector
    from yolo3tiny.quantize import DetectorQuantizeTask
    from yolo3tiny.splits import TRAIN, VALIDATION, choose_split, find_photos

    chosen = METHODS if methods == ("all",) else methods
    weights = find_weights(weights, DETECTION)
    found = find_photos(data, own=Detector(weights).settings.classes)
    valid = choose_split(found, VALIDATION)
    train = choose_split(found, TRAIN) if calibrate is None or "slim-qat" in chosen else []
    if photos is not None:
        valid = valid[:: -(-len(valid) // photos)]
    check_readable(track(valid + train if "slim-qat" in chosen else valid, "photos"))
    if calibrate is None:
        shown = [photo.read() for photo in choose(train, images, seed)]
    else:
        shown = read_calibration_images(calibrate, images, seed)
    origin = provenance("python -m yolo3tiny", data=data, calibration=str(calibrate or data), seed=seed)
    taught = train if "slim-qat" in chosen else None
    task = DetectorQuantizeTask(weights, shown, valid, taught, epochs, learning_rate)
    content = compare(task, chosen, out, results or out / "results.json", origin, threads, data_changed)
    return Output(content, table(*table_of(content, "AP", ".4f")))
