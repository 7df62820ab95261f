"""Arguments that the parts of `collect` share, and what they become."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_paddle.arguments import count, share


def add_web(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("web")
    group.add_argument("--depth", type=int, default=0, help="follow links of the same host so far (default: 0)")
    group.add_argument("--pause", type=float, default=1.0, help="seconds between requests to a host (default: 1)")
    group.add_argument("--min-side", type=count, default=64, help="least side of a picture in pixels (default: 64)")
    group.add_argument("--max-pictures", type=count, help="stop a crawl after so many pictures")
    group.add_argument("--proxy", help="such as http://localhost:8080; the environment's is not used")
    group.add_argument("--cookies", type=Path, help="cookies.txt in Netscape's format")
    group.add_argument("--allow-private", action="store_true", help="also fetch from this machine and its network")


def make_fetcher(args: argparse.Namespace) -> Any:
    from fer_paddle.collect.fetch import Fetcher, FetchPolicy

    policy = FetchPolicy(pause_seconds=args.pause, allow_private=args.allow_private)
    return Fetcher(policy, args.proxy, args.cookies)


def add_frame_rule(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("videos")
    group.add_argument(
        "--frames", choices=("sharpest", "rate", "scenes"), default="sharpest", help="which frames (default: sharpest)"
    )
    group.add_argument("--per-second", type=float, default=1.0, help="frames a second (default: 1)")
    group.add_argument("--scene-change", type=share, default=0.4, help="least change of a scene (default: 0.4)")
    group.add_argument("--max-frames", type=count, default=1000, help="most frames of a video (default: 1000)")


def make_frame_rule(args: argparse.Namespace) -> Any:
    from fer_paddle.video import FrameRule

    return FrameRule(args.frames, args.per_second, args.scene_change, args.max_frames)


def add_face_rule(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("faces")
    group.add_argument(
        "--what", choices=("faces", "mouths", "pictures"), default="faces", help="what is kept (default: faces)"
    )
    group.add_argument("--min-faces", type=count, default=1, help="least faces of a picture (default: 1)")
    group.add_argument("--max-faces", type=count, help="most faces of a picture")
    group.add_argument("--min-score", type=share, default=0.5, help="least score of a face (default: 0.5)")
    group.add_argument("--min-px", type=float, default=40.0, help="least side of a face in pixels (default: 40)")
    group.add_argument("--min-sharpness", type=float, default=0.0, help="least sharpness of a face (default: 0)")


def make_face_rule(args: argparse.Namespace) -> Any:
    from fer_paddle.collect.select import FaceRule

    return FaceRule(args.min_faces, args.max_faces, args.min_score, args.min_px, args.min_sharpness)


def add_clean_rule(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("tidy")
    group.add_argument("--pattern", default="{folder}_{number:05}", help="names, of {folder}, {stem} and {number:05}")
    group.add_argument("--format", default=".jpg", help="suffix of all pictures (default: .jpg)")
    group.add_argument("--color", choices=("keep", "color", "gray"), default="keep", help="(default: keep)")
    group.add_argument("--near", type=int, default=4, help="bits of 64 in which copies may differ; -1: exact ones only")
    group.add_argument("--keep-copies", action="store_true", help="leave copies where they are")


def make_clean_rule(args: argparse.Namespace) -> Any:
    from fer_paddle.collect.clean import CleanRule

    return CleanRule(args.pattern, args.format, args.color, None if args.keep_copies else args.near)
