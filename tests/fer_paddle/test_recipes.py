"""The recipes of all tasks: JSON there and back, other numbers of epochs, and what they refuse."""

import dataclasses
import json

import pytest

from fer_paddle.expression.recipes import RECIPES, STRONG
from fer_paddle.landmarks.recipes import LANDMARK_RECIPES, POINTS68
from fer_paddle.training.config import choose_recipe
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.keypoint.recipes import KEYPOINT_RECIPES, STRIPS
from yolo3tiny.recipes import CROWD, DETECTOR_RECIPES

AUGMENTED = dataclasses.replace(CROWD, ema_decay=None, augment=AugmentConfig(grids=(2,), face_px=(5, 9)))
TABLES = (RECIPES, DETECTOR_RECIPES, LANDMARK_RECIPES, KEYPOINT_RECIPES)
ALL = [AUGMENTED, *(recipe for table in TABLES for recipe in table.values())]
one_of_each = pytest.mark.parametrize("recipe", [STRONG, CROWD, POINTS68, STRIPS], ids=lambda recipe: recipe.name)


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_through_json_and_back(recipe):
    content = json.loads(json.dumps(recipe.to_json()))
    assert type(recipe).from_json(content) == recipe
    # A checkpoint compares its recipe with the one of the command: lists, as JSON reads them, not tuples.
    assert recipe.to_json() == content


WRONG = ({"epoch": 3}, {"epochs": "3"}, {"sizes": 416}, {"sizes": None}, {"mode": 1})


@one_of_each
def test_json_of_no_recipe(recipe):
    augment = [{"augment": {"mosaik": 1}}, {"augment": None}] if hasattr(recipe, "augment") else []
    for content in (None, [], {}, {"name": "a"}, *(recipe.to_json() | change for change in (*WRONG, *augment))):
        with pytest.raises(ValueError, match="expected"):
            type(recipe).from_json(content)


OUT_OF_RANGE = [
    ({"epochs": 0}, "epochs of 1 or more"),
    ({"learning_rate": float("nan")}, "a learning_rate above 0"),
    ({"learning_rate": float("inf")}, "a learning_rate above 0"),
    ({"batch_size": 0}, "batch_size of 1 or more, got 0"),
    ({"batch_size": 2.5}, "an integer as batch_size"),
    ({"weight_decay": float("nan")}, "a finite weight_decay"),
    ({"warmup_epochs": 999}, "expected warmup_epochs in 0"),
    ({"epochs": 3, "warmup_epochs": 0, "swa_start": 3}, "swa_start of 0 to 2 and no ema_decay beside it, got 3"),
    ({"sizes": ((1, 64),)}, "from epoch 0 in rising order"),
]


@one_of_each
@pytest.mark.parametrize(("changes", "says"), OUT_OF_RANGE)
def test_fields_out_of_range(changes, says, recipe):
    with pytest.raises(ValueError, match=says):
        dataclasses.replace(recipe, **changes)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: dataclasses.replace(STRONG, optimizer="sgd"), "the optimizer adam, adamw, momentum, got 'sgd'"),
        (lambda: dataclasses.replace(STRONG, schedule="one_cycle"), "no warm-up for the schedule one_cycle"),
        (lambda: dataclasses.replace(STRONG, ferplus="majority"), "no other use of the votes, got 'majority' with aux"),
        (lambda: dataclasses.replace(STRONG, valid_sizes=((0, 48), (5, 64), (3, 80))), "from epoch 0 in rising order"),
        (lambda: dataclasses.replace(STRIPS, strips=0), "expected strips and halve_every of 1 or more, got 0"),
        (lambda: dataclasses.replace(STRIPS, sizes=((0, 100),)), "expected sides in multiples of 32"),
        (lambda: choose_recipe(LANDMARK_RECIPES, "points98", {}), "expected a recipe of points68, points68_fine, got"),
    ],
)
def test_fields_of_one_task_out_of_range(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    ("epochs", "sizes", "warmup_epochs"),
    [
        (10, ((0, 320), (8, 416)), 1.0),
        (20, ((0, 320), (16, 416)), 2.0),
        (2, ((0, 320), (1, 416)), 0.2),
        (1, ((0, 416),), 0.1),  # no epoch is left for the first stage
    ],
)
def test_over_other_epochs(epochs, sizes, warmup_epochs):
    whole = dataclasses.replace(CROWD, sizes=((0, 320), (8, 416)), warmup_epochs=1.0)
    recipe = whole.with_epochs(epochs)
    assert (recipe.epochs, recipe.sizes) == (epochs, sizes)
    assert recipe.warmup_epochs == pytest.approx(warmup_epochs)
    with pytest.raises(ValueError, match="epochs of 1 or more"):
        whole.with_epochs(0)


def test_a_longer_run_keeps_the_stages_that_it_began_with():
    begun = CROWD.with_epochs(6)
    longer = CROWD.with_epochs(12).as_longer(begun)
    assert longer == dataclasses.replace(begun, epochs=12)
    assert begun.as_longer(begun) is begun
