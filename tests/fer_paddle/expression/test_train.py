"""Training by a recipe, from labeled faces to a model file."""

import dataclasses

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression import train as expression
from fer_paddle.expression.data.faces import LabelledFaces
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.recipes import STRONG
from fer_paddle.expression.train import export_best, make_optimizer, train_expressions
from fer_paddle.models import build_model, find_design
from fer_paddle.training.augment import AugmentConfig
from fer_paddle.training.loop import BEST, RunOptions
from fer_paddle.weights import load_arrays, state_arrays
from tests.fer_paddle.tiny_expressions import TinyExpressions

SMALL = dataclasses.replace(
    STRONG, epochs=3, batch_size=8, sizes=((0, 14), (2, 18)), valid_sizes=((0, 16), (2, 20)), learning_rate=0.01
)


@pytest.fixture(scope="module")
def faces():
    """28 gray faces, four of each class: a bright patch whose place is the class, in noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(28) % 7
    images = rng.integers(0, 80, (28, 24, 24))
    for image, label in zip(images, labels):
        image[3 * label : 3 * label + 5] += 150
    votes = np.float32(np.eye(10)[labels])
    return LabelledFaces(images.astype(np.uint8), labels, votes)


def test_a_recipe_mixes_the_training_batches_only(faces):
    seen = []

    class Watch(TinyExpressions):
        def embed(self, images):
            seen.append((self.training, images.numpy()))
            return super().embed(images)

    recipe = dataclasses.replace(SMALL.with_size(24), augment=AugmentConfig(), epochs=1, mixup_alpha=1.0)
    (record,) = train_expressions(Watch(), faces, faces, recipe)
    assert np.isfinite([record["train_loss_label"], record["train_loss_votes"], record["valid_loss"]]).all()
    own = {image.tobytes() for training, images in seen if not training for image in images}
    mixed = [image.tobytes() in own for training, images in seen if training for image in images]
    assert len(own) == 28 and not all(mixed)


def test_resume_with_other_data_is_refused(faces, tmp_path):
    """Two class folders exchanged: as many faces, and other labels."""
    longer = dataclasses.replace(SMALL, epochs=1)
    exchanged = dataclasses.replace(faces, labels=(faces.labels + 1) % 7)
    options = RunOptions(tmp_path, resume=True)
    train_expressions(TinyExpressions(), faces, faces, longer, RunOptions(tmp_path))
    with pytest.raises(ValueError, match=r"task.data_digests.train \('\w{16}', was '\w{16}'\)"):
        train_expressions(TinyExpressions(), exchanged, faces, longer, options)
    train_expressions(TinyExpressions(), exchanged, faces, longer, dataclasses.replace(options, data_changed=True))


@pytest.mark.parametrize(
    ("changes", "world", "says"),
    [
        ({}, "3", "expected a batch size that 3 processes can share, got 8"),
        ({"batch_size": 29}, "1", "expected at least 29 samples for batches of 29, got 28"),
        ({"aux_weight": 0.5}, "1", "expected faces with FER\\+ votes for the recipe 'strong'"),
    ],
)
def test_what_cannot_be_trained(changes, world, says, faces, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", world)
    recipe = dataclasses.replace(SMALL, **{"aux_weight": 0.0, **changes})
    with pytest.raises(ValueError, match=says):
        train_expressions(TinyExpressions(), dataclasses.replace(faces, votes=None), faces, recipe)


def test_decay_is_for_matrices_only():
    """With gradients of zero AdamW only decays: kernels shrink, scales, shifts and biases stay."""
    network = TinyExpressions()
    for parameter in network.parameters():
        parameter.set_value(paddle.ones(parameter.shape))
    recipe = dataclasses.replace(STRONG, warmup_epochs=0, schedule="constant", learning_rate=0.1, weight_decay=0.5)
    optimizer = make_optimizer(network, recipe, 1)
    (0 * network(paddle.ones([1, 1, 8, 8])).sum()).backward()
    optimizer.step()
    for name, parameter in network.named_parameters():
        if parameter.stop_gradient:  # running statistics
            continue
        expected = 0.95 if parameter.ndim > 1 else 1.0  # 1 - rate * decay
        np.testing.assert_allclose(parameter.numpy(), expected, rtol=1e-6, err_msg=name)


@pytest.fixture(scope="module")
def run_folder(faces, tmp_path_factory):
    """A run of a small VGG8 with the helping head, the best epoch being the second: before the last size."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        accuracies = iter([0.1] * 4 + [0.3] * 4 + [0.2] * 4)  # four validation batches an epoch

        def accuracy(outputs, targets):
            return next(accuracies) if outputs[0].stop_gradient else 0.0

        patch.setattr(expression, "accuracy", accuracy)
        seed_everything(0)
        model, arguments = find_design("vgg8_tiny")
        train_expressions(build_model(model, **arguments), faces, faces, SMALL, RunOptions(folder))
    return folder


def test_export_leaves_the_helping_head_behind(run_folder, tmp_path):
    path, design = tmp_path / "model.safetensors", dict(zip(("model", "arguments"), find_design("vgg8_tiny")))
    card = export_best(run_folder, path, **design, card={"hours": 0.1})
    model = ExpressionModel.load(path)
    network, read = model.network, model.card
    assert read == card
    best = load_arrays(run_folder / BEST)
    arrays = state_arrays(network)
    assert any(name.startswith("votes.") for name in best) and len(best) == len(arrays) + 2
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, best[f"network.{name}"])
    assert (card["hours"], card["model"], card["recipe"]["name"]) == (0.1, "vgg8", "strong")
    assert "cores" in card["machine"] and export_best(run_folder, path, **design)["hours"] >= 0  # as the run noted them
    assert (card["figures"]["epoch"], card["figures"]["valid_accuracy"]) == (2, pytest.approx(0.3))
