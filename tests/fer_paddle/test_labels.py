"""The order, the names and the colours of the seven expressions."""

from __future__ import annotations

import pytest

from fer_paddle.labels import COLORS_BGR, EXPRESSIONS, EXPRESSIONS_ZH, parse_expression

# The tutorial's folders: their numbers are an order of its own, not FER2013's.
TUTORIAL = {
    "0_Neutral": "neutral",
    "1_Anger": "angry",
    "2_Disgust": "disgust",
    "3_Fear": "fear",
    "4_Happy": "happy",
    "5_Sad": "sad",
    "6_Surprise": "surprise",
}
# The FER+ columns that are one of the seven.
FERPLUS = {
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "surprise": "surprise",
    "neutral": "neutral",
}
WRITTEN_OTHERWISE = {
    "HAPPY": "happy",
    " Sad ": "sad",
    "Surprised": "surprise",
    "4 Happy": "happy",
    "04-happy": "happy",
    "5.sad": "sad",
    "5_悲伤": "sad",
    "开心": "happy",
    "恐惧": "fear",
    "平静": "neutral",
}


def test_the_order_is_fer2013s():
    assert EXPRESSIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def test_every_expression_has_a_chinese_name_and_a_colour_of_its_own():
    assert len(set(EXPRESSIONS_ZH)) == len(set(COLORS_BGR)) == len(EXPRESSIONS)
    assert all(len(color) == 3 and all(0 <= part <= 255 for part in color) for color in COLORS_BGR)


@pytest.mark.parametrize("names", [EXPRESSIONS, EXPRESSIONS_ZH])
def test_parse_gives_the_index_of_either_language(names):
    assert [parse_expression(name) for name in names] == list(range(7))


@pytest.mark.parametrize(("name", "word"), [*TUTORIAL.items(), *FERPLUS.items(), *WRITTEN_OTHERWISE.items()])
def test_parse_knows_other_names(name, word):
    assert EXPRESSIONS[parse_expression(name)] == word


@pytest.mark.parametrize(
    "name",
    [
        "",
        "contempt",  # an expression, but none of the seven
        "train",
        "3",  # a bare number: whose order would it be?
        "5_",
        "sad5",
        "happy sad",
        "哭",
    ],
)
def test_parse_refuses_what_is_none_of_the_seven(name):
    with pytest.raises(ValueError, match="angry, disgust") as caught:
        parse_expression(name)
    assert repr(name) in str(caught.value)
