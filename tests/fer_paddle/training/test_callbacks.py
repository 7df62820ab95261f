"""What shows a run: lines or a bar, the curves, the VisualDL log; and nothing twice after a resume."""

import io
import json
import signal

import pytest

from fer_paddle.training.callbacks import Curves, ProgressBar, VisualDL, draw_curves
from fer_paddle.training.loop import Interrupted
from tests.fer_paddle.training import tiny_run


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_log_file_a_line_now_and_then_and_for_each_epoch(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    streams = [io.StringIO(), io.StringIO()]
    bars = [ProgressBar(stream, line_seconds) for stream, line_seconds in zip(streams, (60.0, 0.0))]
    _, _, history = tiny_run.train(None, extra=bars)
    plain, chatty = (stream.getvalue().splitlines() for stream in streams)
    assert len(plain) == len(history) == 3 and "\r" not in streams[0].getvalue()
    for line, record in zip(plain, history):
        assert line.startswith(f"epoch {record['epoch']}: learning_rate")
        assert all(f"{name} {record[name]:.4g}" in line for name in ("train_loss", "valid_accuracy"))
    assert [line for line in chatty if ": learning_rate" in line] == plain
    steps = [line for line in chatty if ": learning_rate" not in line]
    for number, line in enumerate(steps, start=1):
        assert line.startswith(f"epoch {(number + 4) // 5}/3:") and f" {number}/15 [" in line
        assert all(name in line for name in ("loss=", "accuracy=", "images/s=", "<"))  # "<": time left


def test_on_a_terminal_one_bar_which_a_resumed_run_continues(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    with pytest.raises(Interrupted):
        tiny_run.train(tmp_path, extra=[tiny_run.SignalAt(signal.SIGINT, 1, 2)])
    stream = Terminal()
    tiny_run.train(tmp_path, resume=True, extra=[ProgressBar(stream)])
    text = stream.getvalue()
    assert "\r" in text and text.count("epoch 2: learning_rate") == 1 and " 7/15 [" in text and " 2/15 [" not in text
    last = text.rstrip().rpartition("\r")[2]
    assert "epoch 3/3: 100%" in last and " 15/15 [" in last and "images/s=" in last


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
def test_of_several_processes_the_first_alone_writes(rank, lines, tmp_path, monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINER_ID", rank)
    stream = io.StringIO()
    folder = tmp_path / "out"
    tiny_run.train(None, extra=[ProgressBar(stream), Curves(folder), VisualDL(folder)], epochs=1)
    assert len(stream.getvalue().splitlines()) == lines
    assert folder.exists() == bool(lines)


def test_curves_are_drawn_from_points_and_history(tmp_path):
    _, _, history = tiny_run.train(None, extra=[Curves(tmp_path / "new", every=2)])
    points = json.loads((tmp_path / "new" / "curves.json").read_text())["points"]
    assert [step for step, *_ in points] == [2, 4, 6, 8, 10, 12, 14]
    assert points[4][1:] == [history[1]["train_loss"], history[1]["train_accuracy"]]  # step 10 ends the second epoch
    loss, accuracy = draw_curves(points, history, tiny_run.STEPS).axes
    for axis, name, column in ((loss, "loss", 1), (accuracy, "accuracy", 2)):
        training, validation = axis.lines
        assert training.get_xdata().tolist() == [2, 4, 6, 8, 10, 12, 14]
        assert training.get_ydata().tolist() == [point[column] for point in points]
        assert list(validation.get_xdata()) == [5, 10, 15]
        assert validation.get_ydata().tolist() == [record[f"valid_{name}"] for record in history]
        assert axis.get_title() == name


def read_scalars(folder):
    """{tag: [(step, value), ...]} as the VisualDL page reads it."""
    from visualdl import LogReader

    (path,) = folder.iterdir()
    data = LogReader(file_path=str(path))
    tags = data.get_tags()["scalar"]
    return {tag.replace("%", "/"): [(one.id, one.value) for one in data.get_data("scalar", tag)] for tag in tags}


def test_visualdl_has_every_figure_once_though_resumed(tmp_path, capsys):
    with pytest.raises(Interrupted):
        log = VisualDL(tmp_path / "log", every=2)
        tiny_run.train(tmp_path / "run", extra=[log, tiny_run.SignalAt(signal.SIGINT, 1, 3)])
    log = VisualDL(tmp_path / "log", every=2)
    _, _, history = tiny_run.train(tmp_path / "run", resume=True, extra=[log])
    scalars = read_scalars(tmp_path / "log")
    assert [step for step, _ in scalars["step/loss"]] == [2, 4, 6, 8, 10, 12, 14]
    for name in history[0]:
        expected = [(record["epoch"], pytest.approx(record[name], rel=1e-6)) for record in history]
        assert scalars[f"epoch/{name}"] == expected
    assert "vdlrecords" not in capsys.readouterr().out  # stdout is for results
