"""What PaddleSlim's two searches do here, and why the chapter has its own."""

import numpy as np
import paddle
import pytest

from fer_paddle.compression.slim import slim
from fer_paddle.models import build_model


def test_the_walk_of_sanas_ends_the_process_once_every_neighbor_was_tried():
    with slim():
        from paddleslim.common import SAController

        np.random.seed(0)
        walk = SAController(([0, 0], [2, 2]), init_temperature=1e-9, init_tokens=[0, 0])
        with pytest.raises(SystemExit) as exit_info:
            for trial in range(9):
                walk.update(walk.next_tokens(), -2.0, trial)  # below its first reward: the walk never moves
    assert exit_info.value.code is None  # which a shell sees as success


def test_ofa_trains_a_supernet_but_exports_no_plain_network(capfd):
    with slim():
        from paddleslim.nas.ofa import OFA, RunConfig
        from paddleslim.nas.ofa.convert_super import Convert, supernet

        whole = build_model("vgg8", width=1.0, channels=[16, 16])
        converted = Convert(supernet(expand_ratio=[0.5, 1.0])).convert(whole)
        budget = RunConfig(1, [[1]], [[0.001]], 8, None, [1])
        ofa = OFA(converted, run_config=budget)
        ofa.set_epoch(0)
        ofa.set_task("expand_ratio")
        outputs = ofa(paddle.randn([2, 1, 8, 8]))
        outputs[0].sum().backward()
        assert ofa.ofa_layers["features.0.0"] == {"expand_ratio": [0.5, 1.0]}
        half = {name: {"expand_ratio": 0.5} for name in ofa.ofa_layers}
        small = ofa.export(half, input_shapes=[1, 1, 8, 8], input_dtypes=["float32"])
    kinds = {type(layer).__name__ for layer in small.sublayers()}
    assert small.features[0][0].fn.weight.shape[0] == 8 and small.features[0][1].weight.shape[0] == 16
    assert "SuperConv2D" in kinds and "SuperBatchNorm2D" in kinds
