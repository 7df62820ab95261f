"""Networks under one budget: rows, resume, refusal of another budget; and the five cases of curves."""

import dataclasses
import json

import numpy as np
import pytest

from fer_paddle.expression import trials
from fer_paddle.expression.compare import compare_designs, draw_costs, find_frontier
from fer_paddle.expression.curve_cases import CASES, draw_cases, judge
from fer_paddle.expression.recipes import STUDY
from fer_paddle.training.loop import Callback, RunOptions
from tests.fer_paddle.tiny_expressions import noise_faces

SIDE = ((0, 16),)
FACES = noise_faces(28, 16)
RECIPE = dataclasses.replace(STUDY, epochs=2, batch_size=7, sizes=SIDE, valid_sizes=SIDE)


class PowerCut(Callback):
    def on_epoch_end(self, run):
        if run.epoch == 2:  # before its checkpoint
            raise RuntimeError("power cut")


def test_rows_are_kept_and_a_broken_run_goes_on(tmp_path, monkeypatch):
    def measure(network, size):
        return {"mflops": float(size)}

    def compared(names, callbacks=(), recipe=RECIPE, faces=FACES):
        return compare_designs(names, faces, FACES, recipe, tmp_path, measure, RunOptions(callbacks=callbacks))

    with pytest.raises(RuntimeError, match="power cut"):
        compared(["mini_xception"], [PowerCut()])
    assert json.loads((tmp_path / "mini_xception-0" / "last.json").read_text())["epoch"] == 1
    (row,) = compared(["mini_xception"])
    assert (row["mflops"], row["seed"]) == (16.0, 0)
    assert row["cpu_seconds"] is None  # seconds of a part say little
    assert 0 <= row["accuracy"] <= 1
    monkeypatch.setattr(trials, "build_model", lambda *arguments: pytest.fail("trained again"))
    assert compared(["mini_xception"]) == [row]
    with pytest.raises(ValueError, match=r"compare.json, got others: recipe.epochs \(3, was 2\)"):
        compared(["mini_xception"], recipe=dataclasses.replace(RECIPE, epochs=3))
    with pytest.raises(ValueError, match=r"data.train \('.*', was '.*'\) \(--data-changed"):
        compared(["mini_xception"], faces=noise_faces(28, 16, seed=1))
    with pytest.raises(ValueError, match="expected a model of"):
        compared(["mini_xception", "resnet99"])


def test_the_plot_numbers_all_from_the_best_and_draws_the_frontier():
    costs = {"a": (3.0, 0.4), "b": (3.0, 0.5), "c": (9.0, 0.5), "d": (12.0, 0.6), "e": (1.0, 0.2)}
    rows = [{"name": name, "mflops": c, "parameters": 50, "accuracy": a} for name, (c, a) in costs.items()]
    assert [row["name"] for row in find_frontier(rows, "mflops")] == ["e", "b", "d"]
    assert [row["name"] for row in find_frontier(rows, "parameters")] == ["d"]
    figure = draw_costs(rows)
    left = figure.axes[0]
    assert [text.get_text() for text in figure.legends[0].texts] == ["1 d", "2 b", "3 c", "4 a", "5 e"]
    assert [text.get_text() for text in left.texts] == ["1", "2", "3", "4", "5"]
    assert left.collections[0].get_offsets().tolist() == [[12.0, 60.0]]
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[1, 20], [3, 50], [12, 60]])


def test_judge_and_drawing():
    case = CASES[1]
    history = [{"epoch": i + 1, "train_loss": 2 - i / 2, "valid_loss": 2 + i / 2} for i in range(3)]
    assert judge(case, history) == {"train": "falls", "test": "rises", "as_expected": True}
    assert not judge(CASES[0], history)["as_expected"]
    figure = draw_cases({case.name: history, CASES[0].name: history})
    assert [len(axis.lines) for axis in figure.axes] == [2, 2]
