"""`quiz("04")`: five questions a chapter, each choice with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from fer_paddle.course.chapters import choose_language, load_chapter, load_texts
from fer_paddle.course.folder import record


@dataclass(frozen=True)
class Text:
    """Lines that a notebook shows as they are."""

    text: str

    def __repr__(self) -> str:
        return self.text


def quiz(chapter: str, question: int | None = None, choice: str | None = None) -> Text:
    """Show the questions of a chapter, one of them, or what is right or wrong about a choice.

    Args:
        chapter: Its number, such as "04" or "00b".
        question: 1 to 5; None shows all.
        choice: Its letter; the last choice of each question is kept in my_course/progress.json.

    Raises:
        ValueError: There is no such chapter, question or choice.
    """
    questions, language = load_chapter(chapter).quiz, choose_language()
    texts = load_texts("quiz")
    if question is not None and question not in range(1, len(questions) + 1):
        raise ValueError(f"expected a question from 1 to {len(questions)}, got {question!r}")
    if choice is None:
        shown = range(1, len(questions) + 1) if question is None else (question,)
        parts = []
        for number in shown:
            asked = questions[number - 1][language]
            choices = [f"   {letter}) {text}" for letter, (text, _) in asked["choices"].items()]
            parts.append("\n".join([f"{number}. {asked['question']}", *choices]))
        return Text("\n".join([*parts, texts["how"].format(chapter)]))
    if question is None:
        raise ValueError(f"expected the number of a question with the choice {choice!r}, got none")
    asked = questions[question - 1]
    choices = asked[language]["choices"]
    if choice not in choices:
        raise ValueError(f"expected a choice of {', '.join(choices)}, got {choice!r}")
    record("quiz", f"{chapter}.{question}", choice)
    return Text(texts["right" if choice == asked["right"] else "wrong"].format(choices[choice][1]))
