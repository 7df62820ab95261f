"""Hyper-parameters by Optuna: a study in an SQLite file that several processes work on and that survives SIGKILL.

Source: Akiba et al. 2019, arXiv:1907.10902; Bergstra et al. 2011 (TPE); Golovin et al. 2017 (median stopping).
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import optuna
from sqlalchemy.exc import DatabaseError

from fer_paddle.training.loop import Callback, NonFiniteLoss, Run

HEARTBEAT_SECONDS = 2  # a trial that is silent for twice as long has lost its process
MOST_RETRIES = 2
FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


def open_study(path: Path | None, seed: int = 0, worker: int = 0, startup: int = 4, warm_up: int = 0) -> optuna.Study:
    """Open the study of a file, new where there is none; its objective is larger for a better trial.

    A trial whose process died is tried again, by whoever works on the study next, some seconds after; MOST_RETRIES
    times, for it may be what the process dies of.

    Args:
        path: The SQLite file; None keeps the study in memory.
        seed: Of the sampler, which is no part of the file.
        worker: Number of this process, so that two do not draw the same.
        startup: Trials drawn at random before TPE, and finished before the median stops any.
        warm_up: Epochs that no trial is stopped in.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    storage = None
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            try:
                storage = optuna.storages.RDBStorage(
                    f"sqlite:///{path}",
                    engine_kwargs={"connect_args": {"timeout": 60}},  # seconds that one process waits for another
                    heartbeat_interval=HEARTBEAT_SECONDS,
                    grace_period=2 * HEARTBEAT_SECONDS,
                    heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(MOST_RETRIES),
                )
            except DatabaseError as error:
                raise ValueError(f"expected an Optuna study in {path}, got another file: {error.orig}") from error
    pruner = optuna.pruners.MedianPruner(startup, warm_up + 1)  # epochs count from 1
    study = optuna.create_study(
        storage=storage, study_name="tuning", direction="maximize", pruner=pruner, load_if_exists=True
    )
    # Drawn numbers are not kept: a reopened study would draw those of its first trials again.
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=startup, seed=seed + 1009 * worker + 9176 * len(study.trials)
    )
    return study


def tune(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    trials: int,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Run trials until the study has so many that ended, pruned ones and those of other processes and runs included.

    `objective` maps a trial to a figure that is larger for a better one; `go_on` is asked before each.
    """
    if study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        time.sleep(3 * HEARTBEAT_SECONDS)  # of another process, or of one that was killed just now

    def attempt(trial: optuna.Trial) -> float:
        try:
            return objective(trial)
        except NonFiniteLoss as error:  # such as one of a rate that is too high
            raise optuna.TrialPruned(str(error)) from error

    while count_finished(study) < trials and go_on():
        study.optimize(attempt, n_trials=1)


def count_finished(study: optuna.Study) -> int:
    """Return the trials that ended, pruned ones included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


class Pruning(Callback):
    """Report a figure after each epoch, and end the training of a trial that does worse than the median of others.

    It raises optuna.TrialPruned, which `tune` expects.
    """

    def __init__(self, trial: optuna.Trial, monitor: str = "valid_accuracy"):
        self.trial, self.monitor = trial, monitor

    def on_epoch_end(self, run: Run) -> None:
        self.trial.report(run.history[-1][self.monitor], run.epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned(f"after {run.epoch} epochs")
