"""Classes of a user's own, from folders to every place where their names are seen; the mouths that ship."""

import json
import shutil

import numpy as np
import pytest

from fer_paddle import Classifier
from fer_paddle.apps.cli import main
from fer_paddle.drawn import draw_scene
from fer_paddle.expression.data.expressions import load_measured, load_train_valid
from fer_paddle.expression.predict import classifier_file
from fer_paddle.images import write_image
from fer_paddle.labels import EXPRESSIONS, own_classes
from fer_paddle.weights import load_card

CLASSES = ("Smile", "pout", "大笑", "无聊")  # as the folders are named


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Four class folders of striped images: the stripes of each class have their own distance."""
    folder = tmp_path_factory.mktemp("我的类")
    for place, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for number in range(20):
            rng = np.random.default_rng((place, number))
            rows = (np.arange(40) // (2 + 3 * place)) % 2 * 120 + rng.integers(0, 60, (40, 40))
            write_image(folder / name / f"{number}.png", rows.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def trained(folders, tmp_path_factory):
    """The folder of a run of `collect train-mouths` on them, and what it printed."""
    out = tmp_path_factory.mktemp("run")
    args = ["collect", "train-mouths", "--data", folders, "--out", out, "--epochs", 2, "--batch-size", 9, "--json"]
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *args, **_: printed.append(args[0] if args else ""))
        assert main([str(arg) for arg in args]) == 0
    return out


@pytest.mark.slow
def test_the_names_are_in_the_card_and_in_the_exported_file(trained, folders):
    card = load_card(trained / "model.safetensors")
    assert tuple(card["classes"]) == CLASSES and card["recipe"]["name"] == "mouths"
    assert card["train_faces"] == dict.fromkeys(CLASSES, 18) and card["valid_faces"] == dict.fromkeys(CLASSES, 2)
    assert card["figures"]["valid_accuracy"] >= 0.5  # of four classes, after seconds
    classify, faces = Classifier(trained / "model.onnx"), load_measured(folders)
    assert classify.classes == CLASSES == faces.classes
    assert (classify(faces.images).argmax(axis=1) == faces.labels).mean() > 0.3
    assert np.allclose(
        classify(faces.images), Classifier(trained / "model.safetensors", runtime="dynamic")(faces.images), atol=1e-4
    )


@pytest.mark.slow
def test_commands_name_them(trained, folders, run, tmp_path):
    weights = trained / "model.onnx"
    code, out, err = run("evaluate", "--data", folders, "--weights", weights, "--json")
    assert code == 0 and list(json.loads(out)["recall"]) == list(CLASSES), err
    code, _, err = run("card", weights)
    assert code == 2 and "expected --data to measure" in err
    code, _, err = run("card", weights, "--data", folders)
    assert code == 0 and "| 无聊 | 20 |" in weights.with_suffix(".md").read_text(encoding="utf-8"), err
    write_image(tmp_path / "face.png", draw_scene(3, 320, 240, num_faces=1, min_px=100).image)
    code, out, err = run("recognize", tmp_path / "face.png", "--out", tmp_path / "out", "--weights", weights, "--json")
    assert code == 0, err
    (face,) = json.loads(out)["images"][0]["faces"]
    assert list(face["probs"]) == list(CLASSES) and face["label"] in CLASSES
    assert ",Smile,pout,大笑,无聊" in (tmp_path / "out" / "results.csv").read_text(encoding="utf-8-sig").splitlines()[0]


def test_numbered_folders_have_the_names_and_the_order_of_the_network(folders, tmp_path):
    named = ("pout", "Smile", "无聊", "大笑")  # as --classes named them in training
    for number, name in enumerate(named, 1):
        shutil.copytree(folders / name, tmp_path / str(number))
    train, valid = load_train_valid(tmp_path, classes=own_classes(named))
    for faces in (train, valid, load_measured(tmp_path, named), load_measured(folders, named)):
        assert faces.classes == named and faces.counts() == dict.fromkeys(named, len(faces) // 4)
    assert own_classes(EXPRESSIONS) is None and own_classes(("neutral", "smile")) == ("neutral", "smile")


def test_the_shipped_network_of_mouths_reaches_its_target(data_pack):
    """The figure of its card, measured again: 100 mouths of people it has not seen."""
    classify, mouths = Classifier("mouth.smile"), load_measured(data_pack("mouth_smile.npz"))
    accuracy = float((classify(mouths.images).argmax(axis=1) == mouths.labels).mean())
    assert classify.classes == mouths.classes == ("neutral", "smile") and len(mouths) == 100
    assert accuracy == pytest.approx(load_card(classifier_file("mouth.smile"))["figures"]["valid_accuracy"], abs=0.011)
    assert accuracy >= 0.95
