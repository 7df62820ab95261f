"""A network on disk: the same network back, and one clear line for every file that is something else."""

import json
import shutil

import numpy as np
import pytest

from fer_paddle import files
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.predict import ClassifierSettings
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import MODELS, build_model
from fer_paddle.weights import load_card

BAD_CLASSES = (5, "abcdefg", [*"abcdef", "a"], [1, 2, 3, 4, 5, 6, 7], ["only"], {"a": 1})
BAD_TEMPERATURES = (0, -1, float("nan"), float("inf"), "1", True, [1])


@pytest.fixture(scope="module")
def network():
    seed_everything(0)
    return build_model("distresnet")


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "网络.safetensors"
    ExpressionModel.of("distresnet", network, 48, {"figures": {"accuracy": 0.5}}).save(path)
    return path


@pytest.fixture
def path(saved, tmp_path):
    """A copy that a test may spoil."""
    shutil.copytree(saved.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / saved.name


def change_card(path, **changes):
    card = {**load_card(path), **changes}
    files.write_json(path.with_suffix(".json"), {name: value for name, value in card.items() if value is not None})


@pytest.mark.parametrize("name", MODELS)
def test_the_same_network_comes_back(name, tmp_path):
    network = build_model(name, num_classes=3, in_channels=2)
    network(paddle.randn([4, 2, 48, 48]))  # in training: moves the running statistics
    path = tmp_path / "model.safetensors"
    arguments = {"num_classes": 3, "in_channels": 2}
    written = ExpressionModel.of(name, network, 48, {"note": "测试"}, arguments, classes=("a", "b", "c")).save(path)
    model = ExpressionModel.load(path)
    again, card = model.network, model.card
    assert type(again) is MODELS[name] and not again.training
    assert card == written == json.loads(path.with_suffix(".json").read_text("utf-8"))
    network.eval()
    images = paddle.randn([2, 2, 48, 48])
    np.testing.assert_array_equal(again(images).numpy(), network(images).numpy())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "vgg"}, "expected a model of distresnet.*, got 'vgg'"),
        ({"model": None}, "expected the card of an expression network, it lacks model"),
        ({"arguments": {"num_classes": 10}}, "expected 10 classes in the card, got 7"),
        ({"arguments": {"depth": 3}}, "expected arguments that the model 'distresnet' has"),
        ({"arguments": {"num_classes": 10}, "classes": list("0123456789")}, "classify.weight"),  # not the weights'
        ({"normalize": {"mean": 0.5, "std": 0.5}}, "expected a network for pixels normalized by"),
        ({"normalize": {"mean": float("nan"), "std": 0.5}}, "expected a network for pixels normalized by"),
        ({"classes": ["a", "b"]}, "expected 7 classes in the card, got 2"),
        *[({"classes": value}, "expected classes as two or more different names") for value in BAD_CLASSES],
        *[({"input_size": value}, "expected input_size in pixels") for value in (0, -48, 48.0, "48", True)],
        *[({"temperature": value}, "expected a finite temperature above 0") for value in BAD_TEMPERATURES],
    ],
)
def test_a_card_of_another_network(changes, says, path):
    change_card(path, **changes)
    with pytest.raises(ValueError, match=says):
        ExpressionModel.load(path)


def test_metadata_are_read_as_they_were_written():
    good = ClassifierSettings(("a", "b"), 48, 0.5, "vgg8", (0.25, 0.75))
    assert ClassifierSettings.from_metadata(good.to_metadata()) == good


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": "model.pdparams"}, "expected a .safetensors file"),
        ({"arguments": {"num_classes": 10}}, "expected 10 classes in the card, got 7"),
        ({"classes": EXPRESSIONS[:3]}, "expected 7 classes in the card, got 3"),
        ({"card": {"classes": []}}, "expected a card without classes, which the model writes itself"),
        ({"network": paddle.nn.Linear(1, 1)}, "builds, got a Linear"),
    ],
)
def test_nothing_wrong_is_written(changes, says, network, tmp_path):
    arguments = {"path": "model.safetensors", "name": "distresnet", "network": network, "input_size": 48, **changes}
    path = tmp_path / arguments.pop("path")
    with pytest.raises(ValueError, match=says):
        ExpressionModel.of(**arguments).save(path)
    assert list(tmp_path.iterdir()) == []
