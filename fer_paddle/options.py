"""Parameters of the commands: functions' annotations as options, and the types that both command lines share.

`epochs: Annotated[PositiveInt, "passes over the data"] = 12` after a `*` is the option --epochs; before it, it is an
argument. `tuple[X, ...]` takes several values, a `Literal` its choices; `bool` is a flag; a dataclass is the options
that are its fields.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import os
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click

from fer_paddle.environment import MAX_THREADS


class Number(click.ParamType):
    """A finite number from `least` to `most`; with `above`, larger than `least`."""

    def __init__(
        self, kind: type[int] | type[float], least: float = -math.inf, most: float = math.inf, above: bool = False
    ):
        self.name = "integer" if kind is int else "number"
        self.kind, self.least, self.most, self.above = kind, least, most, above

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            number = self.kind(value)
        except ValueError:
            number = math.nan
        large_enough = number > self.least if self.above else number >= self.least
        if not (math.isfinite(number) and large_enough and number <= self.most):
            self.fail(f"expected {self.describe()}, got {str(value)!r}", param, ctx)
        return number

    def describe(self) -> str:
        """Return what is accepted, such as "a number from 0 to 1"."""
        what = "an integer" if self.kind is int else "a number"
        least = f"{what} above {self.least}" if self.above else f"{what} of at least {self.least}"
        if self.most == math.inf:
            return least
        return f"{least} and at most {self.most}" if self.above else f"{what} from {self.least} to {self.most}"


class Text(click.ParamType):
    """Text or, with `kind` Path, a path; not an empty one."""

    def __init__(self, kind: type[str] | type[Path] = str):
        self.name, self.kind = "text" if kind is str else "path", kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip() or "\0" in str(value):
            self.fail(f"expected a {self.name}, got {str(value)!r}", param, ctx)
        return self.kind(value)


WRITTEN = ("out", "work", "result", "results")  # options that name files or folders to write
INT_MAX = 2**31 - 1
Int = Annotated[int, Number(int, -INT_MAX, INT_MAX)]
NaturalInt = Annotated[int, Number(int, 0, INT_MAX)]
PositiveInt = Annotated[int, Number(int, 1, INT_MAX)]
Side = Annotated[int, Number(int, 1, 4096)]
Batch = Annotated[int, Number(int, 1, 65536)]
ThreadCount = Annotated[int, Number(int, 1, MAX_THREADS)]
UnitInterval = Annotated[float, Number(float, 0, 1)]
Ratio = Annotated[float, Number(float, 0, 1, above=True)]
PositiveFloat = Annotated[float, Number(float, 0, above=True)]
NonNegativeFloat = Annotated[float, Number(float, 0)]

FACES = (
    "a pack (.npz), the official csv, a folder with the packs, a folder of class folders, or one with the lists of "
    "PaddleX or Roboflow"
)
PHOTOS = (
    "a name in the data folders or a path: a folder or .tar with annotations.json (COCO), a COCO .json, a "
    "WIDER FACE list (.txt) or folder, or a folder of YOLO .txt or VOC .xml; also as Roboflow and PaddleX lay them out"
)
TrainData = Annotated[str, f"faces to train on: {FACES}"]
ValidData = Annotated[str | None, "faces to measure on (default: PublicTest of the data, or a tenth of it)"]
LabeledData = Annotated[str, f"labeled faces: {FACES}"]
Images = Annotated[tuple[str, ...], "files, folders or globs"]
Weights = Annotated[Path | None, "network: a file, or a name of `models` (default: vgg8.photos)"]
FaceDetector = Annotated[Path | None, "detector: a file, or a name of `models` (default: yolo3lite.face)"]
Landmarks = Annotated[Path | None, "landmark network: a file, or a name of `models` (default: landmarks.68)"]
CourseWeights = Annotated[Path | None, "network: a file, or a name of `models` (default: distresnet.fer2013)"]
Seed = Annotated[int, Number(int, 0, 2**32 - 1), "seed of everything random"]
Threads = Annotated[ThreadCount | None, "threads of Paddle (default: the environment's)"]
Workers = Annotated[int, Number(int, 0, 256), "reader processes; 0: none of their own"]
Runs = Annotated[int, Number(int, 1, 10**6), "timed runs of each row"]
Epochs = Annotated[
    PositiveInt | None, "epochs, instead of the recipe's; with --resume more than an ended run had: it goes on"
]
BatchSize = Annotated[Batch | None, "samples of a step, instead of the recipe's"]
Size = Annotated[Side | None, "side of the faces in pixels, instead of the recipe's"]
Resume = Annotated[bool, "go on with what is in the folder; an ended training with more --epochs"]
DataChanged = Annotated[bool, "go on with a study made on other data"]
MinScore = Annotated[UnitInterval, "lowest detector score of a face"]
MinFace = Annotated[NonNegativeFloat, "least longer side of a face in pixels"]
Rotations = Annotated[
    tuple[Literal["90", "180", "270"], ...], "degrees clockwise to turn images by, too, for faces that are not upright"
]
Runtime = Literal["onnx", "openvino", "ncnn", "mnn", "paddle", "dynamic", "litert", "tensorrt"]
Results = Annotated[Path | None, "copy of the results to write as JSON"]
# Of quantization
Methods = Annotated[
    tuple[str, ...],
    "ort-minmax ort-entropy ort-percentile slim-abs_max slim-avg slim-hist slim-mse slim-KL slim-weights slim-qat, "
    "or all",
]
Calibrate = Annotated[Path | None, "folder of any images to calibrate on instead"]
CalibrationImages = Annotated[PositiveInt, "calibration images"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How to train."""

    epochs: Epochs = None
    batch_size: BatchSize = None
    seed: Annotated[Seed | None, "seed, instead of the recipe's"] = None
    workers: Workers = 0
    threads: Threads = None
    resume: Resume = False

    def changes(self) -> dict[str, int | None]:
        """Return what a recipe is changed in."""
        return {"epochs": self.epochs, "batch_size": self.batch_size, "seed": self.seed}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PruneOptions:
    """How to prune, and where to."""

    out: Annotated[Path, "folder of the study"]
    flops: Annotated[tuple[Ratio, ...], "ratio of the FLOPs to keep, one network each"] = ()
    parameters: Annotated[tuple[Ratio, ...], "ratio of the weights to keep instead: for a small file"] = ()
    activations: Annotated[
        tuple[Ratio, ...], "ratio of the convolutions' outputs to keep instead: for speed where memory is the limit"
    ] = ()
    criterion: Annotated[str, "l1, fpgm, bn_scale or magnitude"] = "l1"
    steps: Annotated[PositiveInt, "rounds of pruning and fine-tuning"] = 1
    results: Results = None
    seed: Seed = 0
    threads: Threads = None
    resume: Resume = False
    data_changed: DataChanged = False

    def cost(self, default: tuple[float, ...]) -> tuple[str, tuple[float, ...]]:
        """Return which cost was given ratios to keep, and these; by default FLOPs and `default`."""
        costs = {"flops": self.flops, "parameters": self.parameters, "activations": self.activations}
        given = [(name, ratios) for name, ratios in costs.items() if ratios]
        if len(given) > 1:
            raise ValueError(f"expected one of --{', --'.join(costs)}, got {len(given)}")
        return given[0] if given else ("flops", default)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What one service takes."""

    workers: Annotated[ThreadCount, "threads that compute"] = 2
    queue: Annotated[NaturalInt, "requests that may wait beside; more get 503"] = 32
    max_bytes: Annotated[PositiveInt, "largest request"] = 10_000_000
    max_pixels: Annotated[PositiveInt, "largest image"] = 25_000_000
    max_images: Annotated[PositiveInt, "largest batch"] = 16
    seconds: Annotated[PositiveFloat, "longest upload, and longest wait for an answer"] = 20.0


def read_parameters(function: Callable[..., Any]) -> list[click.Parameter]:
    """Return the arguments and options that a function's annotated parameters mean."""
    hints = get_type_hints(function, include_extras=True)
    found: list[click.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if dataclasses.is_dataclass(hints[name]):
            found += read_parameters(hints[name])
        else:
            found.append(_read_parameter(parameter, hints[name]))
    return found


def gather(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a function for the values of its parameters, dataclasses filled."""
    hints = get_type_hints(function, include_extras=True)
    found: dict[str, Any] = {}
    for name in inspect.signature(function).parameters:
        kind: Any = hints[name]
        is_group: bool = dataclasses.is_dataclass(kind)
        found[name] = kind(**gather(kind, values)) if is_group else values[name]
    return found


def check_places(values: Mapping[str, Any], given: Iterable[str]) -> None:
    """Refuse, before work begins, what was given and cannot be read or written to, and --out within a folder of data,
    where it would be read as data the next time.
    """
    for name in given:
        for path in (Path(value).absolute() for value in _paths(values[name])):
            place = next(one for one in (path, *path.parents) if os.path.isdir(one))  # noqa: PTH112 (is_dir may raise)
            kind, mode = "a folder that can be read", os.R_OK if place == path else 0
            if name in WRITTEN:
                kind, mode = "a folder that can be written to", os.W_OK
            if not os.access(place, mode | os.X_OK):
                raise OSError(f"expected {kind}, got {place}")
    for source in (one for name in ("data", "valid", "unlabeled", "sources") for one in _paths(values.get(name))):
        if values.get("out") and Path(os.path.realpath(values["out"])).is_relative_to(os.path.realpath(source)):
            raise ValueError(f"expected --out outside of the data {source}, got {values['out']}")


def _paths(value: Any) -> list[str | Path]:
    return [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, (str, Path))]


def _read_parameter(parameter: inspect.Parameter, hint: Any) -> click.Parameter:
    kind, notes, many = _unwrap(hint)
    text = next((note for note in notes if isinstance(note, str)), "")
    value_type = next((note for note in notes if isinstance(note, click.ParamType)), None) or _type_of(kind)
    default, required = parameter.default, parameter.default is inspect.Parameter.empty
    given = {} if required or many else {"default": default}
    if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
        return _Argument([parameter.name], text, type=value_type, required=required, nargs=-1 if many else 1, **given)
    return click.Option(
        [f"--{parameter.name.replace('_', '-')}", parameter.name],
        type=value_type,
        is_flag=kind is bool,
        multiple=many,
        required=required,
        **({"default": default} if many and not required else given),
        show_default=not (required or default is None or default is False or default == ()),
        help=text,
    )


def _type_of(kind: Any) -> click.ParamType:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    return {str: Text(), Path: Text(Path), bool: click.BOOL}[kind]


def _unwrap(hint: Any) -> tuple[Any, list[Any], bool]:
    """Return what is below Annotated, Optional and tuple: the type, the notes (inner ones last), whether it is many."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kind, notes, many = _unwrap(inner[0])
        return kind, [*inner[:0:-1], *notes], many
    if origin in (Union, types.UnionType):
        return _unwrap(next(one for one in inner if one is not type(None)))
    if origin is tuple:
        kind, notes, _ = _unwrap(inner[0])
        return kind, notes, True
    return hint, [], False


class _Argument(click.Argument):
    """An argument with a line in the help."""

    def __init__(self, names: list[str], text: str, **more: Any):
        super().__init__(names, **more)
        self.text = text

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        return self.make_metavar(ctx), self.text


def spread_values(command: click.Command, ctx: click.Context, args: list[str]) -> list[str]:
    """Rewrite `--sizes 32 48` to `--sizes 32 --sizes 48`, and refuse an option whose value is missing."""
    options = {name: one for one in command.get_params(ctx) if isinstance(one, click.Option) for name in one.opts}
    spread: list[str] = []
    repeated = awaiting = None
    for number, arg in enumerate(args):
        if arg == "--":
            spread += args[number:]
            break
        name = arg.partition("=")[0]
        if awaiting:
            if name in options:
                break
            awaiting = None
        elif arg.startswith("--"):
            if name not in options:
                raise click.NoSuchOption(name, possibilities=difflib.get_close_matches(name, options), ctx=ctx)
            option = options.get(arg)
            awaiting = arg if option and not option.is_flag else None
            repeated = arg if option and option.multiple else None
        elif repeated:
            spread.append(repeated)
        spread.append(arg)
    if awaiting:
        raise click.UsageError(f"Option {awaiting!r} requires a value", ctx)
    return spread
