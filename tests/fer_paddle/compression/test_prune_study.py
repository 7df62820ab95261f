"""Sensitivities, plain zeros, recalibration, and a whole study that is stopped and goes on."""

import numpy as np
import pytest

from fer_paddle.compression.prune import FilterPruner, recalibrate_norms
from fer_paddle.compression.prune_study import (
    MAGNITUDE,
    RESULTS,
    PruneSettings,
    PruningStudy,
    check_new,
    draw_prune_curve,
    table_of,
)
from fer_paddle.compression.sensitivity import Sensitivities, measure_sensitivities, plot_sensitivities
from fer_paddle.compression.unstructured import KeepZeros, apply_masks, magnitude_masks, zero_ratio
from fer_paddle.environment import paddle
from fer_paddle.models.model import Model
from fer_paddle.weights import load_card

SHAPE = (1, 1, 8, 8)
RATIOS = (0.25, 0.5)


def filters_left(network):
    """A measure that says exactly what was pruned: every lost filter costs its place in the network."""
    lost = 8 - network.stem[0].weight.shape[0] + 10 * (6 - network.first[0].weight.shape[0])
    return {"loss": 1.0 + lost, "accuracy": 1 - lost / 100}


def test_every_layer_is_measured_alone(small_net):
    found = measure_sensitivities(FilterPruner(small_net, SHAPE), filters_left, RATIOS)
    assert found.baseline == {"loss": 1.0, "accuracy": 1.0}
    np.testing.assert_allclose(found.rise("stem.0"), [[0, 2 / 8, 4 / 8], [0, 2, 4]])
    np.testing.assert_allclose(found.rise("first.0"), [[0, 2 / 6, 3 / 6], [0, 20, 30]])
    axis, _ = plot_sensitivities(found).axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["stem.0", "first.0"]
    drawn = axis.images[0].get_array()
    assert drawn.shape == (2, len(RATIOS)) and drawn[1].max() == 30 and drawn[0].max() == 4
    accuracy = plot_sensitivities(found, "accuracy").axes[0].images[0].get_array()
    assert accuracy[1].max() == pytest.approx(0.3)  # dark is worse there too


def test_a_stopped_measurement_goes_on_with_the_next_layer(small_net, tmp_path):
    pruner, path, asked = FilterPruner(small_net, SHAPE), tmp_path / "s.json", []

    def measure(network):
        asked.append(filters_left(network)["loss"])
        if len(asked) == 4:  # baseline, two of the first layer, then the first of the second
            raise KeyboardInterrupt
        return filters_left(network)

    with pytest.raises(KeyboardInterrupt):
        measure_sensitivities(pruner, measure, RATIOS, path)
    assert [row["layer"] for row in load_card(path)["rows"]] == ["stem.0"]
    found = measure_sensitivities(pruner, measure, RATIOS, path)
    assert asked == [1, 3, 5, 21, 21, 31]  # the first layer is not measured again
    assert found == measure_sensitivities(FilterPruner(small_net, SHAPE), filters_left, RATIOS)


def test_a_file_of_another_measurement(small_net, tmp_path):
    pruner, path = FilterPruner(small_net, SHAPE), tmp_path / "s.json"
    measure_sensitivities(pruner, filters_left, RATIOS, path, {"faces": 5}, {"train": "a"})
    with pytest.raises(ValueError, match=r"got others: faces \(6, was 5\), data.train \('b', was 'a'\)"):
        measure_sensitivities(pruner, filters_left, RATIOS, path, {"faces": 6}, {"train": "b"})
    small_net.stem[0].weight.set_value(small_net.stem[0].weight * 2)
    with pytest.raises(ValueError, match="got others: weights"):
        measure_sensitivities(pruner, filters_left, RATIOS, path, {"faces": 5}, {"train": "a"})


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_masks_are_those_of_paddleslim(share, small_net, make_net, capfd):
    from paddleslim.dygraph import UnstructuredPruner

    theirs = make_net()
    pruner = UnstructuredPruner(theirs, "ratio", ratio=share)
    pruner.step()
    pruner.update_params()
    masks = magnitude_masks(small_net, share)
    names = {name: parameter.name for name, parameter in theirs.named_parameters()}
    different = sum((mask != pruner.masks[names[name]].numpy()).sum() for name, mask in masks.items())
    # They keep the weight at the threshold and let the last bias-like tensors in or out: a weight or two.
    assert different <= 2


def test_zeros_stay_zero_in_training(small_net):
    masks = magnitude_masks(small_net, 0.5)
    apply_masks(small_net, masks)
    assert zero_ratio(small_net) == pytest.approx(0.5, abs=0.01)
    keep = KeepZeros(small_net, masks)
    optimizer = paddle.optimizer.AdamW(1e-2, parameters=small_net.parameters())
    small_net(paddle.randn([4, 1, 8, 8])).square().mean().backward()
    optimizer.step()
    assert zero_ratio(small_net) < 0.1
    keep.on_step_end(None)
    assert zero_ratio(small_net) == pytest.approx(0.5, abs=0.01)
    assert all((small_net.state_dict()[name].numpy()[mask == 0] == 0).all() for name, mask in masks.items())


def test_statistics_are_those_of_the_batches(small_net):
    batches = [np.random.default_rng(seed).normal(seed, 2, (5, 1, 8, 8)).astype(np.float32) for seed in range(3)]
    outputs = [small_net.stem[0](paddle.to_tensor(images)).numpy() for images in batches]
    weights = {name: tensor.numpy().copy() for name, tensor in small_net.named_parameters() if not tensor.stop_gradient}
    recalibrate_norms(small_net, batches)
    norm = small_net.stem[1]
    np.testing.assert_allclose(
        norm._mean.numpy(), np.mean([o.mean((0, 2, 3)) for o in outputs], 0), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(norm._variance.numpy(), np.mean([o.var((0, 2, 3)) for o in outputs], 0), rtol=2e-2)
    assert norm._momentum == 0.9 and not small_net.training and not norm.training
    for name, tensor in small_net.named_parameters():
        if name in weights:
            np.testing.assert_array_equal(tensor.numpy(), weights[name])


class SmallTask:
    """A task whose training counts its calls; the network is judged by its filters."""

    input_shape, figure = SHAPE, "accuracy"

    def __init__(self, make_net, weights, fail_in=None):
        self.weights, self.fail_in, self.trained = weights, fail_in, []
        self.model = type(
            "SmallModel", (Model,), {"build": staticmethod(lambda card: make_net()), "task": "expression"}
        )(make_net(), {})
        self.model.save(weights)
        self.settings = self.measured_on = {"faces": 0}
        self.data = {"train": "a"}

    def load(self, path):
        return type(self.model).load(path).network

    def measure(self, network):
        return filters_left(network)

    measure_sensitivity = measure

    def norm_batches(self):
        return [np.ones((2, 1, 8, 8), np.float32)]

    def fit(self, network, folder, options):
        self.trained.append(folder.parent.name + "/" + folder.name)
        if len(self.trained) == self.fail_in:
            raise KeyboardInterrupt

    def save(self, network, path, record):
        type(self.model)(network, {"pruning": record}).save(path)
        path.with_suffix(".onnx").write_bytes(b"onnx")


def make_study(folder, make_net, fail_in=None, **settings):
    task = SmallTask(make_net, folder.with_name(f"{folder.name}.safetensors"), fail_in)
    return task, PruningStudy(task, PruneSettings(**{"ratios": (0.6, 0.3), **settings}), folder, {"seed": 0})


def test_a_study_in_rounds(make_net, tmp_path):
    _, study = make_study(tmp_path, make_net, steps=2)
    results = study.run()
    for row, share in zip(results["rows"], (0.6, 0.3)):
        assert row["flops_share"] <= share and row["file_bytes"] == 4
        first, second = row["rounds"]
        assert share < first["flops_share"] <= share**0.5 and second["flops"] == row["flops"]
        network = study.task.load(tmp_path / "l1_60" / "round2" / "model.safetensors")
        assert study.task.measure(network)["accuracy"] == results["rows"][0]["accuracy"]
    assert load_card(tmp_path / RESULTS) == results
    assert {path.name for path in tmp_path.iterdir()} >= {"curve.png", "sensitivities_l1.png", "l1_30"} and results[
        "seed"
    ] == 0
    assert len(draw_prune_curve([results]).axes[0].lines) == 2
    heading, rows = table_of(results, "accuracy")
    assert heading[0] == "flops to keep" and [row[0] for row in rows] == ["full", "60%", "30%"]


def test_a_layer_of_one_filter_stays(make_net, tmp_path):
    """What the second round cut to one filter is in the third round's plan too, and cannot be cut further."""
    _, study = make_study(tmp_path, make_net, steps=3, ratios=(0.1,))
    layers = {"stem.0": {"filters": 8, "pruned": {"7": {"loss": 9.0}}}, "first.0": {"filters": 6, "pruned": {}}}
    layers["first.0"]["pruned"] = {"5": {"loss": 1.0}}
    vars(study)["sensitivities"] = Sensitivities({}, {"loss": 1.0}, layers)
    (row,) = study.run()["rows"]
    assert [one["kept"]["first.0"] for one in row["rounds"]] == [2, 1, 1]
    pruner = FilterPruner(study.task.load(tmp_path / "l1_10" / "round3" / "model.safetensors"), SHAPE)
    assert measure_sensitivities(pruner, filters_left, RATIOS).rise("first.0")[0].tolist() == [0]


def test_a_stopped_study_goes_on(make_net, tmp_path):
    _, study = make_study(tmp_path, make_net, fail_in=2)
    with pytest.raises(KeyboardInterrupt):
        study.run()
    with pytest.raises(ValueError, match="expected a new folder, or --resume"):
        check_new(tmp_path, resume=False)
    task, study = make_study(tmp_path, make_net)
    results = study.run()
    assert task.trained == ["l1_30/round1"] and len(results["rows"]) == 2


def test_single_weights_keep_size_and_flops(make_net, tmp_path):
    _, study = make_study(tmp_path, make_net, criterion=MAGNITUDE, ratios=(0.3,))
    results = study.run()
    (row,) = results["rows"]
    assert table_of(results, "accuracy")[0][0] == "weights to keep"
    assert row["zero_share"] == pytest.approx(0.7, abs=0.01)
    assert row["flops_share"] == 1.0 and row["parameters"] == study.full["parameters"]


RESULTS_OF_L1 = {"settings": {"criterion": "l1", "cost": "flops"}, "full": {"accuracy": 1}, "rows": []}


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda network: PruneSettings(ratios=()), "expected ratios above 0"),
        (lambda network: PruneSettings(steps=1.5), "expected an integer as steps, got 1.5"),
        (lambda network: recalibrate_norms(network, [np.zeros(SHAPE, np.uint8)]), "expected finite images float32"),
        *(
            (
                lambda network, found=found: measure(network, (0.5,), lambda _: found),
                "expected figures with a finite loss",
            )
            for found in ({"accuracy": 1.0}, {"loss": np.nan})
        ),
        (lambda network: draw_prune_curve([RESULTS_OF_L1], "ap"), "expected the results of a pruning study with 'ap'"),
        (lambda network: recalibrate_norms(network, []), "expected at least one batch"),
        (
            lambda network: Sensitivities.from_json({"settings": {}, "rows": [{"layer": "a"}]}),
            "expected sensitivities as",
        ),
        *(
            (lambda network, ratios=ratios: measure(network, ratios), "expected ratios between 0 and 1")
            for ratios in ((), (0.0,), (1.0,))
        ),
    ],
)
def test_what_cannot_be_is_refused(use, says, small_net):
    with pytest.raises(ValueError, match=says):
        use(small_net)


def measure(network, ratios, figures=filters_left):
    return measure_sensitivities(FilterPruner(network, SHAPE), figures, ratios)
