"""Exercises: the solutions are right, others wrong, the notebooks ask what the data say; quiz, progress, marking."""

import ast
import json
import re
import threading

import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_notebook, new_output

from fer_paddle.apps.cli import main
from fer_paddle.course import folder as learner
from fer_paddle.course import marking
from fer_paddle.course.chapters import (
    Between,
    choose_language,
    digest_text,
    exercise_numbers,
    load_chapter,
    load_texts,
    numbers,
    split_number,
)
from fer_paddle.course.checks import RECORD, agrees, check, quiz
from fer_paddle.environment import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"
CHAPTERS = {path.name.partition("_")[0]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]*_*.ipynb"))}
CALL = re.compile(r'check\("(\d\d[a-z]?\.\d)", (\w+)')


@pytest.fixture(autouse=True)
def my_course(tmp_path, monkeypatch):
    for name in ("FER_LANG", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FER_LANG", "en")
    monkeypatch.setenv("FER_COURSE", str(tmp_path / "mine"))
    return tmp_path / "mine"


def code_of(path):
    return [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def solve(number):
    """Run the cell of a solution notebook that answers an exercise, after the imports of all cells."""
    sources = code_of(NOTEBOOKS / "solutions" / CHAPTERS[split_number(number)[0]].name)
    (cell,) = [source for source in sources if f'assert check("{number}"' in source]
    imports = [
        node for source in sources for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    space = {"SEED": 0}
    exec(compile(ast.Module(imports, []), number, "exec"), space)
    if number == "02.3":
        space["images"] = list(np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8))
    exec(compile(cell, number, "exec"), space)
    return space[CALL.search(cell)[2]]


def spoil(value):
    """Return another value of the same kind."""
    if isinstance(value, (str, bytes)):
        return value + type(value)(value[:1])
    if isinstance(value, dict):
        return {name: spoil(part) for name, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return {spoil(part) for part in value}
    if isinstance(value, (list, tuple)):
        return [spoil(part) for part in value] if value else [1]
    return value + 3


def spoil_answer(number, answer):
    if number == "08.2":
        return lambda weights: np.abs(weights).mean(axis=(1, 2, 3))
    if number == "13.4":
        return lambda points, ratio: points
    if number == "01.1":
        return type("Site", (), {"__init__": lambda self, site: None, "first": lambda self: ["nowhere"]})
    return (lambda *arguments: spoil(answer(*arguments))) if callable(answer) else spoil(answer)


@pytest.mark.parametrize("number", exercise_numbers())
def test_the_solution_is_right_and_another_answer_wrong(number):
    answer = solve(number)
    result = check(number, answer, record=False)
    assert result, result.text
    wrong = check(number, spoil_answer(number, answer), record=False)
    assert wrong.state == "wrong" and not wrong and (": expected " in wrong.text or " raised " in wrong.text), (
        wrong.text
    )
    assert check(number, None).state == check(number, ...).state == "unanswered"


@pytest.mark.parametrize("chapter", numbers())
def test_hints_and_questions_are_whole_in_both_languages(chapter):
    content = load_chapter(chapter)
    for exercise in content.exercises:
        assert [len([hint for hint in exercise["hints"][language] if hint]) for language in ("en", "zh")] == [2, 2]
    assert len(content.quiz) == 5
    for question in content.quiz:
        for language in ("en", "zh"):
            choices = question[language]["choices"]
            assert question[language]["question"] and question["right"] in choices and len(choices) == 3
            assert all(text and reason for text, reason in choices.values())
        assert re.search(r"[\u4e00-\u9fff]", question["zh"]["question"])


@pytest.mark.parametrize("chapter", numbers())
def test_the_notebook_asks_what_the_data_say(chapter):
    cells = [cell for cell in nbformat.read(CHAPTERS[chapter], 4).cells if cell.cell_type == "code"]
    asked = {match[1]: (cell, match[2]) for cell in cells for match in CALL.finditer(cell.source)}
    exercises = load_chapter(chapter).exercises
    assert list(asked) == [f"{chapter}.{i + 1}" for i in range(len(exercises))]
    for (number, (cell, name)), exercise in zip(asked.items(), exercises):
        signature = exercise["answer"]
        start = f"class {name}:" if number == "01.1" else f"def {signature}:" if "(" in signature else f"{name} = ...\n"
        assert name == signature.partition("(")[0] and start in cell.source
        (output,) = cell.outputs
        assert output.data["text/plain"] == f"{number}: not answered yet."
        assert output.data[RECORD] == {"exercise": number, "state": "unanswered", "cell": digest_text(cell.source)}
    (questions,) = [cell for cell in cells if f'quiz("{chapter}")' in cell.source]
    assert questions.outputs[0].data["text/plain"] == str(quiz(chapter))


def test_every_chapter_has_exercises_that_answer():
    assert set(numbers()) == set(CHAPTERS)


@pytest.mark.parametrize(
    ("found", "expected", "tolerance", "right"),
    [
        (3, 3, 0, True),
        (3.0, 3, 0, True),
        (4, 3, 0, False),
        (True, 1, 0, False),
        (1, True, 0, False),
        (float("nan"), 3.0, 9, False),
        ("3", 3, 0, False),
        (np.float32(0.5), Between(0, 1), 0, True),
        (float("inf"), Between(0, 1), 0, False),
        ([1, 2], (1, 2), 0, True),
        (np.array([1, 2]), (1, 2), 0, True),
        ([1, 2, 3], (1, 2), 0, False),
        ([1.0, 2.1], np.array([1, 2]), 0.2, True),
        ([[1, 2]], np.array([1, 2]), 0.2, False),
        ([1, [2]], np.array([1, 2]), 0.2, False),
        (("b", "a"), {"a", "b"}, 0, True),
        (["a", "a"], {"a"}, 0, False),
        ([["a"]], {"a"}, 0, False),
        ({"a": 1}, {"a": 1.05}, 0.1, True),
        ({"a": 1, "b": 2}, {"a": 1}, 0, False),
    ],
)
def test_values_are_compared_by_kind(found, expected, tolerance, right):
    assert agrees(found, expected, tolerance) is right


def test_what_is_wrong_is_told_in_the_language_of_the_notebook(monkeypatch):
    assert check("09.2", lambda a, b: 2.0).text == (
        "09.2: same_answers(logits, logits with noise 0.0): expected a number, got 2, which is too large."
    )
    assert "raised ZeroDivisionError" in check("09.2", lambda a, b: 1 / 0).text
    assert check("09.2", hint=1).text.startswith("09.2: hint 1: ")
    monkeypatch.delenv("FER_LANG")
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/zh/09_quantize.ipynb")
    assert check("09.2").text == "09.2：还没有回答。" and choose_language() == "zh"
    assert check("09.2", hint=2).text.startswith("09.2：提示 2：")
    monkeypatch.setenv("FER_LANG", "en")
    assert choose_language() == "en"
    english = {kind: load_texts(kind) for kind in ("check", "quiz")}
    monkeypatch.setenv("FER_LANG", "zh_CN.UTF-8")
    for kind, texts in english.items():
        chinese = load_texts(kind)
        assert {name: text.count("{") for name, text in texts.items()} == {n: t.count("{") for n, t in chinese.items()}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check("4.2"), "expected an exercise from 00.1"),
        (lambda: check(4.2), "expected an exercise from 00.1"),
        (lambda: quiz(4), "expected a chapter of 00"),
        (lambda: check("04.9"), "got '04.9'"),
        (lambda: check("04.2", hint=3), "expected a hint from 1 to 2, got 3"),
        (lambda: quiz("99"), "expected a chapter of 00, 00b, 01"),
        (lambda: quiz("04", 6), "expected a question from 1 to 5, got 6"),
        (lambda: quiz("04", 1, "d"), "expected a choice of a, b, c, got 'd'"),
        (lambda: quiz("04", choice="a"), "expected the number of a question"),
        (lambda: learner.keep(np.zeros((2, 2), np.uint8), "../x.png"), "expected a name"),
        (lambda: learner.keep(np.zeros((2, 2), np.uint8), "progress.json"), "expected a name"),
    ],
)
def test_wrong_use_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_quiz_answers_and_keeps_the_last_choice(my_course):
    right = load_chapter("04").quiz[0]["right"]
    wrong = next(letter for letter in "abc" if letter != right)
    assert str(quiz("04", 1, wrong)).startswith("No. ") and str(quiz("04", 1, right)).startswith("Right. ")
    assert str(quiz("04", 2)).startswith("2. ")
    assert learner.read_progress()["quiz"] == {"04.1": right}
    assert learner.count_progress()["04"]["quiz_right"] == 1


def test_progress_survives_and_is_whole_with_several_writers(my_course):
    assert learner.count_progress()["all"]["solved"] == 0 and not my_course.exists()
    writers = [
        threading.Thread(target=learner.record, args=("solved", number, "2026-01-01")) for number in exercise_numbers()
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    total = learner.count_progress()["all"]
    assert total["solved"] == total["exercises"] == len(exercise_numbers())
    assert [path.name for path in my_course.iterdir() if path.suffix == ".tmp"] == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"solved": []}', '{"solved": {}, "quiz": 3}'])
def test_a_damaged_progress_is_named_and_left_alone(my_course, content):
    my_course.mkdir()
    (my_course / "progress.json").write_text(content)
    with pytest.raises(ValueError, match="move the file away"):
        learner.record("solved", "04.1", "2026-01-01")
    assert (my_course / "progress.json").read_text() == content


def test_what_is_made_is_kept_whole(my_course, tmp_path):
    (tmp_path / "faces").mkdir()
    for content in ("old", "new"):
        (tmp_path / "faces" / "a.txt").write_text(content)
        learner.keep(tmp_path / "faces", "faces")
        learner.keep(tmp_path / "faces" / "a.txt", "a.txt")
    learner.keep(np.full((4, 4, 3), 200, np.uint8), "photo.png")
    assert (my_course / "faces" / "a.txt").read_text() == (my_course / "a.txt").read_text() == "new"
    assert sorted(path.name for path in my_course.iterdir()) == ["a.txt", "faces", "photo.png"]
    with pytest.raises(FileNotFoundError, match="nothing at"):
        learner.keep(tmp_path / "nowhere", "a.txt")


CELL = 'def box_share(margin):\n    return {}\n\n\ncheck("00.3", box_share)'


@pytest.fixture
def student(tmp_path, monkeypatch):
    """A notebook of chapter 00 as a kernel leaves it: one right answer, one wrong, two not given."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    sources = ['check("00.4", lambda report: {})', CELL.format("1 / (1 + 2 * margin) ** 2")]
    notebook, shell = new_notebook(), InteractiveShell.instance(user_ns={"check": check})
    for source in sources:
        result = shell.run_cell(source, store_history=True).result
        outputs = [new_output("execute_result", shell.display_formatter.format(result)[0], execution_count=1)]
        notebook.cells.append(new_code_cell(source, outputs=outputs))
    InteractiveShell.clear_instance()
    path = tmp_path / "student.ipynb"
    nbformat.write(notebook, path)
    return path


def test_a_notebook_is_marked_by_what_its_run_recorded(student, capsys):
    states = {"00.1": "unchecked", "00.2": "unchecked", "00.3": "right", "00.4": "wrong"}
    assert marking.mark_notebook(marking.read_notebook(student)) == states
    assert main(["check", "--notebook", str(student), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "notebooks": [{"file": str(student), "right": 1, "exercises": 4, "states": states}]
    }
    notebook = nbformat.read(student, 4)
    notebook.cells[-1].source = CELL.format("0.5")  # written after the check
    assert marking.mark_notebook(notebook)["00.3"] == "changed"


@pytest.mark.parametrize(("state", "code"), [("right", 0), ("wrong", 1), ("unanswered", 1), ("better than right", 1)])
def test_the_exit_code_says_whether_all_is_right(tmp_path, capsys, state, code):
    cells = []
    for i in range(4):
        source = f'check("07.{i + 1}", x)'
        told = {"exercise": f"07.{i + 1}", "state": state if i else "right", "cell": digest_text(source)}
        output = new_output("execute_result", {"text/plain": "", RECORD: told}, execution_count=1)
        cells.append(new_code_cell(source, outputs=[output]))
    nbformat.write(new_notebook(cells=cells), tmp_path / "a.ipynb")
    assert main(["check", "--notebook", str(tmp_path / "a.ipynb")]) == code
    assert f"{4 if code == 0 else 1}/4" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"cells": 3}', "no notebook", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'],
)
def test_what_is_no_notebook_of_the_course_is_wrong_use(tmp_path, capsys, content):
    (tmp_path / "a.ipynb").write_text(content)
    assert main(["check", "--notebook", str(tmp_path / "a.ipynb")]) == 2
    assert capsys.readouterr().err.startswith("error: expected a notebook")


def test_the_command_shows_progress(capsys):
    check("07.4", lambda c, n, t: (t - n) / (c - n))
    assert main(["check"]) == 0
    assert f"1/{len(exercise_numbers())}" in capsys.readouterr().out
    assert main(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["07"]["solved"] == 1


@pytest.mark.parametrize("chapter", numbers())
def test_every_chapter_has_slides(chapter):
    cells = nbformat.read(CHAPTERS[chapter], 4).cells
    tagged = [cell for cell in cells if "slide" in cell.metadata.get("tags", ())]
    assert 4 <= len(tagged) <= 14 and tagged[0] is cells[0]


def test_slides_hold_the_tagged_cells_alone_with_their_figures(tmp_path):
    target = tmp_path / "slides.html"
    assert main(["course", "slides", str(CHAPTERS["04"]), "--out", str(target)]) == 0
    html = target.read_text(encoding="utf-8")
    assert "Train DistResNet" in html and "An expression is not a feeling" not in html
    assert "data:image/svg" in html and 'src="figures' not in html
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / "a.ipynb")
    assert main(["course", "slides", str(tmp_path / "a.ipynb"), "--out", str(target)]) == 2
