"""Two processes give what one gives at the same global batch, up to rounding, but for batch normalization."""

import json

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training import parallel
from fer_paddle.training.checkpoint import LAST
from fer_paddle.weights import load_arrays, load_card
from tests.fer_paddle.training import tiny_run

LAUNCHER = ("-m", "paddle.distributed.launch", "--nproc_per_node", "2", "--backend", "gloo")


@pytest.mark.slow
def test_two_processes_give_what_one_gives(start_tiny_run, tmp_path):
    """Weights, moments and moving average after 15 steps, the best weights, and the figures.

    Of 7 validation samples one process has 4, the other 3: the sums are those of all. Both processes end with the same,
    with batch normalization too, whose running statistics are averaged.
    """
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    tiny_run.train(one / "plain", dropout=0.0, norm=paddle.nn.Identity)
    done = start_tiny_run(two, "parallel", LAUNCHER)
    logs = "\n".join(path.read_text() for path in sorted(two.glob("log/workerlog.*")))
    assert done.returncode == 0, done.stderr + logs
    ours, theirs = (tiny_run.tensors_of(folder / "plain") for folder in (one, two))
    assert ours.keys() == theirs.keys() and any("moment2" in name for name in ours)
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-5, atol=1e-5, err_msg=name)
    ours, theirs = (json.loads((folder / "plain" / LAST).read_text())["history"] for folder in (one, two))
    assert len(ours) == len(theirs) == 3
    for our, their in zip(ours, theirs):
        assert their == pytest.approx(our, rel=1e-5, abs=1e-6)
    for name in ("plain", "norm"):
        ranks = [two / f"{name}-{rank}.safetensors" for rank in (0, 1)]
        first, second = map(load_arrays, ranks)
        assert ("features.1._variance" in first) == (name == "norm")
        for key in first:
            np.testing.assert_array_equal(first[key], second[key], err_msg=key)
        assert len({json.dumps(load_card(path)) for path in ranks}) == 1


@pytest.fixture
def two_processes(monkeypatch):
    """One of two processes, of which the other brings zeros: every mean is half of ours."""
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    for name in ("init_parallel_env", "all_reduce"):
        monkeypatch.setattr(paddle.distributed, name, lambda *_: None)
    monkeypatch.setattr(paddle.distributed, "broadcast", lambda tensor, src: None)


def test_batch_normalization_is_over_the_global_batch_on_a_gpu_alone(two_processes, monkeypatch):
    for device, kind in (("cpu", paddle.nn.BatchNorm2D), ("gpu:0", paddle.nn.SyncBatchNorm)):
        monkeypatch.setattr(paddle.device, "get_device", lambda device=device: device)
        model = paddle.nn.Sequential(paddle.nn.Conv2D(1, 2, 3), paddle.nn.BatchNorm2D(2))
        names = list(model.state_dict())
        prepared = parallel.prepare_model(model)
        assert type(prepared[1]) is kind and list(prepared.state_dict()) == names


def test_processes_that_begin_with_others_are_refused(two_processes, monkeypatch):
    parallel.require_same({"epoch": 3})
    theirs = paddle.to_tensor([5.0, -5.0], "float64")
    both = lambda tensor, op: tensor.set_value(paddle.maximum(tensor, theirs))  # noqa: E731
    monkeypatch.setattr(paddle.distributed, "all_reduce", both)
    with pytest.raises(ValueError, match="the same configuration, data and checkpoint in every process, got others"):
        parallel.require_same({"epoch": 3})
