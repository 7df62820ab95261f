"""The kinds of arguments of both command lines, and what a pruning shall save."""

import argparse

import pytest

from fer_paddle.arguments import add_prune_arguments, count, count_or_none, part, share
from fer_paddle.compression.prune_study import read_settings


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(share, "0", 0.0), (share, "1", 1.0), (part, "1e-3", 0.001), (count, "1", 1), (count_or_none, "0", 0)],
)
def test_values_in_range(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (share, "1.01", "a number from 0 to 1, got '1.01'"),
        (share, "nan", "a number from 0 to 1, got 'nan'"),
        (share, "half", "a number from 0 to 1, got 'half'"),
        (part, "0", "a number above 0 and at most 1, got '0'"),
        (part, "", "a number above 0 and at most 1, got ''"),
        (count, "0", "a whole number of at least 1, got '0'"),
        (count, "1.5", "a whole number of at least 1, got '1.5'"),
        (count_or_none, "-1", "a whole number of at least 0, got '-1'"),
    ],
)
def test_values_out_of_range(kind, text, expected):
    with pytest.raises(argparse.ArgumentTypeError, match=f"^expected {expected}$"):
        kind(text)


@pytest.fixture
def parser():
    made = argparse.ArgumentParser()
    add_prune_arguments(made, flops=(0.7, 0.5), epochs=6, learning_rate=1e-3)
    return made


@pytest.mark.parametrize(
    ("typed", "cost", "shares"),
    [
        ([], "flops", (0.7, 0.5)),
        (["--flops", "0.4"], "flops", (0.4,)),
        (["--parameters", "0.5", "0.25"], "parameters", (0.5, 0.25)),
        (["--activations", "0.5"], "activations", (0.5,)),
    ],
)
def test_what_pruning_saves(typed, cost, shares, parser):
    settings = read_settings(vars(parser.parse_args(["--out", "new", *typed])))
    assert (settings.cost, settings.ratios, settings.criterion) == (cost, shares, "l1")


def test_two_costs_at_once_are_refused(parser, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(["--out", "new", "--flops", "0.5", "--activations", "0.5"])
    assert "not allowed with argument --flops" in capsys.readouterr().err
