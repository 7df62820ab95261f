"""The mouth classifier: reading labelled mouths, training, the network that ships."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from fer_paddle.collect.mouths import WEIGHTS, MouthClassifier
from fer_paddle.expression.data.mouths import MouthData, parse_mouth, read_mouths
from fer_paddle.images import read_image, to_gray, write_image
from fer_paddle.weights import load_card


def write_classes(folder, seed=0, **counts):
    """Class folders of striped pictures: the stripes of each class run at their own distance."""
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng((seed, place, number))
            rows = (np.arange(40) // (2 + 3 * place)) % 2 * 120 + rng.integers(0, 60, (40, 1))
            write_image(folder / name / f"{number}.png", rows.astype(np.uint8))
    return folder


@pytest.mark.parametrize(
    ("name", "means"),
    [("Smile", "smile"), ("嘟嘴", "pout"), ("大笑", "laugh"), (" neutral ", "neutral"), ("Grin", "Grin")],
)
def test_names(name, means):
    assert parse_mouth(name) == means


def test_folders_are_joined_and_split(tmp_path):
    one = write_classes(tmp_path / "一", 大笑=20, neutral=30)
    two = write_classes(tmp_path / "二", seed=1, laugh=10, grin=2)
    (two / "grin" / "broken.jpg").write_bytes(b"no")
    mouths = read_mouths([one, two])
    assert mouths.classes == ("neutral", "laugh", "grin")
    assert mouths.counts(valid=False) == {"neutral": 27, "laugh": 27, "grin": 1}
    assert mouths.counts(valid=True) == {"neutral": 3, "laugh": 3, "grin": 1}
    assert [path.rsplit("/", 1)[1] for path in mouths.skipped] == ["broken.jpg"]


def test_copies_stand_on_one_side(tmp_path):
    """In one folder, in two folders, and in a folder and a pack, which keeps its split."""
    one = write_classes(tmp_path / "one", smile=20, neutral=20)
    for number in range(4, 20):
        shutil.copy(one / "smile" / f"{number % 4}.png", one / "smile" / f"{number}.png")
    two = write_classes(tmp_path / "two", seed=1, smile=20, neutral=20)
    for number in range(4):
        shutil.copy(one / "smile" / f"{number}.png", two / "smile" / f"one{number}.png")
    images = np.stack([to_gray(read_image(one / "neutral" / f"{number}.png")) for number in range(4)])
    sheet = np.frombuffer(cv2.imencode(".png", np.concatenate(images))[1].tobytes(), np.uint8)
    labels = {"labels": np.zeros(4, np.int64), "usage": np.array([0, 1, 0, 1]), "classes": np.array(["neutral"])}
    np.savez(tmp_path / "pack.npz", shape=images.shape, per_row=1, sheet0=sheet, **labels)
    mouths = read_mouths([one, tmp_path / "pack.npz", two])
    learnt, measured = ({image.tobytes() for image in mouths.part(valid)[0]} for valid in (False, True))
    assert not learnt & measured and {*learnt, *measured} >= {image.tobytes() for image in images}
    assert images[0].tobytes() in learnt and images[1].tobytes() in measured
    assert sum((image == images[0]).all() for image in mouths.images) == 1
    assert read_mouths([one]).counts(valid=True)["smile"] == 5  # one of four pictures, and all its copies


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"smile": 5}, "two classes"),
        ({"smile": 5, "pout": 1}, "none to measure on of pout"),
        ({}, "class folders"),
    ],
)
def test_folders_that_are_too_little(tmp_path, counts, says):
    with pytest.raises(ValueError, match=says):
        read_mouths([write_classes(tmp_path, **counts)])


def test_sources_that_are_none(tmp_path):
    (tmp_path / "x.txt").touch()
    with pytest.raises(ValueError, match="folder"):
        read_mouths([tmp_path / "x.txt"])
    for name in ("none", "none.npz"):
        with pytest.raises(FileNotFoundError):
            read_mouths([tmp_path / name])


def test_samples_depend_on_seed_epoch_and_index_alone():
    from fer_paddle.expression.mouths import MouthRecipe

    image = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    data = MouthData([image] * 3, np.array([0, 1, 1]), 32, MouthRecipe().augment, seed=5)
    first, (label, _) = data[1]
    assert first.shape == (1, 32, 32) and first.dtype == np.float32 and label == 1
    assert (data[1][0] == first).all() and (data[2][0] != first).any()
    data.set_epoch(1)
    assert (data[1][0] != first).any()


def test_training_learns_exports_and_names(tmp_path):
    """From the reader's folders to a file that sorts mouths."""
    from fer_paddle.expression.export import export_expression_network
    from fer_paddle.expression.mouths import MouthRecipe, train_mouths

    mouths = read_mouths([write_classes(tmp_path / "data", neutral=20, pout=20, laugh=20)])
    recipe = MouthRecipe(epochs=10, batch_size=18, size=16, weight_decay=0.0)
    history, path = train_mouths(mouths, tmp_path / "run", recipe, "stripes")
    best = max(history, key=lambda record: record["valid_accuracy"])
    assert best["valid_accuracy"] > 0.5  # of three classes, after seconds
    card = load_card(path)
    assert card["classes"] == ["neutral", "pout", "laugh"] and card["figures"] == best
    assert card["train_mouths"] == {"neutral": 18, "pout": 18, "laugh": 18} and card["recipe"]["size"] == 16
    export_expression_network(path, path.with_suffix(".onnx"))
    classify = MouthClassifier(path.with_suffix(".onnx"))
    probs = classify(mouths.images)
    assert probs.shape == (60, 3) and np.allclose(probs.sum(axis=1), 1, atol=1e-5)
    assert (probs.argmax(axis=1) == mouths.labels).mean() > 0.5
    assert classify.name(mouths.images[-1]) in classify.classes and classify([]).shape == (0, 3)


def test_the_shipped_network_reaches_its_target(data_pack):
    """The figure of its card, measured again: 100 mouths of people it has not seen."""
    classify = MouthClassifier()
    mouths = read_mouths([data_pack("mouth_smile.npz")])
    images, labels = mouths.part(valid=True)
    accuracy = float((classify(images).argmax(axis=1) == labels).mean())
    assert classify.classes == mouths.classes == ("neutral", "smile")
    assert accuracy == pytest.approx(load_card(WEIGHTS)["figures"]["valid_accuracy"], abs=0.011)
    assert accuracy >= 0.95


class Runner:
    def __init__(self, **metadata):
        self.metadata = metadata


@pytest.mark.parametrize("metadata", [{}, {"classes": '["one"]', "input_size": "48"}, {"classes": '["a", "b"]'}])
def test_networks_of_another_kind_are_refused(metadata):
    with pytest.raises(ValueError, match="two classes"):
        MouthClassifier(runner=Runner(**metadata))
    with pytest.raises(ValueError, match="both"):
        MouthClassifier("x.onnx", Runner(**metadata))
