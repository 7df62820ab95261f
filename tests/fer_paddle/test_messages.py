"""Every help text, heading and summary of the command lines has Chinese that says the same; errors by their frames."""

import ast
import inspect
import io
import json
import re
import sys
from collections import Counter
from functools import cache
from typing import Annotated

import click
import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from fer_paddle import console, messages
from fer_paddle.apps.cli import APP
from fer_paddle.console import Command, Output, group, run
from fer_paddle.course.edition import compare_texts, read_glossary
from fer_paddle.environment import REPOSITORY
from fer_paddle.options import Epochs, Images, Side
from yolo3tiny.cli import APP as YOLO3TINY

GLOSSARY = read_glossary(REPOSITORY / "docs" / "glossary.csv")
SOURCES = [path for package in ("fer_paddle", "yolo3tiny") for path in sorted((REPOSITORY / package).rglob("*.py"))]
FINDINGS = json.loads((REPOSITORY / "fer_paddle" / "quality" / "findings.json").read_text(encoding="utf-8"))
# What click writes, and what options.Number puts together.
FROM_CLICK = {"Options", "Commands", "required", "default: {}", "Missing command"}
HEADINGS = re.compile(r"\w+( now| written| to keep|: pruned)")  # an option and a word
BUILT = re.compile(
    r"(an integer|a number|Missing|No such|Did you|\(Did you|\(Possible|Invalid|Option|Got|\{\} is not)\b"
)
# Options, file names, variables, names in quotes, methods, paths.
CODE = re.compile(
    r"--[a-z][\w-]*|[a-z*_]+\.[a-z]+|\b(?!URLs?\b)[A-Z_]{2,}s?\b|\b[a-z]+_[a-z_]+\b|\$\w+|'\w+'|(?:ort|slim)-\w+|(?<!\w)/[\w/]+(?:\.\w+)?",
    re.ASCII,
)
PLACE = re.compile(r"\{[^{}]*\}")


def read_catalogue(read=read_po, suffix=".po"):
    with messages.CATALOGUE.with_suffix(suffix).open("rb") as file:
        return {(one.context or "", one.id): one.string for one in read(file) if one.id}


CATALOGUE = read_catalogue()


def list_commands(app):
    yield app
    for one in app.commands.values() if isinstance(app, click.Group) else ():
        yield from () if one.hidden else list_commands(one)


def list_help(app):
    """The texts of a command line's help as the formatter looks them up."""
    for command in list_commands(app):
        with pytest.raises(click.exceptions.Exit):  # reads the parameters
            command.make_context("test", ["--help"])
        yield from (" ".join(part.split()) for part in inspect.cleandoc(command.help).split("\n\n"))
        for parameter in command.get_params(click.Context(command)):
            yield parameter.text if isinstance(parameter, click.Argument) else parameter.help


@cache
def list_nodes(path):
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def list_calls():
    """The constants that `say` and `track` are called with, and the headings of `table`, wherever commands are."""
    for path in SOURCES:
        nodes = list_nodes(path)
        ours = {one.name for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names}
        for node in nodes if ours & {"say", "track", "table"} else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ours and node.args:
                given = node.args[0]
                kinds = {"say": [given], "track": node.args[1:2], "table": getattr(given, "elts", [])}
                for one in kinds.get(node.func.id, ()):
                    if isinstance(one, ast.Constant):
                        yield one.value


def list_templates():
    """Every string of the source, on one line, {} for what an f-string puts in."""
    for path in SOURCES:
        for node in list_nodes(path):
            if isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str):
                yield read_template(node)


def read_template(node):
    parts = getattr(node, "values", [node])
    return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)


def list_errors(place):
    """What the modules of a folder, or one module, raise, with 7 in every place."""
    for path in [one for one in SOURCES if one.is_relative_to(REPOSITORY / place)]:
        for node in list_nodes(path):
            given = node.exc.args[:1] if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else ()
            texts = [
                read_template(one).replace("{}", "7") for one in given if isinstance(one, ast.JoinedStr | ast.Constant)
            ]
            yield from (text for text in texts if "expected" in text)


def is_used(frame, templates):
    parts = sorted(frame.split("{}"), key=len)
    return any(all(part in text for part in parts) for text in [text for text in templates if parts[-1] in text])


def test_every_text_has_its_chinese_and_no_chinese_is_left_over(capsys):
    titles = [title for title, *_ in FINDINGS.values()]
    needed = {*list_help(APP), *list_help(YOLO3TINY), *list_calls(), *titles} - {""}
    assert sorted(text for text in needed if ("", text) not in CATALOGUE) == []
    templates = list(list_templates())
    known = needed | FROM_CLICK | set(templates)
    left = [text for context, text in CATALOGUE if not context and text not in known and not HEADINGS.fullmatch(text)]
    assert left == []
    frames = [text for context, text in CATALOGUE if context and text not in FROM_CLICK and not BUILT.match(text)]
    assert [frame for frame in frames if not is_used(frame, templates)] == []


def test_the_compiled_catalogue_is_that_of_the_source():
    assert read_catalogue(read_mo, ".mo") == CATALOGUE


@pytest.mark.parametrize(
    "place",
    [
        *("fer_paddle/apps/cli", "fer_paddle/collect", "fer_paddle/expression/data", "fer_paddle/landmarks/data"),
        *("fer_paddle/options.py", "fer_paddle/image_files.py", "fer_paddle/packs.py", "fer_paddle/weights.py"),
        *("fer_paddle/study.py", "fer_paddle/compression/prune_study.py", "fer_paddle/training/config.py"),
        *(
            "yolo3tiny/cli",
            "yolo3tiny/photos.py",
            "yolo3tiny/splits.py",
            "yolo3tiny/keypoint/data.py",
            "yolo3tiny/keypoint/evaluate.py",
        ),
    ],
)
def test_what_a_student_gives_wrongly_is_named_in_chinese(place):
    errors = set(list_errors(place))
    chinese = {error: messages.say(error, "zh") for error in errors}
    left = {error: said for error, said in chinese.items() if re.search("[a-z]{2,} [a-z]{2,}", CODE.sub("", said))}
    assert errors and left == {}


def find_faults(english, chinese):
    yield from compare_texts(*(CODE.sub("", PLACE.sub("", text)) for text in (english, chinese)), GLOSSARY)
    for pattern in (PLACE, CODE):
        places = [Counter(re.sub(r"\{\d\}", "{}", one) for one in pattern.findall(text)) for text in (english, chinese)]
        if places[0] != places[1]:
            yield f"{pattern.pattern}: expected {places[0]}, got {places[1]}"
    if chinese.encode("gbk", "ignore").decode("gbk") != chinese:
        yield "a character that a Chinese console lacks"


def test_translations_keep_places_numbers_code_words_and_terms():
    faults = {text: found for (_, text), chinese in CATALOGUE.items() if (found := list(find_faults(text, chinese)))}
    assert faults == {}


# Which language


@pytest.mark.parametrize(
    ("argv", "environment", "language"),
    [
        ("", {}, "en"),
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW"}, "zh"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "C"}, "en"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_ALL": "", "LANGUAGE": "de:zh"}, "en"),
        ("", {"LANG": "zh_CN.UTF-8", "FER_LANG": "en"}, "en"),
        ("", {"FER_LANG": "zh"}, "zh"),
        ("", {"FER_LANG": "zh-CN", "LANG": "en"}, "zh"),
        ("do --language en", {"FER_LANG": "zh"}, "en"),
        ("do --language=zh --size 3", {}, "zh"),
        ("--language en do --language zh", {}, "zh"),
        ("do --language fr", {"FER_LANG": "zh"}, "zh"),  # click refuses it
        ("do -- --language zh", {}, "en"),
        ("do --language", {}, "en"),
        ("", {"system": "zh_CN"}, "zh"),
        ("", {"system": "Chinese (Simplified)_China"}, "zh"),
        ("", {"system": "de_DE"}, "en"),
    ],
)
def test_the_option_then_fer_lang_then_the_locale(argv, environment, language, monkeypatch):
    for name in ("FER_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    environment = dict(environment)
    system = environment.pop("system", None)
    monkeypatch.setattr(messages.locale, "getlocale", lambda: (system, "936"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert messages.choose_language(argv.split(), [io.StringIO()]) == language


@pytest.mark.parametrize(("encoding", "language"), [("cp1252", "en"), ("ascii", "en"), ("gbk", "zh"), ("utf-8", "zh")])
def test_where_a_stream_has_no_chinese_all_is_english(encoding, language):
    streams = [io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding=encoding)]
    assert messages.choose_language(["--language", "zh"], streams) == language


def test_another_language_in_fer_lang_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("FER_LANG", "fr")
    assert call("do") == 2
    assert capsys.readouterr() == ("", "error: expected a language of en, zh in FER_LANG, got 'fr'\n")


# What is said


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("expected a folder, got the file a/b: c", "应为文件夹，实际为文件 a/b: c"),
        ("x, y: expected an image, found no such file", "x, y: 应有图像，没有这个文件"),
        ("expected a runtime of onnx, ncnn, got 'a, got b'", "应为推理引擎（onnx, ncnn 之一），实际为 'a, got b'"),
        ("expected a strange thing, got 3", "应为 a strange thing，实际为 3"),
        ("8 bytes: expected a video, got a file that starts b'no'", "8 字节: 应为视频，实际为以 b'no' 开头的文件"),
        ("expected strange things", "应为 strange things"),
        ("a.txt:3: expected 5 numbers, got 'x'", "a.txt:3：应为 5 个数，实际为 'x'"),
        ("[Errno 28] No space left on device: 'a'", "[Errno 28] No space left on device: 'a'"),
        ("images", "图像"),
        ("expected num_bins of 1 or more, got 0", "应为 num_bins（不小于 1），实际为 0"),
        ("a.txt:3: expected cx cy w h in 0..1, got 2", "a.txt:3: 应为 cx cy w h（0 到 1），实际为 2"),
        ("a.npz: expected 7 images in b, got 3", "a.npz: 应为 b 中 7 幅图像，实际为 3"),
        ("expected a folder of images, found nothing at images", "应有图像文件夹，在 images 什么也没有找到"),
        ("", ""),
    ],
)
def test_an_error_is_said_as_far_as_the_frames_know_it(english, chinese):
    assert messages.say(english, "zh") == chinese and messages.say(english) == messages.say(english, "en") == english


# A command that speaks Chinese


def work(images: Images = (), *, epochs: Epochs = None, size: Annotated[Side, "side of the faces in pixels"] = 8):
    """Find the faces in images and videos and name their expressions.

    A bad image is named at the end,
    with exit code 1.
    """
    if images:
        raise ValueError(f"expected an image, got {images[0]}")
    return Output({"image": "no face"}, console.table(["image", "ms"], [["笑脸.jpg", 1.25], ["b.png", 12]]))


def call(*argv):
    return run(
        group(
            "test",
            "Facial expressions: collect faces, train, measure, recognize, export.",
            Command(work, "do"),
            version="1",
        ),
        argv,
    )


HELP = """用法: test do [OPTIONS] [IMAGES]...

  在图像和视频中找到人脸，说出它们的表情。

  坏图像在最后列出，退出码为 1。

选项:
  --epochs INTEGER    训练轮数，代替配方中的值；配合 --resume 时若多于已完成的
                      训练，就接着训练
  --size INTEGER      人脸的边长，单位像素  [默认：8]
  --json              输出 JSON 而不是文字
  --language [en|zh]  帮助、错误和表格的语言（默认：FER_LANG，其次是系统的
                      locale）
  --help              显示本帮助并退出。
"""


@pytest.mark.parametrize(
    ("argv", "code", "out", "err"),
    [
        ("do --help", 0, HELP, ""),
        ("do", 0, "图像      毫秒\n笑脸.jpg  1.25\nb.png       12\n", ""),
        ("do --json", 0, '{\n  "image": "no face"\n}\n', ""),
        ("do b.png", 2, "", "错误：应为图像，实际为 b.png\n"),
        ("do --size 0", 2, "", "错误：'--size' 的值无效：应为 1 到 4096 的整数，实际为 '0'（见 test do --help）\n"),
        ("do --size", 2, "", "错误：选项 '--size' 需要一个值（见 test do --help）\n"),
        ("do --siez 3", 2, "", "错误：没有选项 '--siez'。是不是 '--size'？（见 test do --help）\n"),
        ("", 2, "", "错误：缺少命令（见 test --help）\n"),
    ],
)
def test_a_command_in_chinese(argv, code, out, err, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert call("--language", "zh", *argv.split()) == code
    assert capsys.readouterr() == (out, err)
    assert messages.current_language() == "en"


def test_the_list_of_commands_has_whole_sentences(capsys):
    assert call("--help", "--language", "zh") == 0
    assert "\n  do  在图像和视频中找到人脸，说出它们的表情\n" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk", "utf-8"])
def test_help_can_be_printed_in_every_encoding(encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    assert call("--language", "zh", "do", "--help") == 0
    text = stream.buffer.getvalue().decode(encoding)
    assert ("用法" if encoding in ("gbk", "utf-8") else "Usage") in text and "\\" not in text
