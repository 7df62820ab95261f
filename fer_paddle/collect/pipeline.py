"""Collect one class: sources in, a clean folder of faces or mouths out; and find back from a file to its source."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_paddle.collect.clean import CLEANED, CleanRule, apply_clean, plan_clean
from fer_paddle.collect.crawl import MANIFEST, Crawler, read_url_list
from fer_paddle.collect.fetch import Fetcher
from fer_paddle.collect.frames import FRAMES, save_frames
from fer_paddle.collect.names import check_outside, safe_name
from fer_paddle.collect.pages import SeedPages
from fer_paddle.collect.select import SELECTED, FaceRule, Landmarks, select_faces
from fer_paddle.files import file_digest, read_json_lines
from fer_paddle.images import list_images
from fer_paddle.messages import name_reason, reason_of
from fer_paddle.video import VIDEO_SUFFIXES, FrameRule


@dataclass(frozen=True)
class CollectRules:
    """How a class is collected; see the parts."""

    frames: FrameRule = FrameRule()
    faces: FaceRule = FaceRule()
    clean: CleanRule = CleanRule(suffix=".png")
    kind: str = "faces"
    depth: int = 0
    min_side: int = 64
    max_images: int | None = None


@dataclass
class ClassReport:
    """What one class gave."""

    name: str  # of the class and its folder
    crawled: dict[str, int] = field(default_factory=dict)  # addresses of each status
    frames: dict[str, int] = field(default_factory=dict)  # frames of each video
    images: int = 0  # images that were looked at
    refused: int = 0  # those without a face that counts
    cut: int = 0  # faces or mouths cut out now
    copies: int = 0  # of those, copies that are left out
    files: int = 0  # images that the class folder holds now
    warnings: list[str] = field(default_factory=list)  # what is worth a look, one line each


@dataclass(frozen=True)
class Sources:
    """What a class is collected from, sorted by kind."""

    urls: tuple[str, ...] = ()
    videos: tuple[Path, ...] = ()
    images: tuple[Path, ...] = ()


def sort_sources(sources: Sequence[str]) -> Sources:
    """Sort sources by kind: a URL, a text file of URLs, a video, an image, or a folder of videos and images."""
    urls: list[str] = []
    videos: list[Path] = []
    images: list[Path] = []
    for source in sources:
        path = Path(source)
        if source.startswith(("http://", "https://")):
            urls.append(source)
        elif path.is_dir():
            found = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in VIDEO_SUFFIXES]
            clips = [file for file in found if file.is_file() and file.suffix.lower() != ".gif"]
            stills = list_images(path)
            if not clips and not stills:
                raise ValueError(f"expected images or videos in {path}, found none")
            videos += clips
            images += stills
        elif not path.is_file():
            raise FileNotFoundError(f"expected a URL, a list of URLs, a video, an image or a folder, found no {source}")
        elif path.suffix.lower() == ".txt":
            urls += read_url_list(path)
        elif path.suffix.lower() in VIDEO_SUFFIXES:  # a GIF that is named by itself is a video
            videos.append(path)
        else:
            images.append(path)
    return Sources(tuple(urls), tuple(videos), tuple(images))


def collect_class(
    name: str,
    sources: Sources,
    out: Path,
    work: Path,
    fetcher: Fetcher,
    rules: CollectRules = CollectRules(),
    detector: Callable[..., Any] | None = None,
    landmarks: Landmarks | None = None,
) -> ClassReport:
    """Crawl, take frames, keep what has a face, cut it out, and clean; a second run goes on.

    Args:
        name: Of the class, such as `happy` or `嘟嘴`.
        out: The data set: the class becomes a folder in it.
        work: Where downloads, frames and crops are kept, never within `out`.
        detector, landmarks: See select.select_faces.
    """
    check_class(name, sources, out, work)
    report, images, folder = ClassReport(name), list(sources.images), out / name
    crops = work / name / rules.kind
    if sources.urls:
        images += _crawl(sources.urls, work / name / "web", fetcher, rules, report)
    if sources.videos:
        images += _take_frames(sources.videos, work / name / "frames", rules, report)
    report.images = len(images)
    selected = select_faces(images, crops, rules.faces, rules.kind, detector, landmarks)
    report.refused, report.cut = len(selected.refused), len(selected.files)
    report.warnings += [name_reason(path, reason) for path, reason in selected.failed.items()]
    plan = plan_clean(crops, rules.clean, folder)
    report.copies = sum(len(group) - 1 for group in plan.copies)
    failed = apply_clean(plan, folder, rules.clean)
    report.warnings += [name_reason(path, reason) for path, reason in failed.items()]
    report.files = len(list_images(folder))
    if not report.files:
        report.warnings.append(f"{folder}: no {rules.kind} found")
    return report


def check_class(name: str, sources: Sources, out: Path, work: Path) -> None:
    """Check what `collect_class` is given."""
    if name != safe_name(name):
        raise ValueError(f"expected a class name that can be a folder's, got {name!r}; such as {safe_name(name)!r}")
    if work.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"expected a work folder outside of {out}, got {work}: all folders in there are classes")
    check_outside((*sources.videos, *sources.images), out)


def _crawl(urls: Sequence[str], folder: Path, fetcher: Fetcher, rules: CollectRules, report: ClassReport) -> list[Path]:
    crawler = Crawler(folder, fetcher, min_side=rules.min_side, max_images=rules.max_images)
    found = crawler.crawl(SeedPages(urls, rules.depth))
    report.crawled = found.counts()
    report.warnings += [
        f"{record.url[:200]}: {record.reason} (see {folder / MANIFEST})"
        for record in found.records
        if record.page is None and record.reason
    ]
    return list_images(folder)


def _take_frames(videos: Sequence[Path], folder: Path, rules: CollectRules, report: ClassReport) -> list[Path]:
    for video in videos:
        try:
            taken = save_frames(video, folder, rules.frames)
        except ValueError as error:
            report.warnings.append(reason_of(error))
            continue
        report.frames[str(video)] = len(taken.files)
        if taken.warning:
            report.warnings.append(f"{video}: {taken.warning}")
    return list_images(folder) if folder.is_dir() else []


_RECORDS = (CLEANED, SELECTED, FRAMES, MANIFEST)


def find_sources(path: Path) -> list[dict[str, Any]]:
    """Return the records that lead from an image, under any name, to its address and license, the nearest first."""
    if not path.is_file():
        raise FileNotFoundError(f"{str(path)!r}: expected an image, found no such file")
    found: list[dict[str, Any]] = []
    waiting = deque([(file_digest(path), path.parent.resolve())])
    while waiting:
        digest, folder = waiting.popleft()
        files = [place / name for place in (folder, *folder.parents[:2]) for name in _RECORDS]
        for record in (record for file in files for record in read_json_lines(file, missing_ok=True)):
            if record.get("sha256") != digest or record in found:
                continue
            found.append(record)
            if "source_sha256" in record:
                waiting.append((record["source_sha256"], Path(record["source"]).parent.resolve()))
    return found
