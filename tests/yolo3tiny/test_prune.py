"""A pruned detector: what can be cut, the same network back from disk, and the task of a study."""

import dataclasses

import numpy as np
import pytest

from fer_paddle.analysis.complexity import count_flops
from fer_paddle.compression.plan import plan_evenly
from fer_paddle.compression.prune import FilterPruner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.training.loop import RunOptions
from fer_paddle.weights import load_arrays, load_card, save_weights
from tests.yolo3tiny.samples import ANCHORS, SMALL, make_photo
from yolo3tiny.augment import AugmentConfig
from yolo3tiny.export import export_network
from yolo3tiny.files import DetectorModel
from yolo3tiny.model import Yolo3Lite, Yolo3Tiny
from yolo3tiny.predict import NetworkSettings
from yolo3tiny.prune import DetectorPruneTask, fit_to_photos

SHAPE = (1, 3, 96, 96)
SETTINGS = NetworkSettings(ANCHORS, 96)
RECIPE = dataclasses.replace(SMALL, augment=AugmentConfig(mosaic=0))


def make_network():
    seed_everything(0)
    network = Yolo3Tiny(width=0.25)
    network.eval()
    return network


@pytest.fixture(scope="module")
def pruned():
    network = make_network()
    pruner = FilterPruner(network, SHAPE)
    full = count_flops(network, SHAPE)
    plan = plan_evenly(pruner, 0.5)
    pruner.prune(plan.kept)
    assert count_flops(network, SHAPE) == plan.flops <= full / 2
    return network


@pytest.fixture(scope="module")
def saved(pruned, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "detector.onnx"
    card = export_network(pruned, path, SETTINGS, {"recipe": RECIPE.to_json()})
    return path, card


def test_the_lite_network_can_be_cut_too():
    seed_everything(0)
    network = Yolo3Lite(width=0.25)
    network.eval()
    pruner = FilterPruner(network, SHAPE)
    assert pruner.unprunable() == ["heads.0", "heads.1", "heads.2"]
    plan = plan_evenly(pruner, 0.6)
    pruner.prune(plan.kept)
    assert count_flops(network, SHAPE) == plan.flops
    assert [head.shape[2:] for head in network(paddle.zeros(SHAPE))] == [[3, 3], [6, 6], [12, 12]]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shapes": None}, "weights do not fit"),
        ({"shapes": {"fine.0.0": [99, 3, 3, 3]}}, "or with fewer filters for the layer 'fine.0.0'"),
        ({"anchors": None}, "expected the card of a face detector, got another"),
        ({"width": "wide"}, "expected the card of a face detector, got another"),
    ],
)
def test_a_card_of_another_network(changes, says, saved, tmp_path):
    path = tmp_path / "other.safetensors"
    card = {**saved[1], **changes}
    arrays = load_arrays(saved[0].with_suffix(".safetensors"))
    save_weights(path, arrays, {name: value for name, value in card.items() if value is not None})
    with pytest.raises(ValueError, match=says):
        DetectorModel.load(path)


# --- the task of a study ---


@pytest.fixture(scope="module")
def task(saved):
    photos = [make_photo("a", [(10, 10, 40, 50)]), make_photo("b", [(50, 20, 86, 66)])]
    weights = saved[0].with_suffix(".safetensors")
    return DetectorPruneTask(weights, photos * 4, photos, "drawings", epochs=1, learning_rate=1e-3, samples=9)


def test_the_task_measures(task, pruned):
    figures = task.measure_sensitivity(pruned)
    assert figures["loss"] == pytest.approx(sum(value for name, value in figures.items() if name != "loss"))
    assert figures == task.measure_sensitivity(task.model.network)
    assert "ap" in task.measure(pruned)
    assert [len(images) for images in task.norm_batches()] == [8, 1]
    assert task.input_shape == SHAPE


def test_the_task_trains_and_keeps_a_pruned_network(task, tmp_path):
    network = DetectorModel.load(task.weights).network
    before = network.fine[0][0].weight.numpy().copy()
    task.fit(network, tmp_path, RunOptions(tmp_path, True))
    assert not np.array_equal(network.fine[0][0].weight.numpy(), before)
    network.eval()
    task.save(network, tmp_path / "model.safetensors", {"flops_share": 0.5})
    again = DetectorModel.load(tmp_path / "model.safetensors")
    images = paddle.rand([1, 3, 64, 64])
    np.testing.assert_array_equal(again.network(images)[0].numpy(), network(images)[0].numpy())
    assert again.card["pruning"] == {"flops_share": 0.5} and (tmp_path / "model.onnx").is_file()
    assert {"hours", "machine"} <= load_card(tmp_path / "model.safetensors").keys()


@pytest.mark.parametrize(
    ("repeat", "num_photos", "kept", "batch_size"),
    [
        ((), 5, (), 4),
        ((), 3, (), 3),
        ((("drawn", 2),), 3, (("drawn", 2),), 4),
        ((("web", 2), ("drawn", 1)), 2, (("drawn", 1),), 2),
    ],
)
def test_the_recipe_fits_the_photos(repeat, num_photos, kept, batch_size):
    recipe = dataclasses.replace(RECIPE, repeat=repeat, batch_size=4)
    fitted = fit_to_photos(recipe, [make_photo("a", [])] * num_photos)
    assert fitted == dataclasses.replace(recipe, repeat=kept, batch_size=batch_size)
    with pytest.raises(ValueError, match="expected at least one photo to learn from"):
        fit_to_photos(recipe, [])
