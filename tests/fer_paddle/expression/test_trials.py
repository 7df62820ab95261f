"""A study runs what is missing, keeps what is done, and repeats what one seed cannot decide."""

import dataclasses

import numpy as np
import pytest

from fer_paddle.expression.recipes import RECIPES
from fer_paddle.expression.trials import RESULT, Trial, TrialStudy
from fer_paddle.training.augment import AugmentConfig
from tests.fer_paddle.tiny_expressions import noise_faces

FACES = noise_faces(40, 16)
RECIPE = dataclasses.replace(
    RECIPES["study"], epochs=1, batch_size=4, sizes=((0, 16),), valid_sizes=((0, 16),), augment=AugmentConfig()
)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A study whose trainings give accuracies that the test chooses; `fake.trained` names those that ran."""
    study = TrialStudy(tmp_path / "study", FACES, FACES, {})
    study.trained, study.chosen = [], {}

    def train(trial):
        study.trained.append((trial.name, trial.recipe.seed))
        return {"accuracy": study.chosen.get(study.trained[-1], study.chosen.get(trial.name, 0.5))}

    monkeypatch.setattr(study, "_train", train)
    return study


@pytest.mark.parametrize(
    ("chosen", "repeated"),
    [
        ({"none": 0.50, "flip": 0.51, "shift": 0.60, "blur": 0.495}, ["none", "flip", "blur"]),
        ({"none": 0.3, "flip": 0.9}, []),  # the base is not repeated for itself
    ],
)
def test_only_what_one_seed_cannot_decide_is_repeated(chosen, repeated, fake):
    fake.chosen = chosen
    plans = [Trial(name, RECIPE) for name in chosen]
    fake.run_trials(plans)
    fake.repeat_close_ones(plans, chosen["none"], [1, 2])
    assert fake.trained == [(name, 0) for name in chosen] + [(name, seed) for name in repeated for seed in (1, 2)]


def test_summary_compares_the_same_seeds(fake):
    fake.chosen = {("none", 0): 0.50, ("none", 1): 0.54, ("flip", 0): 0.53, ("flip", 1): 0.55, "cut": 0.7}
    fake.run_trials([Trial(name, RECIPE).with_seed(seed) for seed in (0, 1) for name in ("none", "flip")])
    fake.run_trials([Trial("cut", RECIPE)])
    none, flip, cut = fake.summarize("none")
    figures = {"deviation": np.std([0.50, 0.54], ddof=1), "least": 0.50, "most": 0.54, "spread": 0.04}
    assert none.pop("name") == "none"
    assert none == pytest.approx({"seeds": 2, "accuracy": 0.52, **figures, "gain": 0, "gain_deviation": 0})
    assert flip["gain"] == pytest.approx(0.02)
    assert flip["gain_deviation"] == pytest.approx(np.std([0.03, 0.01], ddof=1))
    assert cut["gain"] == pytest.approx(0.2) and cut["spread"] is cut["deviation"] is None and cut["seeds"] == 1
    assert fake.summarize("shift")[0]["gain"] is None


def test_a_real_mixed_training_ends_and_repeats_itself(tmp_path):
    trial = Trial("mix", dataclasses.replace(RECIPE, batch_size=20, mixup_alpha=0.2, cutmix_alpha=1.0))
    rows = []
    for name in ("a", "b"):
        study = TrialStudy(tmp_path / name, FACES, noise_faces(8, 16), {})
        study.run_trials([trial])
        rows += study.rows
        assert {path.name for path in study.folder.iterdir()} == {RESULT}, "no checkpoints of finished trials"
    assert rows[0]["loss"] == rows[1]["loss"] and np.isfinite(rows[0]["loss"])
    assert (rows[0]["recipe"]["mixup_alpha"], rows[0]["recipe"]["cutmix_alpha"]) == (0.2, 1.0)
