"""The recipes: what the course and the issue ask of them, and their way through JSON."""

import dataclasses
import json

import pytest

from fer_paddle.expression.recipes import RECIPES, STRONG, Recipe


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_through_json_and_back(recipe):
    again = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert again == recipe
    # Nothing that JSON would change, such as a tuple.
    assert json.loads(json.dumps(again.to_json())) == recipe.to_json()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epochs": 0}, "epochs of 1 or more"),
        ({"learning_rate": float("nan")}, "a learning_rate above 0"),
        ({"learning_rate": float("inf")}, "a learning_rate above 0"),
        ({"batch_size": 2.5}, "an integer as batch_size"),
        ({"weight_decay": float("nan")}, "a finite weight_decay"),
        ({"optimizer": "sgd"}, "expected the optimizer adam, adamw, momentum, got 'sgd'"),
        ({"schedule": "one_cycle"}, "expected no warm-up for the schedule one_cycle"),
        ({"ferplus": "majority"}, "no other use of the votes, got 'majority' with aux_weight 1.0"),
        ({"epochs": 3, "swa_start": 3}, "expected swa_start of 0 to 2 and no ema_decay beside it, got 3"),
        ({"sizes": ((1, 48),)}, "from epoch 0 in rising order"),
        ({"valid_sizes": ((0, 48), (5, 64), (3, 80))}, "from epoch 0 in rising order"),
    ],
)
def test_fields_out_of_range(changes, says):
    with pytest.raises(ValueError, match=says):
        dataclasses.replace(STRONG, **changes)
