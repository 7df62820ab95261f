"""The command line: `python -m fer_paddle COMMAND`, also installed as `fer`. One module a chapter."""

from __future__ import annotations

from collections.abc import Sequence

from fer_paddle import __version__
from fer_paddle.apps.cli import (
    analyse,
    collect,
    compress,
    course,
    data,
    deploy,
    evaluate,
    landmarks,
    recognize,
    study,
    train,
)
from fer_paddle.console import Command, group, run

APP = group(
    "python -m fer_paddle",
    "Facial expressions: collect faces, train, measure, recognize, export.",
    group(
        "collect",
        "Collect images and make class folders of them that `train` reads.",
        *(collect.run, collect.crawl, collect.frames, collect.clean, collect.select),
        *(collect.sources, collect.train_mouths),
    ),
    *(data.data_, data.report, data.crop, data.benchmark_augment),
    *(recognize.recognize, recognize.batch, recognize.demo, train.train, evaluate.evaluate),
    group(
        "landmarks",
        "Find 68 points of faces; cut faces to train on, train and measure.",
        *(landmarks.detect, landmarks.crops, landmarks.train, landmarks.evaluate),
    ),
    *(analyse.explain, deploy.models, deploy.export, Command(deploy.export_web, "export web")),
    *(deploy.benchmark, deploy.bench),
    *(compress.prune, compress.prune_speed, compress.quantize, train.search),
    *(recognize.web, recognize.serve),
    group(
        "study",
        "Compare ways of training under one budget; what is finished is kept.",
        *(study.compare, study.curves, study.scale, study.augment, study.distill, study.losses),
    ),
    course.check,
    group(
        "course",
        "The Chinese edition, figures and slides of the notebooks.",
        *(course.build, course.outline, course.figures, course.slides),
    ),
    # What these commands were called before; notebooks and the README show some of them.
    hidden={
        "compare": study.compare,
        "curves": study.curves,
        "study-scale": study.scale,
        "study-augment": study.augment,
        "distill": study.distill,
        "calibrate": evaluate.calibrate_network,
        "card": evaluate.write_cards,
    },
    version=__version__,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run(APP, argv)
