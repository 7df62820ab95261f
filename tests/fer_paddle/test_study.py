"""A study keeps what is done, makes what is missing, and refuses other settings and other data."""

import json
import signal
import subprocess
import sys
import time

import pytest

from fer_paddle.environment import REPOSITORY
from fer_paddle.study import Study, provenance
from fer_paddle.training.run import NonFiniteLoss

NAMES = [{"name": name} for name in "abc"]


def make_row(row):
    return {"accuracy": 0.1 * "abc".index(row["name"])}


def test_rows_are_made_once_and_kept_in_one_file(tmp_path):
    path, made = tmp_path / "new" / "study.json", []
    study = Study(path, {"sizes": (1, 2)}, provenance("python -m fer_paddle", data="x.npz", seed=3))
    assert study.run(NAMES[1:2], make_row) == [{"name": "b", "accuracy": 0.1}]
    again = Study(path, {"sizes": (1, 2)}, {"command": "another"})
    again.content["summary"] = "all"
    found = again.run(NAMES, lambda row: made.append(row["name"]) or make_row(row))
    assert made == ["a", "c"] and [row["name"] for row in found] == ["a", "b", "c"]
    content = json.loads(path.read_text())
    assert content["rows"] == [found[1], found[0], found[2]] and content["settings"] == {"sizes": [1, 2]}
    assert (content["command"], content["data"], content["seed"], content["summary"]) == ("another", "x.npz", 3, "all")
    assert {"machine", "python", "numpy"} <= content["versions"].keys() and len(content["date"]) == 10
    assert {file.name for file in path.parent.iterdir()} == {"study.json"}


def test_two_runs_do_not_mix(tmp_path):
    def make_another(row):
        Study(tmp_path / "study.json", {}).run(NAMES[1:], make_row)

    with pytest.raises(ValueError, match="expected no other run in"):
        Study(tmp_path / "study.json", {}).run(NAMES[:1], make_another)


def test_a_row_that_does_not_train_is_named_and_costs_no_other(tmp_path):
    def diverge(row):
        if row["name"] == "b":
            raise NonFiniteLoss("expected a finite loss, got nan")
        return make_row(row)

    with pytest.raises(NonFiniteLoss, match=r"got nan \(name b\)$"):
        Study(tmp_path / "study.json", {}).run(NAMES, diverge)
    assert [row["name"] for row in Study(tmp_path / "study.json", {}).rows] == ["a"]


def test_a_killed_study_goes_on(tmp_path):
    path = tmp_path / "study.json"
    script = (
        "import time; from fer_paddle.study import Study\n"
        f"study = Study({str(path)!r}, {{}})\n"
        "study.run([{'name': n} for n in 'abc'], lambda row: time.sleep(60 if row['name'] == 'c' else 0) or {})"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    end = time.monotonic() + 60
    while not (path.is_file() and len(json.loads(path.read_text())["rows"]) == 2) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = []
    Study(path, {}).run(NAMES, lambda row: made.append(row["name"]) or {})
    assert made == ["c"]


def test_other_settings_and_data_are_refused_with_both_values(tmp_path):
    path = tmp_path / "study.json"
    Study(path, {"recipe": {"epochs": 1}}, data={"train": "aa", "valid": "bb"}).run(NAMES[:1], make_row)
    with pytest.raises(ValueError, match=r"got others: recipe.epochs \(9, was 1\)$"):
        Study(path, {"recipe": {"epochs": 9}}, data={"train": "aa", "valid": "bb"})
    with pytest.raises(ValueError, match=r"got others: data.train \('cc', was 'aa'\) \(--data-changed"):
        Study(path, {"recipe": {"epochs": 1}}, data={"train": "cc", "valid": "bb"})
    study = Study(path, {"recipe": {"epochs": 1}}, data={"train": "cc", "valid": "bb"}, data_changed=True)
    assert len(study.run(NAMES, make_row)) == 3
    content = json.loads(path.read_text())
    assert content["data_digests"]["train"] == "cc" and content["former_data"] == [{"train": "aa", "valid": "bb"}]
    Study(path, {"recipe": {"epochs": 1}}, data={"train": "cc", "valid": "bb"})


@pytest.mark.parametrize("text", ["{}", "[]", "{", '{"rows": 5}', '{"settings": 1, "rows": []}'])
def test_other_files_are_refused_and_left_alone(text, tmp_path):
    path = tmp_path / "study.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="study.json"):
        Study(path, {})
    assert path.read_text() == text


@pytest.mark.parametrize("pattern", ["08_[!s]*", "08_sens*", "compare*", "distill*", "quantize*", "study*"])
def test_shipped_results_are_studies(pattern):
    paths = [*(REPOSITORY / "notebooks" / "results").glob(pattern)]
    assert paths
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        assert Study(path, content["settings"]).find(content["rows"][-1]) == content["rows"][-1:]
