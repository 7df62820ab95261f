"""The command that compares plain training with distillation."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.arguments import DATA_HELP
from fer_paddle.arguments import count, share
from fer_paddle.console import OK, print_json, print_table


def add_commands(commands: Any) -> None:
    """Adds distill to the command line."""
    parser = commands.add_parser("distill", help="teach a small network by a large one", description=distill.__doc__)
    parser.add_argument("--data", required=True, help=f"faces to learn from: {DATA_HELP}")
    parser.add_argument("--valid", help="faces to measure on (default: PublicTest of the data, or a tenth of it)")
    parser.add_argument(
        "--teacher", type=Path, action="append", required=True, help=".safetensors; several make an ensemble"
    )
    parser.add_argument("--student", default="pocketnet", help="network or design (default: pocketnet)")
    parser.add_argument("--start", type=Path, help="weights to begin with, .safetensors of the student's network")
    parser.add_argument("--recipe", default="study", help="recipe of every training (default: study)")
    parser.add_argument("--kinds", nargs="+", default=["plain", "soft"], help="plain, soft, hint, soft+hint")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--epochs", type=count, help="instead of the recipe's")
    parser.add_argument("--size", type=count, help="side of the faces in pixels, instead of the recipe's")
    parser.add_argument("--faces", type=count, help="learn from so many, of each class its share (default: all)")
    parser.add_argument("--temperature", type=float, default=4.0, help="default: 4")
    parser.add_argument("--soft-weight", type=share, default=0.7, help="of the teacher, 0 to 1 (default: 0.7)")
    parser.add_argument("--hint-weight", type=float, default=0.0, help="of the hints (default: 0)")
    parser.add_argument("--teacher-layer", default="pool", help="layer that gives the hints (default: pool)")
    parser.add_argument("--student-layer", default="pool", help="layer that takes them (default: pool)")
    parser.add_argument("--out", type=Path, default=Path("runs/distill"), help="folder (default: runs/distill)")
    parser.add_argument("--result", type=Path, help="JSON of the study (default: result.json in the folder)")
    parser.add_argument("--workers", type=int, default=0, help="reader processes (default: 0)")
    parser.add_argument("--threads", type=count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=distill)


def distill(args: argparse.Namespace) -> int:
    """Trains a student plainly and with a teacher, the same epochs, for several seeds; goes on where it stopped."""
    import dataclasses

    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.expression.data.expressions import load_train_valid
    from fer_paddle.expression.data.faces import take_subset
    from fer_paddle.expression.distill import DistillPlan, DistillSettings, load_teacher, run_study
    from fer_paddle.expression.session import choose_recipe
    from fer_paddle.study import provenance
    from fer_paddle.training.callbacks import ProgressBar

    names = ("temperature", "soft_weight", "hint_weight", "teacher_layer", "student_layer")
    settings = DistillSettings(**{name: getattr(args, name) for name in names})
    changes = {name: getattr(args, name) for name in ("epochs", "size") if getattr(args, name) is not None}
    recipe = dataclasses.replace(choose_recipe(args.recipe, changes), aux_weight=0.0)
    plan = DistillPlan(args.student, recipe, settings, tuple(args.kinds), tuple(args.seeds), args.start)
    teacher = load_teacher(args.teacher)
    train, valid = load_train_valid(args.data, args.valid)
    train = take_subset(train, args.faces)
    origin = provenance(data=args.data, teacher=[str(path) for path in args.teacher])
    result = args.result or args.out / "result.json"
    found = run_study(plan, teacher, train, valid, args.out, result, origin, [ProgressBar()], args.workers)
    if args.json:
        print_json(found)
    else:
        _print_summary(found)
    return OK


def _print_summary(found: dict[str, Any]) -> None:
    rows = []
    for kind, row in found["summary"].items():
        gain = f"{row['gain']:+.4f} ± {row['gain_deviation'] or 0:.4f}" if "gain" in row else ""
        rows.append([kind, len(row["seeds"]), f"{row['mean']:.4f}", f"{row['least']:.4f}-{row['most']:.4f}", gain])
    print_table(["training", "seeds", "accuracy", "range", "gain over plain"], rows)
    print(f"\nteacher: accuracy {found['teacher_accuracy']:.4f}")
