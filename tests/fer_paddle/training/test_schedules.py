"""Schedules: their rates against the formula."""

import numpy as np
import pytest

from fer_paddle.training.optim import SCHEDULES, make_schedule

PEAK, STEPS = 0.1, 20


def rates(schedule, steps=STEPS):
    if isinstance(schedule, float):
        return np.full(steps, schedule)
    found = []
    for _ in range(steps):
        found.append(schedule())
        schedule.step()
    return np.array(found)


t = np.arange(STEPS)
EXPECTED = [
    ("constant", (), {}, np.full(STEPS, PEAK)),
    ("step", (6,), {"factor": 0.1}, PEAK * 0.1 ** (t // 6)),
    ("halve", (5,), {}, PEAK * 0.5 ** (t // 5)),
    ("multi_step", (4, 10), {"factor": 0.2}, PEAK * 0.2 ** ((t >= 4).astype(int) + (t >= 10))),
    ("cosine", (), {}, PEAK * (1 + np.cos(np.pi * t / STEPS)) / 2),
    # With a warm-up of 4 steps: halving counts from its end, milestones from the run's first step.
    ("halve", (5,), {"warmup_steps": 4}, np.where(t < 4, PEAK * t / 4, PEAK * 0.5 ** ((t - 4) // 5))),
    ("multi_step", (10,), {"warmup_steps": 4}, np.where(t < 4, PEAK * t / 4, PEAK * 0.1 ** (t >= 10))),
    ("cosine", (), {"warmup_steps": 4}, np.where(t < 4, PEAK * t / 4, PEAK * (1 + np.cos(np.pi * (t - 4) / 16)) / 2)),
]


@pytest.mark.parametrize(("name", "points", "more", "expected"), EXPECTED)
def test_rates_are_the_formula(name, points, more, expected):
    np.testing.assert_allclose(rates(make_schedule(name, PEAK, STEPS, points, **more)), expected, rtol=1e-6, atol=1e-9)


def test_one_cycle_rises_and_falls():
    found = rates(make_schedule("one_cycle", PEAK, 100), 100)
    peak = int(found.argmax())
    assert peak == pytest.approx(30, abs=1) and found[peak] == pytest.approx(PEAK, rel=1e-3)
    assert found[0] == pytest.approx(PEAK / 25) and found[-1] == pytest.approx(PEAK / 10_000)
    assert (np.diff(found[: peak + 1]) > 0).all() and (np.diff(found[peak:]) < 0).all()


def test_a_plateau_lowers_the_rate_after_so_many_epochs_without_progress():
    schedule = make_schedule("plateau", PEAK, STEPS, (2,), factor=0.5, mode="max")
    found = []
    for accuracy in (0.3, 0.5, 0.5, 0.4, 0.5, 0.6, 0.6):  # three epochs no better than 0.5
        schedule.step(accuracy)
        found.append(schedule())
    assert found == [PEAK, PEAK, PEAK, PEAK, PEAK / 2, PEAK / 2, PEAK / 2]


@pytest.mark.parametrize(
    ("name", "points", "more", "says"),
    [
        ("linear", (), {}, f"expected a schedule of {', '.join(SCHEDULES)}, got 'linear'"),
        ("step", (), {}, "expected 1 points above 0 for the schedule step, got \\[\\]"),
        ("cosine", (5,), {}, "expected 0 points above 0 for the schedule cosine"),
        ("multi_step", (9, 3), {}, "expected one or more rising points"),
        ("step", (5,), {"factor": 1.0}, "expected a factor between 0 and 1, got 1.0"),
        ("step", (2.5,), {}, "expected an integer as a number of steps, got 2.5"),
        ("cosine", (), {"warmup_steps": -3}, "expected a number of steps of 0 or more, got -3"),
        ("one_cycle", (), {"warmup_steps": 3}, "expected no warm-up for the schedule one_cycle"),
    ],
)
def test_what_fits_no_schedule(name, points, more, says):
    with pytest.raises(ValueError, match=says):
        make_schedule(name, PEAK, STEPS, points, **more)
