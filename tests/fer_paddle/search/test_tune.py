"""Optuna: median pruning, several processes on one study, and a study that was killed."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import optuna
import pytest

from fer_paddle.environment import REPOSITORY
from fer_paddle.search.tune import MOST_RETRIES, Pruning, count_finished, open_study, tune
from fer_paddle.training.loop import NonFiniteLoss

# A process that works on the study of a file until 8 trials ended; number 0 is killed in its first.
WORKER = """
import os, signal, sys, time
from pathlib import Path
from fer_paddle.search import tune

tune.HEARTBEAT_SECONDS = 1

def objective(trial):
    x = trial.suggest_float("x", -1, 1)
    time.sleep(1 if sys.argv[2] == "0" else 0.1)  # the former leaves a heartbeat
    if sys.argv[2] == "0":
        os.kill(os.getpid(), signal.SIGKILL)
    return -x * x

tune.tune(tune.open_study(Path(sys.argv[1]), seed=0, worker=int(sys.argv[2])), objective, 8)
"""


def start(path, worker):
    return subprocess.Popen([sys.executable, "-c", WORKER, str(path), str(worker)], cwd=REPOSITORY)


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_lose_no_trial(tmp_path):
    path = tmp_path / "tune.db"
    assert start(path, 0).wait(120) == -signal.SIGKILL
    (lost,) = open_study(path).trials
    assert lost.state == optuna.trial.TrialState.RUNNING
    workers = [start(path, number) for number in (1, 2)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    study = open_study(path)
    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    assert 8 <= len(complete) <= 9 and count_finished(study) == len(complete)  # each may finish the one it has
    assert lost.params in [trial.params for trial in complete]
    assert study.trials[lost.number].state == optuna.trial.TrialState.FAIL
    assert not study.get_trials(states=[optuna.trial.TrialState.RUNNING])
    # Both workers may have seen it die and try it again; no other is drawn twice.
    assert len({trial.params["x"] for trial in complete} - {lost.params["x"]}) >= len(complete) - 2


def test_a_trial_that_ends_each_process_is_given_up(tmp_path):
    study = open_study(tmp_path / "tune.db")
    study.enqueue_trial({"x": 0.5})
    for _ in range(5):
        study._storage.get_heartbeat_stale_trial_callback()(study, study.trials[-1])
    assert len(study.trials) == 1 + MOST_RETRIES


def test_a_study_goes_on_in_another_process_with_other_draws(tmp_path):
    path = tmp_path / "tune.db"
    for trials in (2, 4):
        tune(open_study(path, seed=1), lambda trial: trial.suggest_float("x", 0, 1), trials)
    values = [trial.value for trial in open_study(path).trials]
    assert len(values) == 4 == len(set(values))
    tune(open_study(path), lambda trial: pytest.fail("tried again"), 4)
    tune(open_study(path), lambda trial: pytest.fail("no time"), 9, go_on=lambda: False)


def test_a_trial_whose_loss_is_not_finite_counts_and_the_next_begins():
    def objective(trial):
        if trial.number < 2:
            raise NonFiniteLoss("expected a finite loss, got loss nan")
        return 0.5

    study = open_study(None)
    tune(study, objective, 3)
    assert count_finished(study) == len(study.trials) == 3 and study.best_value == 0.5


def test_a_trial_below_the_median_is_stopped_and_counts_as_finished():
    study, epochs = open_study(None, startup=3, warm_up=1), {}

    def objective(trial):
        level = (0.5, 0.6, 0.7, 0.1, 0.8)[trial.number]
        run, callback = SimpleNamespace(history=[], epoch=0), Pruning(trial)
        for run.epoch in range(1, 5):
            run.history.append({"valid_accuracy": level + 0.01 * run.epoch})
            epochs[trial.number] = run.epoch
            callback.on_epoch_end(run)
        return level

    tune(study, objective, 5)
    assert epochs == {0: 4, 1: 4, 2: 4, 3: 2, 4: 4} and count_finished(study) == 5
    assert study.best_value == 0.8
