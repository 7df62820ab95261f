"""The fields of a recipe that tune a training, from faces to a model file."""

import dataclasses

import numpy as np
import pytest

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.data.ferplus import COLUMNS, take_ferplus
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.recipes import FERPLUS, FINE_TUNE, TUTORIAL
from fer_paddle.expression.train import export_best, make_loaders, make_optimizer, train_expressions
from fer_paddle.labels import FERPLUS_EXPRESSIONS
from fer_paddle.models import build_model
from fer_paddle.training.loader import BalancedSampler
from fer_paddle.training.loop import RunOptions
from fer_paddle.weights import state_arrays
from tests.fer_paddle.tiny_expressions import noise_faces

SIDE = ((0, 16),)
TINY = {"epochs": 2, "batch_size": 7, "sizes": SIDE, "valid_sizes": SIDE}


@pytest.fixture(scope="module")
def faces():
    """21 faces, three of each class; seven people of ten vote for the label, three for contempt."""
    votes = 0.7 * np.eye(10)[np.array(COLUMNS)[np.arange(21) % 7]] + 0.3 * np.eye(10)[7]
    return noise_faces(21, 16, votes=np.float32(votes))


def train(faces, valid, recipe, folder=None, num_classes=7):
    seed_everything(0)
    network = build_model("mini_xception", num_classes=num_classes)
    return network, train_expressions(network, faces, valid, recipe, RunOptions(folder))


def test_ferplus_from_votes_to_a_file_of_eight_classes(faces, tmp_path):
    recipe = dataclasses.replace(FERPLUS, **TINY)
    trained, measured = take_ferplus(faces, recipe.ferplus), take_ferplus(faces, "majority")
    _, history = train(trained, measured, recipe, tmp_path, num_classes=8)
    assert len(history) == 2 and 0 <= history[-1]["valid_accuracy"] <= 1
    card = export_best(tmp_path, tmp_path / "model.safetensors", "mini_xception", arguments={"num_classes": 8})
    network = ExpressionModel.load(tmp_path / "model.safetensors").network
    assert tuple(card["classes"]) == FERPLUS_EXPRESSIONS and network.num_classes == 8
    assert card["recipe"]["ferplus"] == "probability"
    with pytest.raises(ValueError, match="expected faces of take_ferplus for the recipe .ferplus., got labels alone"):
        train(faces, faces, recipe)
    with pytest.raises(ValueError, match="faces of 7 classes, as the network has, got 8: angry, .*, contempt$"):
        train(trained, measured, recipe)
    with pytest.raises(ValueError, match="neutral, contempt, got angry, .*, neutral$"):
        train(trained, faces, recipe, num_classes=8)


def test_fine_tuning_holds_the_backbone_first_and_slows_it_then(faces):
    recipe = dataclasses.replace(FINE_TUNE, **TINY, freeze_epochs=1, ema_decay=None)
    seed_everything(0)
    network = build_model("mini_xception")
    start = state_arrays(network)
    train_expressions(network, faces, faces, dataclasses.replace(recipe, epochs=1))
    frozen = state_arrays(network)
    moved = {name for name in start if not np.array_equal(start[name], frozen[name])}
    assert moved == {"classify.weight", "classify.bias"}
    network, history = train(faces, faces, recipe)
    assert len(history) == 2
    after = state_arrays(network)
    assert not any(np.array_equal(start[name], after[name]) for name in start if name.endswith("weight"))


def test_loaders_of_a_recipe(faces):
    recipe = dataclasses.replace(TUTORIAL, **TINY, balanced_sampling=0.5)
    loaders = make_loaders(dataclasses.replace(faces, targets=np.eye(7, dtype=np.float32)[faces.labels]), faces, recipe)
    assert loaders["train"].dataset.targets.shape == (21, 7)
    assert loaders["valid"].dataset.targets is None  # measured by the labels
    assert type(loaders["train"].batch_sampler) is BalancedSampler


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({"schedule": "multi_step", "schedule_points": (1, 1.5), "schedule_factor": 0.1}, [1, 1, 0.1, 0.01]),
        ({"schedule": "halve", "schedule_points": (0.5,)}, [1, 0.5, 0.25, 0.125]),
        ({"schedule": "cosine", "warmup_epochs": 1}, [0, 0.5, 1, 0.5]),
        ({"schedule": "cosine", "warmup_epochs": 2}, [0, 0.25, 0.5, 0.75]),  # a run no longer than its warm-up
        ({"schedule": "constant"}, [1, 1, 1, 1]),
    ],
)
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum"])
def test_the_schedule_of_a_recipe_counts_epochs(optimizer, changes, rates):
    recipe = dataclasses.replace(TUTORIAL, epochs=2, learning_rate=1.0, optimizer=optimizer, **changes)
    made, found = make_optimizer(paddle.nn.Linear(1, 1), recipe, 2), []
    assert type(made).__name__.lower() == optimizer
    for _ in range(4):
        found.append(made.get_lr())
        if isinstance(made._learning_rate, paddle.optimizer.lr.LRScheduler):
            made._learning_rate.step()
    assert found == pytest.approx(rates)
