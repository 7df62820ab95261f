"""Commands that collect pictures and tidy them: `collect run` does the chapter, the others its parts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fer_paddle.apps.cli.collect_arguments import (
    add_clean_rule,
    add_face_rule,
    add_frame_rule,
    add_web,
    make_clean_rule,
    make_face_rule,
    make_fetcher,
    make_frame_rule,
)
from fer_paddle.arguments import count
from fer_paddle.console import FAILED, OK, bar, fail, fail_files, print_json, print_table, stdout_kept_for_json, warn


def add_commands(commands: Any) -> None:
    """Adds collect and its parts to the command line."""
    parser = commands.add_parser(
        "collect",
        help="collect faces for training: crawl, frames, clean, undo, select, sources",
        description="Collects pictures and makes class folders of them that `train` reads.",
    )
    parts = parser.add_subparsers(title="parts", required=True, metavar="PART", parser_class=type(parser))
    for add in (_add_run, _add_crawl, _add_frames, _add_clean, _add_select, _add_sources, _add_train_mouths):
        add(parts)


def _add_part(parts: Any, name: str, text: str, function: Any) -> argparse.ArgumentParser:
    parser = parts.add_parser(name, help=text, description=function.__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=function)
    return parser


def _add_run(parts: Any) -> None:
    parser = _add_part(parts, "run", "the whole chapter: from URLs and videos to class folders", run_chapter)
    parser.add_argument(
        "classes",
        nargs="+",
        metavar="CLASS=SOURCE",
        help="such as happy=urls.txt 嘟嘴=clip.mp4: a URL, a .txt with URLs, a video, a picture or a folder of them",
    )
    parser.add_argument("--out", type=Path, required=True, help="the data set, one folder a class")
    parser.add_argument("--work", type=Path, help="folder for downloads and frames (default: OUT_work)")
    add_web(parser)
    add_frame_rule(parser)
    add_face_rule(parser)


def run_chapter(args: argparse.Namespace) -> int:
    """Crawls, takes frames, keeps faces (or mouths) and tidies, class by class; run again, it goes on."""
    from fer_paddle.collect.pipeline import CollectRules, check_class, collect_class, sort_sources
    from yolo3tiny.predict import Detector

    named: dict[str, list[str]] = {}
    for text in args.classes:
        name, equals, source = text.partition("=")
        if not (name and equals and source):
            raise ValueError(f"expected CLASS=SOURCE such as happy=urls.txt, got {text!r}")
        named.setdefault(name, []).append(source)
    sources = {name: sort_sources(given) for name, given in named.items()}
    work = args.work or args.out.with_name(f"{args.out.name}_work")
    for name, given in sources.items():
        check_class(name, given, args.out, work)
    rules = CollectRules(
        frames=make_frame_rule(args),
        faces=make_face_rule(args),
        kind=args.what,
        depth=args.depth,
        min_side=args.min_side,
        max_pictures=args.max_pictures,
    )
    detector, reports = Detector(), []
    with make_fetcher(args) as fetcher:
        for name, given in sources.items():
            reports.append(collect_class(name, given, args.out, work, fetcher, rules, detector, progress=bar))
    _warn([warning for report in reports for warning in report.warnings])
    if args.json:
        print_json([report.to_json() for report in reports])
    else:
        rows = [
            [report.name, report.pictures, report.refused, report.cut, report.copies, report.files]
            for report in reports
        ]
        print_table(["class", "pictures", "without a face", "cut out", "copies", f"{args.what} now"], rows)
        print(f"\nwritten to {args.out}")
    return OK if all(report.files for report in reports) else FAILED


def _add_crawl(parts: Any) -> None:
    parser = _add_part(parts, "crawl", "fetch the pictures of pages", crawl)
    parser.add_argument(
        "sources", nargs="*", metavar="URL", help="pages or pictures, or .txt files with one URL a line"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and manifest.jsonl")
    parser.add_argument("--search", help="address of a search with $query and $page, instead of URLs")
    parser.add_argument("--openverse", action="store_true", help="search Openverse, whose pictures have open licenses")
    parser.add_argument("--query", help="what to search for")
    parser.add_argument("--pages", type=count, default=1, help="pages of results (default: 1)")
    parser.add_argument("--again", action="store_true", help="also try what an earlier crawl refused")
    add_web(parser)


def crawl(args: argparse.Namespace) -> int:
    """Fetches pictures politely and keeps a manifest; run again, it goes on where it was."""
    from fer_paddle.collect.crawl import FAILED as TRY_LATER
    from fer_paddle.collect.crawl import SAVED, Crawler
    from fer_paddle.collect.pages import SearchPages, SeedPages, openverse

    if (args.search or args.openverse) and not args.query:
        raise ValueError("expected --query with --search or --openverse, got none")
    if args.openverse:
        source: Any = openverse(args.query, args.pages)
    elif args.search:
        source = SearchPages(args.search, args.query, args.pages)
    else:
        source = SeedPages(_read_sources(args.sources), args.depth)
    progress = bar("addresses")(None)
    with progress, make_fetcher(args) as fetcher:
        crawler = Crawler(
            args.out,
            fetcher,
            again=args.again,
            min_side=args.min_side,
            max_pictures=args.max_pictures,
            on_record=lambda record: progress.update(),
        )
        report = crawler.crawl(source)
    _warn([f"{record.url[:200]}: {record.reason}" for record in report.records if record.reason and not record.page])
    if args.json:
        print_json({**report.counts(), "done_before": report.done_before, "records": list(map(asdict, report.records))})
    else:
        rows = [*report.counts().items(), ("done before", report.done_before)]
        print_table(["addresses", ""], rows)
        print(f"\nwritten to {args.out}, each address with its fate in manifest.jsonl")
    counts = report.counts()
    return FAILED if counts[TRY_LATER] or not (counts[SAVED] or report.done_before) else OK


def _read_sources(sources: Sequence[str]) -> list[str]:
    from fer_paddle.collect.crawl import read_url_list

    lists = [[source] if "://" in source else read_url_list(Path(source)) for source in sources]
    if not lists:
        raise ValueError("expected URLs, a .txt with URLs, --search or --openverse, got none")
    return [url for urls in lists for url in urls]


def _add_frames(parts: Any) -> None:
    parser = _add_part(parts, "frames", "take frames out of videos", frames)
    parser.add_argument("videos", nargs="+", type=Path, help="video files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the frames and frames.jsonl")
    parser.add_argument("--format", default=".jpg", help="suffix of the frames (default: .jpg)")
    add_frame_rule(parser)


def frames(args: argparse.Namespace) -> int:
    """Writes frames of videos as pictures named by their time; a damaged video gives what can be read."""
    from fer_paddle.collect.frames import save_frames

    rule, reports, failed = make_frame_rule(args), [], []
    for video in args.videos:
        try:
            reports.append(save_frames(video, args.out, rule, args.format, bar("frames")))
        except (ValueError, FileNotFoundError) as error:
            failed.append(str(error))
    if args.json:
        print_json({"videos": list(map(asdict, reports)), "failed": failed})
    else:
        rows = [[report.video, report.frames_read, len(report.files), report.warning or ""] for report in reports]
        rows = [[*row[:3], "done before" if report.done_before else row[3]] for row, report in zip(rows, reports)]
        print_table(["video", "frames read", "written", ""], rows)
    for reason in failed:
        fail(reason, FAILED)
    return FAILED if failed else OK


def _add_clean(parts: Any) -> None:
    parser = _add_part(parts, "clean", "one name pattern, one format, no copies", clean)
    parser.add_argument("folder", type=Path, help="folder of images; it stays as it is")
    parser.add_argument("--out", type=Path, help="the clean folder to write; without it, a plan is printed")
    parser.add_argument("--sheet", type=Path, help="contact sheet of the copies (default: OUT-copies.jpg)")
    add_clean_rule(parser)


def clean(args: argparse.Namespace) -> int:
    """Writes a clean copy of a folder: run it again to go on after a stop, delete OUT to undo it."""
    from fer_paddle.collect.clean import DONE, apply_clean, plan_clean
    from fer_paddle.collect.copies import write_contact_sheets

    rule = make_clean_rule(args)
    plan = plan_clean(args.folder, rule, args.out, bar("images"))
    failed = apply_clean(plan, args.out, rule, bar("images")) if args.out else {}
    sheet = args.sheet or (args.out and args.out.with_name(f"{args.out.name}-copies.jpg"))
    sheets = write_contact_sheets(sheet, [*plan.copies, *plan.conflicts]) if sheet else []
    changes = [action for action in plan.actions if action.kind != DONE]
    if args.json:
        rows = [{"file": str(a.path), "action": a.kind, "target": a.stem, "reason": a.reason} for a in changes]
        conflicts = [list(map(str, group)) for group in plan.conflicts]
        content = {"out": args.out and str(args.out), **plan.counts(), "actions": rows, "conflicts": conflicts}
        print_json({**content, "failed": failed})
    else:
        for action in changes:
            target = action.reason or f"-> {action.stem}{rule.suffix}"
            print(f"{action.kind:9}  {action.path.relative_to(args.folder)}: {target}")
        counts = ", ".join(f"{name} {number}" for name, number in plan.counts().items())
        print(f"\n{counts}; copies in {len(plan.copies)} groups, to look at: {', '.join(map(str, sheets)) or '-'}")
        _warn([f"in several folders, all kept: {', '.join(map(str, group))}" for group in plan.conflicts])
        print(f"written to {args.out}" if args.out else "a plan only: nothing is written without --out")
    return fail_files(list(failed.items()))


def _add_select(parts: Any) -> None:
    parser = _add_part(parts, "select", "keep pictures with faces, cut faces or mouths", select)
    parser.add_argument("pictures", nargs="+", help="files, folders or globs")
    parser.add_argument("--out", type=Path, required=True, help="folder for the crops and selected.jsonl")
    parser.add_argument("--sort-mouths", action="store_true", help="a folder a class of the mouth classifier")
    parser.add_argument("--mouth-weights", type=Path, help="of train-mouths, .onnx (default: the one that ships)")
    add_face_rule(parser)


def select(args: argparse.Namespace) -> int:
    """Copies pictures with faces, or cuts their faces or mouths; the originals stay as they are."""
    from fer_paddle.collect.select import select_faces
    from fer_paddle.image_files import find_pictures

    sort = None
    if args.sort_mouths or args.mouth_weights:
        from fer_paddle.collect.mouths import MouthClassifier

        if args.what != "mouths":
            raise ValueError(f"expected --what mouths to sort them, got {args.what}")
        sort = MouthClassifier(args.mouth_weights).name
    paths = find_pictures(args.pictures, args.out)
    report = select_faces(paths, args.out, make_face_rule(args), args.what, sort=sort, progress=bar("pictures"))
    if args.json:
        print_json(asdict(report))
    else:
        rows = [["pictures kept", len(report.kept)], ["refused", len(report.refused)]]
        rows += [["unreadable", len(report.failed)], ["done before", report.done_before]]
        print_table(["", ""], [*rows, [f"{args.what} written", len(report.files)]])
    for reason in report.failed.values():
        fail(reason, FAILED)
    return FAILED if report.failed else OK


def _add_sources(parts: Any) -> None:
    parser = _add_part(parts, "sources", "tell where pictures came from", sources)
    parser.add_argument("pictures", nargs="+", type=Path, help="files that the other parts made, under any name")


def sources(args: argparse.Namespace) -> int:
    """Tells which picture, video or address each picture came from, and the license that was found there."""
    from fer_paddle.collect.sources import find_sources

    found = {str(path): find_sources(path) for path in args.pictures}
    told = ("was", "source", "video", "seconds", "url", "page", "license")
    if args.json:
        print_json(found)
    for name, records in () if args.json else found.items():
        lines = ["  ".join(f"{key}: {record[key]}" for key in told if record.get(key)) for record in records]
        print("\n  ".join([name, *(lines or ["nothing is known"])]))
    return OK if all(found.values()) else FAILED


def _add_train_mouths(parts: Any) -> None:
    parser = _add_part(parts, "train-mouths", "train the mouth classifier", train_mouths)
    parser.add_argument(
        "--data", nargs="+", required=True, help="mouth_smile.npz and your own folders of neutral, smile, pout, laugh"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/mouths"), help="folder of the run (default: runs/mouths)"
    )
    parser.add_argument("--epochs", type=count, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and random changes (default: 0)")
    parser.add_argument("--threads", type=count, help="threads of Paddle (default: the environment's)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in the folder")


def train_mouths(args: argparse.Namespace) -> int:
    """Trains on mouth crops; writes checkpoints, curves, model.safetensors and model.onnx to the run folder."""
    from fer_paddle import environment

    environment.prepare(args.threads)
    from fer_paddle.expression.data.mouths import read_mouths
    from fer_paddle.expression.export import export_expression_network
    from fer_paddle.expression.mouths import MouthRecipe, train_mouths
    from fer_paddle.training.callbacks import Curves, ProgressBar

    changes = {"epochs": args.epochs} if args.epochs else {}
    recipe = MouthRecipe(seed=args.seed, **changes)
    mouths = read_mouths([environment.find_data(name) for name in args.data], args.seed, bar("pictures"))
    data = ", ".join(Path(name).name for name in args.data)
    history, path = train_mouths(mouths, args.out, recipe, data, [ProgressBar(), Curves(args.out)], args.resume)
    with stdout_kept_for_json():
        export_expression_network(path, path.with_suffix(".onnx"))
    if args.json:
        print_json(history)
    else:
        parts = [mouths.counts(valid) for valid in (False, True)]
        print_table(["class", "learnt from", "measured on"], [[n, parts[0][n], parts[1][n]] for n in mouths.classes])
        best = max(history, key=lambda record: record["valid_accuracy"])
        print(f"\nbest epoch {best['epoch']}: accuracy {best['valid_accuracy']:.4f}; written to {args.out}")
    return OK


def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        warn(line)
