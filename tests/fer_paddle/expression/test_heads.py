"""One network of two label sets: its answer against SciPy's geometric mean, on disk, in training, as a teacher."""

import dataclasses

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.data.ferplus import COLUMNS
from fer_paddle.expression.export import export_expression_network
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.losses import AuxiliaryHead, Combination
from fer_paddle.expression.predict import Classifier
from fer_paddle.expression.recipes import PHOTOS, STRONG
from fer_paddle.expression.teach import Teachers, add_soft_targets, take_both_labels
from fer_paddle.expression.train import train_faces
from fer_paddle.files import file_digest
from fer_paddle.labels import EXPRESSIONS, FERPLUS_EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.training.loop import RunOptions
from fer_paddle.training.run import load_best
from fer_paddle.weights import load_arrays, load_card, save_weights
from tests.fer_paddle.tiny_expressions import noise_faces

SMALL = {"width": 1.0, "channels": [8, 8]}
CROWD = (0.08, 0.01, 0.03, 0.27, 0.14, 0.12, 0.34, 0.01)
LABEL = (0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17)
TINY = dataclasses.replace(PHOTOS, epochs=1, batch_size=8, sizes=((0, 16),), valid_sizes=((0, 16),))


@pytest.fixture(scope="module")
def heads():
    seed_everything(0)
    network = AuxiliaryHead(build_model("vgg8", **SMALL), 8)
    network.eval()
    return network


@pytest.fixture(scope="module")
def saved(heads, tmp_path_factory):
    path = tmp_path_factory.mktemp("both") / "both.safetensors"
    card = {"heads": dataclasses.asdict(Combination(LABEL, CROWD, 0.7, 0.4)), "temperature": 0.8}
    ExpressionModel.of("vgg8", heads, 16, card, SMALL).save(path)
    return path


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(5, 1, 16, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def faces():
    return noise_faces(28, 20, votes=np.float32(np.eye(10)[np.array(COLUMNS)[np.arange(28) % 7]]))


def test_both_is_a_geometric_mean_over_powers_of_the_class_shares(heads, saved, images):
    with paddle.no_grad():
        label, crowd = (logits.numpy() for logits in heads(paddle.to_tensor(images)))
        found = ExpressionModel.load(saved).network(paddle.to_tensor(images)).numpy()
    seven = log_softmax(crowd, axis=1)[:, :7] - 0.4 * np.log(CROWD[:7])
    expected = softmax(0.7 * seven + 0.3 * log_softmax(label, axis=1), axis=1)
    np.testing.assert_allclose(softmax(found, axis=1), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("labels", "head", "classes", "prior"),
    [("fer2013", 0, EXPRESSIONS, LABEL), ("ferplus", 1, FERPLUS_EXPRESSIONS, CROWD)],
)
def test_one_label_set_is_its_head(labels, head, classes, prior, heads, saved, images, tmp_path):
    model = ExpressionModel.load(saved, labels)
    with paddle.no_grad():
        expected = heads(paddle.to_tensor(images))[head].numpy()
        np.testing.assert_array_equal(model.network(paddle.to_tensor(images)).numpy(), expected)
    assert model.classes == classes and model.settings.temperature == 1
    np.testing.assert_allclose(model.settings.prior, np.divide(prior, sum(prior)))
    export_expression_network(saved, tmp_path / "one.onnx", labels=labels)
    assert Classifier(tmp_path / "one.onnx").settings == model.settings
    model.save(tmp_path / "plain.safetensors")
    assert ExpressionModel.load(tmp_path / "plain.safetensors").classes == classes


def test_the_answer_of_both_keeps_temperature_and_assumes_a_prior_between(saved):
    model = ExpressionModel.load(saved)
    assert model.settings.temperature == 0.8 and "heads" not in model.card
    between = np.power(CROWD[:7], 0.7 * 0.6) * np.power(LABEL, 0.3)
    np.testing.assert_allclose(model.settings.prior, between / between.sum(), atol=1e-4)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Combination(LABEL, CROWD, 1.5), "expected share and prior_power from 0 to 1, got 1.5"),
        (lambda: Combination(CROWD, CROWD), "expected a prior of 7 finite class shares above 0"),
        (lambda: Combination(LABEL, CROWD).classes("raf"), "expected labels of both, fer2013, ferplus, got 'raf'"),
        (lambda: ExpressionModel.load("vgg8.fer2013", "ferplus"), "expected a network of two label sets"),
        (lambda: Teachers(["vgg8.fer2013"]), r"a teacher of each label set or more, got \[1, 0\]"),
        (lambda: Teachers(["mouth.smile"]), "expected teachers of the seven or eight expressions, got neutral, smile"),
    ],
)
def test_what_does_not_fit(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("wrong", [None, [1], {}, {"share": 0.5}, {"prior_fer2013": LABEL, "prior_ferplus": 8}])
def test_a_card_of_wrong_heads_is_one_line(wrong, saved, tmp_path):
    card = {**load_card(saved), "heads": wrong}
    save_weights(tmp_path / "wrong.safetensors", load_arrays(saved), card)
    with pytest.raises(ValueError, match=r"expected (heads as the fields of Combination|a prior of 8)"):
        ExpressionModel.load(tmp_path / "wrong.safetensors")


def test_a_training_of_both_label_sets_is_shipped_with_both_heads(faces, tmp_path):
    train, valid = take_both_labels(faces, faces, TINY)
    outcome = train_faces(train, valid, TINY, RunOptions(tmp_path), "vgg8_flat")
    card, arrays = load_card(outcome.weights), load_arrays(outcome.weights)
    assert arrays["votes.weight"].shape[1] == 8 and card["heads"]["share"] == 0.95
    assert card["heads"]["prior_ferplus"] == [*[0.1429] * 7, 0.0001]  # four faces of each, none of contempt
    again = train_faces(train, valid, TINY, RunOptions(tmp_path / "on"), "vgg8_flat", start=outcome.weights)
    assert load_arrays(again.weights).keys() == arrays.keys()
    assert load_best(tmp_path / "on")[1]["task"]["start_digest"] == file_digest(outcome.weights)
    # A plain training takes the body of it.
    plain = dataclasses.replace(TINY, both_labels=False, aux_weight=0.0, monitor="valid_accuracy", mode="max")
    assert "prior" in load_card(
        train_faces(faces, faces, plain, RunOptions(tmp_path / "p"), "vgg8_flat", again.weights).weights
    )


class Known:
    """Teachers that are sure of happy by labels, of neutral by votes."""

    def __call__(self, crops):
        return (np.float32(np.eye(count)[[index] * len(crops)]) for index, count in ((3, 7), (6, 8)))


def test_soft_targets_mix_and_label_what_has_no_labels(faces):
    train, _ = take_both_labels(faces, faces, TINY)
    train.votes[0] = 0  # a face without votes
    more = LabelledFaces(np.zeros((3, 9, 9), np.uint8), np.full(3, -1))
    taught = add_soft_targets(train, Known(), 0.25, more)
    assert len(taught) == 31 and taught.labels[28:].tolist() == [3, 3, 3]
    np.testing.assert_allclose(taught.targets[0], [0.75, 0, 0, 0.25, 0, 0, 0])
    np.testing.assert_array_equal(taught.votes[[0, 30]], np.eye(8)[[6, 6]])  # the teachers alone
    np.testing.assert_allclose(taught.votes[1], [0, 0.75, 0, 0, 0, 0, 0.25, 0])
    np.testing.assert_allclose(taught.targets.sum(1), 1)


@pytest.mark.parametrize(("recipe", "teachers", "unlabeled"), [(STRONG, ["x"], None), (TINY, [], "faces")])
def test_teachers_are_for_both_label_sets(recipe, teachers, unlabeled, faces):
    with pytest.raises(ValueError, match="expected teachers with the recipe photos, and unlabeled faces with teachers"):
        take_both_labels(faces, faces, recipe, teachers, unlabeled)
