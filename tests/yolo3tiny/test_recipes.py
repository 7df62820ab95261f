"""DetectorRecipe: JSON there and back, other numbers of epochs, and what it refuses."""

import dataclasses
import json

import pytest

from yolo3tiny.augment import AugmentConfig
from yolo3tiny.recipes import CROWD, DETECTOR_RECIPES, LITE, DetectorRecipe


def test_json_there_and_back():
    assert {recipe.name: recipe for recipe in (CROWD, LITE)} == DETECTOR_RECIPES
    recipe = dataclasses.replace(
        CROWD, repeat=(("karan", 2),), ema_decay=None, augment=AugmentConfig(grids=(2,), face_px=(5, 9))
    )
    content = json.loads(json.dumps(recipe.to_json()))
    assert DetectorRecipe.from_json(content) == recipe
    # A checkpoint compares its recipe with the one of the command: lists, as JSON reads them, not tuples.
    assert recipe.to_json() == content


WRONG = [{"epoch": 3}, {"epochs": "3"}, {"sizes": 416}, {"sizes": None}, {"augment": {"mosaik": 1}}, {"augment": None}]


@pytest.mark.parametrize("content", [None, [], {}, {"name": "a"}, *(CROWD.to_json() | change for change in WRONG)])
def test_json_of_no_recipe(content):
    with pytest.raises(ValueError, match="expected"):
        DetectorRecipe.from_json(content)


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
