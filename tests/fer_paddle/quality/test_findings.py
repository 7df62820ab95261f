"""Each fault planted in a small set, and found; and what is no fault, left alone."""

import cv2
import numpy as np
import pytest

from fer_paddle.drawn import make_faces
from fer_paddle.expression.data.fer2013 import FERPLUS_CLASSES
from fer_paddle.expression.data.ferplus import majority_labels
from fer_paddle.images import to_gray
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.quality import measures, report, suspects


@pytest.fixture(scope="module")
def faces():
    return [to_gray(image) for image in make_faces(12, 64, seed=0).images]


def test_measures_of_known_images():
    half = np.zeros((48, 48), np.uint8)
    half[:, 24:] = 255
    found = measures.measure_images([half, np.full((10, 30), 51, np.uint8)])
    np.testing.assert_allclose(found["brightness"], [0.5, 0.2])
    np.testing.assert_allclose(found["contrast"], [0.5, 0])
    assert found["sharpness"][1] == 0


def test_sharpness_falls_with_blur_and_not_with_contrast_or_size(faces):
    pale = cv2.convertScaleAbs(faces[0], alpha=0.4, beta=80)
    blurred = [cv2.GaussianBlur(faces[0], (0, 0), sigma) for sigma in (1, 2, 4)]
    large = cv2.resize(faces[0], (256, 256), interpolation=cv2.INTER_CUBIC)
    sharp, pale, large, *falling = measures.measure_images([faces[0], pale, large, *blurred])["sharpness"]
    assert sharp > falling[0] > falling[1] > falling[2]
    assert pale == pytest.approx(sharp, rel=0.1) and large == pytest.approx(sharp, rel=0.3)


def ballot(**counts):
    row = np.zeros(10, int)
    for name, count in counts.items():
        row[FERPLUS_CLASSES.index(name)] = count
    return row


def test_majority_in_the_order_of_the_labels_and_votes_against_them():
    ballots = [ballot(happiness=9, NF=1), ballot(NF=10), ballot(contempt=6, anger=4), ballot(), ballot(fear=6)]
    names = [*EXPRESSIONS, None]
    assert [names[label] for label in majority_labels(np.stack(ballots))] == ["happy", None, None, None, "fear"]
    ballots = np.stack([ballot(happiness=10), ballot(neutral=6, sadness=4), ballot(anger=5, fear=5), ballot(sadness=9)])
    labels = np.array([EXPRESSIONS.index(name) for name in ("happy", "sad", "angry", "fear")])
    found = report.compare_votes(labels, ballots)
    assert found["agreement"] == 0.5 and found["sure"] == 0.5
    assert found["agreement_by_class"] | {"sad": 0, "happy": 1, "disgust": None} == found["agreement_by_class"]
    assert np.sum(found["most_votes"]) == 4
    # Only the last is contradicted: nobody said fear. Of the second four did.
    assert report.find_contradicted(labels, ballots).tolist() == [3]


def clusters(per_class, num_classes, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(num_classes), per_class)
    return rng.normal(size=(len(labels), num_classes)) + 5 * np.eye(num_classes)[labels], labels


def test_planted_wrong_labels_are_found_and_mended():
    features, truth = clusters(40, 3)
    labels = truth.copy()
    wrong = [3, 50, 100]
    labels[wrong] = (labels[wrong] + 1) % 3
    found = suspects.find_suspects(features, labels, np.arange(120))
    assert set(wrong) <= set(found.indices[:5].tolist())
    suggested = dict(zip(found.indices.tolist(), found.suggested.tolist()))
    assert [suggested[index] for index in wrong] == truth[wrong].tolist()
    assert found.accuracy > 0.9 and found.judged == 120


def test_copies_do_not_tell_each_others_labels():
    """Random features, every image twice: a fold with the other copy would know the label."""
    rng = np.random.default_rng(0)
    features, labels = np.repeat(rng.normal(size=(60, 40)), 2, axis=0), np.repeat(rng.integers(0, 2, 60), 2)
    grouped = suspects.out_of_sample_probs(features, labels, np.repeat(np.arange(60), 2)).argmax(axis=1)
    apart = suspects.out_of_sample_probs(features, labels, np.arange(120)).argmax(axis=1)
    assert (grouped == labels).mean() < 0.7 < 0.85 < (apart == labels).mean()


def test_small_classes_and_images_without_a_label_are_not_judged():
    features, labels = clusters(10, 3)
    labels[labels == 2] = -1
    labels[0] = 5  # the only one of its class
    found = suspects.find_suspects(features, labels, np.arange(30))
    assert found.judged == 19 and set(found.suggested) <= {0, 1}
    assert suspects.find_suspects(features, np.zeros(30, int), np.arange(30)) is None
