"""Order, names and colors of the classes, what the names of class folders mean, and the names of splits."""

import pytest

from fer_paddle.labels import (
    EXPRESSIONS,
    EXPRESSIONS_ZH,
    FERPLUS_EXPRESSIONS,
    choose_classes,
    class_names_zh,
    find_class,
    parse_expression,
    parse_split,
)

# The tutorial's folders: their numbers are an order of its own, not FER2013's.
TUTORIAL = ("1_Anger", "2_Disgust", "3_Fear", "4_Happy", "5_Sad", "6_Surprise", "0_Neutral")
FERPLUS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


@pytest.mark.parametrize("names", [EXPRESSIONS, EXPRESSIONS_ZH, TUTORIAL, FERPLUS])
def test_parse_gives_the_index_of_every_vocabulary_in_fer2013s_order(names):
    assert [parse_expression(name) for name in names] == list(range(7))
    assert (*EXPRESSIONS, "contempt") == FERPLUS_EXPRESSIONS


# contempt is an expression, but none of the seven; a bare number: whose order would it be?
@pytest.mark.parametrize("name", ["", "contempt", "train", "3", "5_", "sad5", "happy sad", "哭"])
def test_parse_refuses_what_is_none_of_the_seven(name):
    with pytest.raises(ValueError, match="angry, disgust") as caught:
        parse_expression(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("names", "wanted", "classes"),
    [
        (EXPRESSIONS_ZH, None, EXPRESSIONS),
        (["sad", "happy"], None, EXPRESSIONS),  # a part of the seven is the seven
        ([*EXPRESSIONS, "contempt"], None, FERPLUS_EXPRESSIONS),
        # Of one's own: all stay as they are written, two of the same meaning as the first.
        (["嘟嘴", "大笑", "smile", "微笑"], None, ("smile", "嘟嘴", "大笑")),
        (["开心", "无聊", "Happiness"], None, ("开心", "无聊")),
        (["4_Happy", "5_Bored"], None, ("4_Happy", "5_Bored")),
        (["happy"], ["Bored", "开心"], ("Bored", "开心")),
        (list("1234567"), None, tuple("1234567")),
        ([*EXPRESSIONS, "bored"], None, ("angry", "bored", *EXPRESSIONS[1:4], "neutral", "sad", "surprise")),
        (["10", "9", "1"], None, ("1", "9", "10")),
        (["１", "２", "caf\u00e9", "cafe\u0301"], None, ("caf\u00e9", "1", "2")),
        (["ｈａｐｐｙ", " Sad\u3000"], None, EXPRESSIONS),
        (["Zebra", "ant", "无聊"], None, ("Zebra", "ant", "无聊")),
        ([], None, ()),
        (["happy", "悲伤"], ["sad", "开心"], ("sad", "开心")),  # two classes where the user says so
        (EXPRESSIONS, FERPLUS, EXPRESSIONS),  # the seven and the eight keep their order
        ([], ["contempt", *FERPLUS], FERPLUS_EXPRESSIONS),
    ],
)
def test_which_classes_names_mean(names, wanted, classes):
    found, index_of = choose_classes(names, wanted)
    assert found == classes and index_of.keys() == set(names)
    assert all(find_class(name, found) == index for name, index in index_of.items())


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        (EXPRESSIONS, EXPRESSIONS_ZH),
        (("neutral", "smile"), ("中性", "微笑")),
        (("happy", "bored"), ("happy", "bored")),  # of one's own: none is translated
    ],
)
def test_chinese_names(classes, shown):
    assert class_names_zh(classes) == shown


@pytest.mark.parametrize(
    ("names", "wanted", "says"),
    [
        (["happy", "smile"], ["happy", "sad"], "expected the classes happy, sad, got also 'smile'"),
        ([], ["happy", "高兴"], "expected different classes, got happy, 高兴"),
        (["Smirk", "smirk", "frown"], None, "differ by more than capital letters, got Smirk, smirk"),
    ],
)
def test_classes_that_cannot_be_chosen(names, wanted, says):
    with pytest.raises(ValueError, match=says):
        choose_classes(names, wanted)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", ["train", "Training", "训练集"]),
        ("validation", ["valid", "val", "Validation", "dev", "PublicTest", "验证集"]),
        ("test", ["TEST", " testing ", "PrivateTest", "测试集"]),
        (None, ["", "all", "happy", "trainer"]),
    ],
)
def test_names_of_splits(split, names):
    assert {parse_split(name) for name in names} == {split}
