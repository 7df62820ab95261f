"""Two hosts with one process each, which are network namespaces, give what one process gives."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

from fer_paddle.environment import paddle
from fer_paddle.training.checkpoint import LAST
from fer_paddle.training.run import BEST
from fer_paddle.weights import load_arrays
from tests import hosts
from tests.fer_paddle.training import tiny_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare"))),
        reason="network namespaces need Linux, root, iproute2 and util-linux",
    ),
]


def test_two_hosts_give_what_one_process_gives_and_refuse_different_checkpoints(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    two.mkdir()
    tiny_run.train(one / "plain", dropout=0.0, norm=paddle.nn.Identity)
    with hosts.two_hosts(tmp_path) as both:
        ends = hosts.launch(both, two, [tiny_run.__file__, str(two), "apart"])
    for code, text in ends:
        assert code != 0 and "expected the same configuration, data and checkpoint in every process" in text, text
    ours, theirs = (load_arrays(folder / "plain" / BEST) for folder in (one, two))
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-5, atol=1e-5, err_msg=name)
    last = (two / "plain" / LAST).read_bytes()
    assert json.loads(last)["epoch"] == tiny_run.EPOCHS and last == (two / "before.json").read_bytes()
