"""A network on disk: the same network back, and one clear line for every file that is something else."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest

from fer_paddle import files
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.files import load_model, save_model
from fer_paddle.images import FER_MEAN, FER_STD
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import MODELS, build_model
from fer_paddle.weights import load_arrays, load_card, save_arrays


@pytest.fixture(scope="module")
def network():
    seed_everything(0)
    return build_model("distresnet")


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "网络.safetensors"
    save_model(path, "distresnet", network, 48, {"figures": {"accuracy": 0.5}})
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
    model = build_model(name, num_classes=3, in_channels=2)
    model(paddle.randn([4, 2, 48, 48]))  # in training: moves the running statistics
    path = tmp_path / "model.safetensors"
    arguments = {"num_classes": 3, "in_channels": 2}
    written = save_model(path, name, model, 48, {"note": "测试"}, arguments, classes=("a", "b", "c"))
    again, card = load_model(path)
    assert type(again) is MODELS[name] and not again.training
    assert card == written == json.loads(path.with_suffix(".json").read_text("utf-8"))
    model.eval()
    images = paddle.randn([2, 2, 48, 48])
    np.testing.assert_array_equal(again(images).numpy(), model(images).numpy())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_the_card(path):
    _, card = load_model(path)
    assert card == {
        "model": "distresnet",
        "arguments": {},
        "input_size": 48,
        "classes": list(EXPRESSIONS),
        "normalize": {"mean": FER_MEAN, "std": FER_STD},
        "parameters": 403_767,
        "figures": {"accuracy": 0.5},
    }


# --- what is refused at reading ---


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_file(keep, path):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="expected a whole safetensors file at") as raised:
        load_model(path)
    assert "\n" not in str(raised.value)


def test_a_pickle_is_never_opened(tmp_path):
    class Danger:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    for name in ("model.pdparams", "model.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Danger()))
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ValueError, match=r"expected a .safetensors file, got .*model.pdparams: pickled weights"):
        load_model(tmp_path / "model.pdparams")
    with pytest.raises(ValueError, match="expected a whole safetensors file"):
        load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "vgg"}, "expected a model of distresnet.*, got 'vgg'"),
        ({"model": None}, "expected a model card beside .*, it lacks model"),
        ({"model": ["distresnet"]}, "expected a model's name and its arguments by name"),
        ({"arguments": {"num_classes": 10}}, "classify.weight"),  # another architecture than the weights
        ({"arguments": {"depth": 3}}, "expected arguments that the model 'distresnet' has"),
        ({"arguments": [7]}, "expected a model's name and its arguments by name"),
        ({"classes": ["a", "b"]}, "expected 7 classes in the card of .*, got 2"),
        ({"normalize": {"mean": 0.5, "std": 0.5}}, "expected a network for pixels normalised by"),
    ],
)
def test_a_card_of_another_network(changes, says, path):
    change_card(path, **changes)
    with pytest.raises(ValueError, match=says):
        load_model(path)


def test_weights_of_another_network(path):
    arrays = load_arrays(path)
    save_arrays(path, {f"network.{name}": array for name, array in arrays.items()})
    with pytest.raises(ValueError, match="weights do not fit DistResNet"):
        load_model(path)


def test_missing_files(path):
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError, match="card"):
        load_model(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="found none at"):
        load_model(path)


# --- what is refused at writing: a file that load_model could not read ---


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": "model.pdparams"}, "expected a .safetensors file"),
        ({"model": "vgg"}, "expected a model of distresnet"),
        (
            {"arguments": {"num_classes": 10}},
            "expected the network that 'distresnet' with {'num_classes': 10} builds",
        ),
        ({"classes": EXPRESSIONS[:3]}, "expected 7 classes, as the network has, got 3"),
        ({"card": {"classes": []}}, "expected a card without classes, which save_model writes itself"),
        ({"network": paddle.nn.Linear(1, 1)}, "builds, got a Linear of other weights"),
    ],
)
def test_nothing_wrong_is_written(changes, says, network, tmp_path):
    arguments = {
        "path": "model.safetensors",
        "model": "distresnet",
        "network": network,
        "input_size": 48,
        **changes,
    }
    with pytest.raises(ValueError, match=says):
        save_model(**{**arguments, "path": tmp_path / arguments["path"]})
    assert list(tmp_path.iterdir()) == []
