"""A pruned DistResNet is a network like any other: on disk, as ONNX, as the start of a training."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from fer_paddle import files
from fer_paddle.analysis.complexity import count_parameters
from fer_paddle.apps.cli import main
from fer_paddle.compression.plan import plan_evenly
from fer_paddle.compression.prune import FilterPruner
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.losses import AuxiliaryHead
from fer_paddle.expression.recipes import TUTORIAL
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.models import build_model, distresnet, find_design
from fer_paddle.models.model import count_features
from fer_paddle.weights import load_card

SHAPE = (1, 1, 32, 32)


@pytest.fixture(scope="module", autouse=True)
def three_stages():
    """DistResNet with three stages of two blocks: a third of the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distresnet, "STAGE_FILTERS", (16, 16, 32))
        patch.setattr(distresnet, "BLOCKS_PER_STAGE", 2)
        yield


@pytest.fixture(scope="module")
def pruned(three_stages):
    """DistResNet at half its FLOPs, with its plan."""
    seed_everything(0)
    network = build_model("distresnet")
    for tensor in network.state_dict().values():  # the scales that start at zero would hide much
        if not tensor.numpy().any():
            tensor.set_value(paddle.full(tensor.shape, 0.5))
    pruner = FilterPruner(network, SHAPE)
    assert len(pruner.groups) == 16 and pruner.unprunable() == []
    plan = plan_evenly(pruner, 0.5)
    pruner.prune(plan.kept)
    count_features(network)
    network.eval()
    return network


@pytest.fixture(scope="module")
def saved(pruned, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    ExpressionModel.of("distresnet", pruned, 32).save(path)
    return path


def test_bit_equal_after_reload(pruned, saved):
    network, model = pruned, ExpressionModel.load(saved)
    again, card = model.network, model.card
    images = paddle.randn([3, 1, 48, 40])
    np.testing.assert_array_equal(again(images).numpy(), network(images).numpy())
    assert again.num_features == network.num_features == again.classify.weight.shape[0] < 128
    assert card["parameters"] == count_parameters(again) < count_parameters(build_model("distresnet"))
    assert card["shapes"]["stem.0.0"] == network.stem[0][0].weight.shape
    numbers = sum(tensor.size for tensor in network.state_dict().values())
    assert saved.stat().st_size < 4 * numbers + 40_000
    logits, votes = AuxiliaryHead(again)(paddle.randn([2, 1, 32, 32]))
    assert (logits.shape, votes.shape) == ([2, 7], [2, 10])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda shapes: shapes.update(unknown=[1]), "expected a layer of DistResNet, got a shape for 'unknown'"),
        (lambda shapes: shapes.update({"stem.0.0": [17, 1, 3, 3]}), "or with fewer filters for the layer 'stem.0.0'"),
        (lambda shapes: shapes.update({"stem.0.0": [0, 1, 3, 3]}), "or with fewer filters"),
        (lambda shapes: shapes.pop("stem.0.0"), "expected layers of DistResNet that fit together"),
        (lambda shapes: shapes.clear(), "weights do not fit"),
    ],
)
def test_a_card_with_wrong_shapes(change, says, saved, tmp_path):
    shutil.copytree(saved.parent, tmp_path, dirs_exist_ok=True)
    card = load_card(tmp_path / saved.name)
    change(card["shapes"])
    files.write_json(tmp_path / "model.json", card)
    with pytest.raises(ValueError, match=says) as raised:
        ExpressionModel.load(tmp_path / saved.name)
    assert "\n" not in str(raised.value)


def test_the_command_from_faces_to_a_smaller_network(tmp_path, face_folders, capfd):
    """Class folders and a network, both tiny; a second call finds all done."""
    seed_everything(0)
    recipe = dataclasses.replace(TUTORIAL, batch_size=8, sizes=((0, 32),), valid_sizes=((0, 32),))
    weights = tmp_path / "network.safetensors"
    model, arguments = find_design("vgg8_flat")  # which PaddleSlim traces in no time
    network = build_model(model, **arguments)
    ExpressionModel.of(model, network, 32, {"recipe": recipe.to_json()}, arguments).save(weights)
    out = tmp_path / "study"
    command = ["prune", "--weights", str(weights), "--data", str(face_folders), "--out", str(out), "--flops", "0.6"]
    teacher = tmp_path / "teacher.safetensors"
    ExpressionModel.of("squeezenet", build_model("squeezenet"), 24).save(teacher)
    command += ["--epochs", "1", "--faces", "4", "--resume", "--json", "--teacher", str(teacher)]
    assert main(command) == 2
    assert "expected a soft_weight above 0 for the teachers, got 0" in capfd.readouterr().err
    command += ["--soft-weight", "0.5"]
    assert main(command) == 0
    first = json.loads(capfd.readouterr().out)
    (row,) = first["rows"]
    pruned = ExpressionModel.load(out / "l1_60" / "round1" / "model.safetensors")
    card = pruned.card
    assert row["flops_share"] <= 0.6
    assert count_parameters(pruned.network) == row["parameters"] < first["full"]["parameters"]
    assert {"hours", "machine"} <= card.keys() and len(card["prior"]) == 7  # of the fine-tuning
    assert card["train_faces"] == dict.fromkeys(EXPRESSIONS, 9)
    assert card["pruned_from"] == "network.safetensors" and card["pruning"]["criterion"] == "l1"
    assert (card["distill"]["soft_weight"], card["distill"]["teachers"]) == (0.5, ["teacher.safetensors"])
    sizes = [(out / "l1_60" / "round1" / name).stat().st_size for name in ("model.onnx", "model.safetensors")]
    assert row["file_bytes"] == sizes[0] < 1.2 * sizes[1]
    assert main(command) == 0
    assert json.loads(capfd.readouterr().out)["rows"] == first["rows"]
