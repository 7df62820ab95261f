"""Commands that collect images and tidy them: `collect run` does the chapter, the others its parts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fer_paddle import options as opt
from fer_paddle.console import FAILED, OK, Output, shown_names, table, visible, warn
from fer_paddle.messages import reason_of, say


@dataclass(frozen=True, kw_only=True)
class Web:
    """How to fetch."""

    depth: Annotated[opt.NaturalInt, "follow links of the same host so far"] = 0
    pause: Annotated[float, opt.Number(float, 0, 3600), "seconds between requests to a host"] = 1.0
    min_side: Annotated[opt.PositiveInt, "least side of an image in pixels"] = 64
    max_images: Annotated[opt.PositiveInt | None, "stop a crawl after so many images"] = None
    proxy: Annotated[str | None, "such as http://localhost:8080; the environment's is not used"] = None
    allow_private: Annotated[bool, "also fetch from this machine and its network"] = False

    def fetcher(self) -> Any:
        from fer_paddle.collect.fetch import Fetcher, FetchPolicy

        policy = FetchPolicy(pause_seconds=self.pause, allow_private=self.allow_private)
        return Fetcher(policy, self.proxy)


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Which frames of a video are taken."""

    frames: Annotated[Literal["sharpest", "rate", "scenes"], "which frames of a video"] = "sharpest"
    per_second: Annotated[opt.PositiveFloat, "frames a second"] = 1.0
    scene_change: Annotated[opt.UnitInterval, "least change of a scene"] = 0.4
    max_frames: Annotated[opt.PositiveInt, "most frames of a video"] = 1000

    def rule(self) -> Any:
        from fer_paddle.video import FrameRule

        return FrameRule(self.frames, self.per_second, self.scene_change, self.max_frames)


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Which faces are kept."""

    what: Annotated[Literal["faces", "mouths", "images"], "what is kept"] = "faces"
    min_faces: Annotated[opt.PositiveInt, "least faces of an image"] = 1
    max_faces: Annotated[opt.PositiveInt | None, "most faces of an image"] = None
    min_score: opt.MinScore = 0.5
    min_px: Annotated[opt.NonNegativeFloat, "least side of a face in pixels"] = 40.0
    min_sharpness: Annotated[opt.NonNegativeFloat, "least sharpness of a face"] = 0.0

    def rule(self) -> Any:
        from fer_paddle.collect.select import FaceRule

        return FaceRule(self.min_faces, self.max_faces, self.min_score, self.min_px, self.min_sharpness)

    def landmarks(self) -> Any:
        """Return what finds the points of a face, by which mouths are cut; None for what needs none."""
        if self.what != "mouths":
            return None
        from fer_paddle.landmarks.predict import Landmarker

        landmarker = Landmarker()
        return lambda image, box: landmarker(image, box[None])[0]


def run(
    classes: Annotated[
        tuple[str, ...],
        "CLASS=SOURCE such as happy=urls.txt 嘟嘴=clip.mp4: a URL, a .txt with URLs, a video, an image or a folder of "
        "them",
    ],
    *,
    out: Annotated[Path, "the data set, one folder a class"],
    work: Annotated[Path | None, "folder for downloads and frames (default: OUT_work)"] = None,
    web: Web,
    frame_options: Frames,
    face_options: Faces,
) -> Output:
    """Do the whole chapter: from URLs and videos to class folders; run again, it goes on."""
    from fer_paddle.collect.pipeline import CollectRules, check_class, collect_class, sort_sources
    from fer_paddle.labels import choose_classes
    from yolo3tiny.predict import Detector

    named: dict[str, list[str]] = {}
    for text in classes:
        name, equals, source = text.partition("=")
        if not (name and equals and source):
            raise ValueError(f"expected CLASS=SOURCE such as happy=urls.txt, got {text!r}")
        named.setdefault(name, []).append(source)
    choose_classes(named)
    given = {name: sort_sources(texts) for name, texts in named.items()}
    work = work or out.with_name(f"{out.name}_work")
    for name, one in given.items():
        check_class(name, one, out, work)
    rules = CollectRules(
        frames=frame_options.rule(),
        faces=face_options.rule(),
        kind=face_options.what,
        depth=web.depth,
        min_side=web.min_side,
        max_images=web.max_images,
    )
    detector, landmarks, reports = Detector(), face_options.landmarks(), []
    with web.fetcher() as fetcher:
        for name, one in given.items():
            reports.append(collect_class(name, one, out, work, fetcher, rules, detector, landmarks))
    warn(*(warning for report in reports for warning in report.warnings))
    rows = [[one.name, one.images, one.refused, one.cut, one.copies, one.files] for one in reports]
    text = table(["class", "images", "without a face", "cut out", "copies", f"{face_options.what} now"], rows)
    code = OK if all(report.files for report in reports) else FAILED
    return Output(list(map(asdict, reports)), f"{text}\n\n" + say("written to {}").format(out), code=code)


def crawl(
    sources: Annotated[tuple[str, ...], "URLs of pages or images, or .txt files with one URL a line"],
    *,
    out: Annotated[Path, "folder for images and manifest.jsonl"],
    web: Web,
) -> Output:
    """Fetch images politely and keep a manifest; run again, it goes on where it was."""
    from fer_paddle.collect import crawl as crawling
    from fer_paddle.collect.pages import SeedPages

    lists = [[source] if "://" in source else crawling.read_url_list(Path(source)) for source in sources]
    source = SeedPages([url for urls in lists for url in urls], web.depth)
    with web.fetcher() as fetcher:
        crawler = crawling.Crawler(out, fetcher, min_side=web.min_side, max_images=web.max_images)
        report = crawler.crawl(source)
    warn(*(f"{one.url[:200]}: {one.reason}" for one in report.records if one.reason and not one.page))
    counts = report.counts()
    result = {**counts, "done_before": report.done_before, "records": list(map(asdict, report.records))}
    rows = [[say(name), count] for name, count in (counts | {"done before": report.done_before}).items()]
    text = table(["addresses", ""], rows)
    failed = counts[crawling.FAILED] or not (counts[crawling.SAVED] or report.done_before)
    code = FAILED if failed else OK
    told = say("written to {}, what became of each address in manifest.jsonl").format(out)
    return Output(result, f"{text}\n\n{told}", code=code)


def frames(
    videos: Annotated[tuple[Path, ...], "video files"],
    *,
    out: Annotated[Path, "folder for the frames and frames.jsonl"],
    frame_options: Frames,
) -> Output:
    """Write frames of videos as images named by their time; a damaged video gives what can be read."""
    from fer_paddle.collect.frames import save_frames

    rule = frame_options.rule()
    reports: list[Any] = []
    failed: list[tuple[str, str]] = []
    for video in videos:
        try:
            reports.append(save_frames(video, out, rule))
        except (ValueError, FileNotFoundError) as error:
            failed.append(("", reason_of(error)))
    rows = [
        [one.video, one.frames_read, len(one.files), say("done before") if one.done_before else one.warning or ""]
        for one in reports
    ]
    result = {"videos": list(map(asdict, reports)), "failed": [reason for _, reason in failed]}
    return Output(result, table(["video", "frames read", "written", ""], rows), failed)


def clean(
    folder: Annotated[Path, "folder of images; it stays as it is"],
    *,
    out: Annotated[Path | None, "the clean folder to write; without it, a plan is printed"] = None,
    pattern: Annotated[str, "names, of {folder}, {stem} and {number:05}"] = "{folder}_{number:05}",
    format: Annotated[str, "suffix of all images"] = ".jpg",
    color: Annotated[Literal["keep", "color", "gray"], "color of all images"] = "keep",
    near: Annotated[int, opt.Number(int, -1, 64), "bits of 64 in which copies may differ; -1: exact ones only"] = 4,
) -> Output:
    """Write a clean copy of a folder: one name pattern, one format, no copies; and a contact sheet of the copies.

    Run it again to go on after a stop, delete OUT to undo it.
    """
    from fer_paddle.collect.clean import DONE, CleanRule, apply_clean, plan_clean
    from fer_paddle.collect.copies import write_contact_sheets

    rule = CleanRule(pattern, format, color, near)
    plan = plan_clean(folder, rule, out)
    if not plan.actions:
        raise ValueError(f"expected images in {folder}, found none")
    failed = apply_clean(plan, out, rule) if out else {}
    groups = [*plan.copies, *plan.conflicts]
    sheets = write_contact_sheets(out.with_name(f"{out.name}-copies.jpg"), groups) if out else []
    changes = [action for action in plan.actions if action.kind != DONE]
    rows = [{"file": str(one.path), "action": one.kind, "target": one.stem, "reason": one.reason} for one in changes]
    conflicts = [list(map(str, group)) for group in plan.conflicts]
    result = {"out": out and str(out), **plan.counts(), "actions": rows, "conflicts": conflicts, "failed": failed}
    lines = [
        visible(f"{one.kind:9}  {one.path.relative_to(folder)}: {one.reason or f'-> {one.stem}{rule.suffix}'}")
        for one in changes
    ]
    counts = ", ".join(f"{say(name)} {number}" for name, number in plan.counts().items())
    copies = say("copies in {} groups, to look at: {}").format(len(plan.copies), ", ".join(map(str, sheets)) or "-")
    lines.append(f"\n{counts}; {copies}")
    lines.append(say("written to {}").format(out) if out else say("a plan only: nothing is written without --out"))
    warn(*(f"in several folders, all kept: {', '.join(group)}" for group in conflicts))
    return Output(result, "\n".join(lines), list(failed.items()))


def select(
    images: opt.Images,
    *,
    out: Annotated[Path, "folder for the crops and selected.jsonl"],
    face_options: Faces,
) -> Output:
    """Copy images with faces, or cut their faces or mouths; the originals stay as they are."""
    from fer_paddle.collect.select import select_faces
    from fer_paddle.image_files import find_images

    rule, what = face_options.rule(), face_options.what
    landmarks, paths = face_options.landmarks(), find_images(images, out)
    report = select_faces(paths, out, rule, what, landmarks=landmarks)
    rows = [[say("images kept"), len(report.kept)], [say("refused"), len(report.refused)]]
    rows += [[say("unreadable"), len(report.failed)], [say("done before"), report.done_before]]
    text = table(["", ""], [*rows, [say(f"{what} written"), len(report.files)]])
    return Output(asdict(report), text, [("", reason) for reason in report.failed.values()])


def sources(
    images: Annotated[tuple[str, ...], "what the other parts made: files, under any name, or folders"],
) -> Output:
    """Show which image, video or address each image came from, and the license that was found there."""
    from fer_paddle.collect.pipeline import find_sources
    from fer_paddle.image_files import find_images

    found = {str(path): find_sources(path) for path in find_images(images)}
    names = ("was", "source", "video", "seconds", "url", "page", "license")
    text = []
    for path, records in found.items():
        lines = ["  ".join(f"{name}: {record[name]}" for name in names if record.get(name)) for record in records]
        text.append("\n  ".join([path, *(lines or [say("nothing is known")])]))
    return Output(found, "\n".join(text), code=OK if all(found.values()) else FAILED)


def train_mouths(
    *,
    data: Annotated[tuple[str, ...], "mouth_smile.npz and your own folders of neutral, smile, pout, laugh"],
    out: Annotated[Path, "folder of the run"] = Path("runs/mouths"),
    options: opt.TrainOptions,
) -> Output | None:
    """Train the mouth classifier; write checkpoints, curves, model.safetensors and model.onnx to the folder."""
    from fer_paddle.apps.cli.train import train
    from fer_paddle.expression.predict import COURSE
    from fer_paddle.weights import load_card

    trained = train(data=data, recipe="mouths", start=Path(COURSE), out=out, options=options)
    if trained is None:
        return None
    card = load_card(out / "model.safetensors")
    shown = shown_names(card["classes"])
    rows = [[shown[name], card["train_faces"][name], card["valid_faces"][name]] for name in shown]
    return Output(trained.result, f"{table(['class', 'train', 'validation'], rows)}\n\n{trained.text}")
