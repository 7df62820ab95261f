"""The search for one's own faces: the command, what it leaves, and how it goes on."""

import dataclasses
import json

import numpy as np
import pytest

from fer_paddle import Classifier
from fer_paddle.apps.cli import main
from fer_paddle.expression.compare import draw_front
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.recipes import STUDY
from fer_paddle.expression.search import HYPER_PARAMETERS, FaceSearch, SearchPlan, change_recipe
from fer_paddle.search.cost import Limits, measure_cost
from fer_paddle.search.space import plain_arguments, plain_space
from fer_paddle.search.tune import open_study
from tests.fer_paddle.tiny_expressions import noise_faces

SMALL = plain_space(stages=2, widths=(8, 16), depths=(1, 2), sizes=(12, 16))
PLAN = SearchPlan(
    limits=Limits(mflops=0.5), trials=3, tuning=2, space=SMALL, recipe=dataclasses.replace(STUDY, epochs=1), epochs=2
)


FACES = noise_faces(60, 16, ("dark", "light"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory, write_classes):
    return write_classes(tmp_path_factory.mktemp("faces") / "own", {"laugh": 30, "pout": 30})


def test_a_search_that_was_stopped_at_any_step_ends_as_an_unbroken_one(tmp_path, monkeypatch):
    def run(folder):
        found = FaceSearch(FACES, FACES, PLAN, folder)
        found.find()
        found.train(found.tune())
        return found

    whole = run(tmp_path / "whole")
    stopped = tmp_path / "stopped"
    for trials in (1, 2):
        FaceSearch(FACES, FACES, dataclasses.replace(PLAN, trials=trials), stopped).find()
    FaceSearch(FACES, FACES, PLAN, stopped).find()
    FaceSearch(FACES, FACES, dataclasses.replace(PLAN, tuning=1), stopped).tune()
    resumed = run(stopped)
    names = ("name", "design", "accuracy", "parameters", "mflops", "activations")
    first, second = ([[row[name] for name in names] for row in found.rows] for found in (whole, resumed))
    assert first == second
    assert all(row["mflops"] <= 0.5 for row in whole.rows)
    assert not list(stopped.glob("tune-*"))
    model = ExpressionModel.load(stopped / "model.safetensors")
    assert model.card["arguments"] == {**plain_arguments(resumed.best["design"]), "num_classes": 2}
    assert measure_cost(model.network, model.input_size, 0)["mflops"] == resumed.best["mflops"]
    assert draw_front(resumed.rows).axes[0].collections[0].get_offsets().shape == (3, 2)
    monkeypatch.setattr(FaceSearch, "_score", lambda *_: pytest.fail("tried with another limit"))
    with pytest.raises(ValueError, match=r"search.json, got others: limits.mflops \(0.4, was 0.5\)"):
        FaceSearch(FACES, FACES, dataclasses.replace(PLAN, limits=Limits(mflops=0.4)), stopped).find()


def test_the_hours_are_shared_out(tmp_path):
    plan = dataclasses.replace(PLAN, hours=1.0, trials=2, epochs=None)
    found = FaceSearch(FACES, FACES, plan, tmp_path)
    found.find()
    found.seconds.update(find=1700.0)  # a face took 1700 / (2 designs x 1 epoch x 48 faces)
    row = found.best
    share = row["mflops"] / np.mean([one["mflops"] for one in found.rows])
    assert found._count_epochs(row) == max(1, min(60, int(1900 / (1700 / 96 * share * 60))))
    found.seconds.update(find=2400.0)
    assert found.tune().name == "study" and not (tmp_path / "tune.db").exists()  # no time is left for it


def test_hyper_parameters_begin_with_the_recipe_itself():
    first = {name: value for name, (value, *_) in HYPER_PARAMETERS.items()}
    assert change_recipe(STUDY, first) == STUDY
    changed = change_recipe(STUDY, {**first, "augment": 2.0, "learning_rate": 0.001})
    assert (changed.augment.rotate_deg, changed.augment.flip, changed.learning_rate) == (16, 0.5, 0.001)


@pytest.mark.slow
def test_the_command_ends_in_a_network_that_the_classifier_loads(folders, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["search", "--data", str(folders), "--trials", "2", "--tuning", "2", "--epochs", "1", "--runs", "3"]
    command += ["--limit-mflops", "30", "--limit-ms", "1000", "--final-epochs", "2", "--out", str(out)]
    assert main([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["rows"]) == 2 and all(row["latency_ms"] <= 1000 for row in content["rows"])
    assert content["final"]["design"] in [row["design"] for row in content["rows"]]
    image = np.full((20, 20), 128, np.uint8)
    answers = [Classifier(out / f"model.{kind}")([image]) for kind in ("onnx", "safetensors")]
    np.testing.assert_allclose(*answers, atol=1e-4)
    assert Classifier(out / "model.onnx").classes == ("laugh", "pout")
    assert main(command) == 2
    assert "expected a new folder, or --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert (out / "front.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--limit-ms", "0"], "expected a number above 0, got '0'"),
        (["--limit-mflops", "nan"], "expected a number above 0, got 'nan'"),
        (["--hours", "-1"], "expected a number above 0, got '-1'"),
        (["--strategy", "grid"], "expected a strategy of random, evolution, annealing, got 'grid'"),
        (["--limit-params", "10"], "expected limits that a design can keep to, got parameters 10: the smallest has"),
        (["--limit-mflops", "0.2", "--limit-ms", "1e-9"], "got mflops 0.2: the smallest has mflops 0.289"),
        (["--limit-ms", "1e-5", "--runs", "1"], "got latency_ms 1e-05: the smallest has latency_ms "),
        (["--data", "no_such_folder"], "no_such_folder"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(options, says, folders, tmp_path, monkeypatch, capsys):
    measured = []
    monkeypatch.setattr(
        "fer_paddle.search.cost.measure_cost", lambda *given: measured.append(1) or measure_cost(*given)
    )
    base = [] if "--data" in options else ["--data", str(folders)]
    assert main(["search", *base, *options, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and says in error
    assert not (tmp_path / "out").exists() and len(measured) <= 1


def test_a_damaged_study_fails_and_names_the_file(folders, tmp_path, capsys):
    (tmp_path / "search.json").write_text("{")
    assert main(["search", "--data", str(folders), "--trials", "1", "--resume", "--out", str(tmp_path)]) == 2
    assert "search.json" in capsys.readouterr().err
    (tmp_path / "tune.db").write_text("no database, and longer than a header of one " * 40)
    with pytest.raises(ValueError, match=r"expected an Optuna study in .*tune.db, got another file"):
        open_study(tmp_path / "tune.db")
