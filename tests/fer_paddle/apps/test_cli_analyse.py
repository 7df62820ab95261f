"""The commands train, evaluate, explain and study distill as a person meets them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from fer_paddle.drawn import draw_scene
from fer_paddle.expression import predict as classifier
from fer_paddle.images import write_image
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.weights import load_card

WHOLE = classifier.WEIGHTS.with_suffix(".safetensors")
VGG8 = WHOLE.with_name("vgg8.fer2013.safetensors")


@pytest.mark.slow
def test_a_trained_run_is_whole(run, face_folders, tmp_path):
    """A person's own folder, from training by the shell to the first recognized image."""
    folder = tmp_path / "我的训练"
    command = [sys.executable, "-m", "fer_paddle", "train", "--data", face_folders, "--recipe", "tutorial", "--json"]
    command += ["--epochs", "2", "--size", "32", "--batch-size", "16", "--threads", "1", "--out", folder]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    history = json.loads(done.stdout)  # JSON alone, though Paddle2ONNX prints while it exports, from C++ too
    assert [record["epoch"] for record in history] == [1, 2]
    for name in ("last.json", "best.safetensors", "model.safetensors", "model.json", "model.onnx", "curves.png"):
        assert (folder / name).is_file(), name
    assert load_card(folder / "model.onnx")["recipe"]["batch_size"] == 16
    figures = [
        json.loads(run("evaluate", "--data", face_folders, "--weights", folder / name, "--json")[1])
        for name in ("model.safetensors", "model.onnx")
    ]
    assert figures[0]["confusion"] == figures[1]["confusion"]
    assert figures[0]["faces"] == 70 and [sum(row) for row in figures[0]["confusion"]] == [10] * 7
    assert list(figures[0]["recall"]) == list(EXPRESSIONS)
    write_image(tmp_path / "scene.png", draw_scene(3, 320, 240, num_faces=1, min_px=100).image)
    args = ["recognize", tmp_path / "scene.png", "--weights", folder / "model.onnx", "--out", tmp_path / "o"]
    assert run(*args)[0] == 0


@pytest.mark.slow
def test_tta_means_the_views_of_all_networks(run, face_folders):
    one = run("evaluate", "--data", face_folders, "--json", "--weights", WHOLE, "--tta", 1)
    both = run("evaluate", "--data", face_folders, "--json", "--weights", WHOLE, VGG8, "--tta", "flip", 1, 1.2)
    figures = [json.loads(out) for _, out, _ in (one, both)]
    assert [(found["faces"], found["views"]) for found in figures] == [(70, 1), (70, 8)]
    assert set(figures[0]["recall"]) == set(EXPRESSIONS)
    assert figures[0]["accuracy"] == pytest.approx(np.mean(list(figures[0]["recall"].values())))


@pytest.mark.slow
def test_explain_images_data_and_costs(run, face_folders, tmp_path):
    (tmp_path / "照片").mkdir()
    write_image(tmp_path / "照片" / "一张脸.jpg", draw_scene(3, 320, 240, num_faces=1, min_px=100).image)
    write_image(tmp_path / "照片" / "没有.png", np.full((64, 64, 3), 128, np.uint8))
    out = tmp_path / "out"
    args = [tmp_path / "照片", "--data", face_folders, "--costs", "--points", 20, "--out", out, "--json"]
    code, text, err = run("explain", *args)
    assert code == 0, err
    told = json.loads(text)
    assert {(row["faces"], "drawn" in row) for row in told["images"]} == {(1, True), (0, False)}
    assert (out / "一张脸.png").read_bytes().startswith(b"\x89PNG")
    names = {"confusion.png", "classes.png", "roc.png", "reliability.png", "embedding.png", "explained.json"}
    assert names | {"一张脸.png"} == {path.name for path in out.iterdir()}
    assert sum(cost["parameters"] for cost in told["costs"]) > 50_000


@pytest.mark.parametrize(("model", "names"), [("distresnet.ferplus", 7), ("mouth.smile", 2)])
def test_explain_data_by_the_classes_of_the_network(run, face_folders, tmp_path, model, names, monkeypatch):
    """FER+'s contempt is left out where no face is labeled so; a network of mouths gets mouths."""
    from fer_paddle.expression import explain as sheets

    drawn, data = [], face_folders
    monkeypatch.setattr(sheets, "plot_confusion", lambda confusion, names: drawn.append(tuple(names)) or Figure())
    if model == "mouth.smile":
        data = tmp_path / "mouths"
        for number, (label, gray) in enumerate([("neutral", 90), ("smile", 160)] * 12):
            (data / label).mkdir(parents=True, exist_ok=True)
            image = np.random.default_rng(number).integers(gray - 60, gray + 60, (48, 48), np.uint8)
            write_image(data / label / f"{number}.png", image)
    args = ["--weights", WHOLE.with_name(f"{model}.safetensors"), "--out", tmp_path / "out", "--points", 20]
    code, _, err = run("explain", "--data", data, *args)
    assert code == 0, err
    assert drawn == [{7: EXPRESSIONS, 2: ("neutral", "smile")}[names]]
    code, _, err = run("explain", "--data", face_folders / "happy", *args)
    assert code == 2 and err.startswith("error: ")


def test_calibrate_writes_only_when_told(run, face_folders, weights):
    before = weights.read_bytes()
    code, out, err = run("evaluate", "--calibrate", "--data", face_folders, "--weights", weights, "--json")
    assert code == 0, err
    assert json.loads(out)["temperature"] > 0 and weights.read_bytes() == before
    image = weights.with_name("校准.png")
    code, out, _ = run("calibrate", "--data", face_folders, "--weights", weights, "--write", "--out", image)
    assert code == 0 and "temperature" in out and image.is_file()
    assert load_card(weights)["calibration"]["data"] == str(face_folders) and weights.read_bytes() != before
    before = weights.read_bytes()
    code, out, _ = run("calibrate", "--data", face_folders, "--weights", weights, "--write")
    assert code == 0 and "is as good and stays" in out and weights.read_bytes() == before


def test_card_is_written_and_written_anew(run, face_folders, weights):
    code, _, err = run("evaluate", "--card", "--weights", weights, "--text-only")
    assert code == 2 and "measure them first" in err
    code, _, err = run("evaluate", "--card", "--weights", weights, "--data", face_folders)
    assert code == 0, err
    text = weights.with_suffix(".md").read_text(encoding="utf-8")
    assert "# Model card: net" in text and f"On {face_folders}" in text
    weights.with_suffix(".md").unlink()
    assert run("card", weights, "--text-only")[0] == 0
    assert weights.with_suffix(".md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("how", [["--card"], ["--card", "--text-only"], ["--calibrate", "--write"]])
def test_weights_in_a_folder_that_cannot_be_written_to_are_named_before_they_are_measured(
    how, run, weights, monkeypatch
):
    monkeypatch.setattr("fer_paddle.options.os.access", lambda place, mode: not mode & os.W_OK)
    code, _, err = run("evaluate", *how, "--weights", weights, "--data", "gone.npz")
    assert (code, err) == (1, f"error: expected a folder that can be written to, got {weights.parent}\n")


@pytest.mark.slow
def test_distill_a_tiny_study(run, face_folders, weights, tmp_path):
    args = ["--data", face_folders, "--teacher", weights.with_suffix(".safetensors"), "--epochs", 1, "--size", 24]
    args += ["--faces", 42, "--seeds", 0, "--student", "pocketnet", "--recipe", "tutorial", "--out", tmp_path / "study"]
    code, out, err = run("study", "distill", *args, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found == load_card(tmp_path / "study" / "result.json")
    assert [run["name"] for run in found["rows"]] == ["plain", "soft"] and found["settings"]["train_faces"] == 42
    code, out, _ = run("study", "distill", *args)  # nothing left to do
    assert code == 0 and "teacher: accuracy" in out and "±" not in out  # of one seed


@pytest.mark.slow
def test_tiny_studies_and_their_former_names(run, face_folders, tmp_path, monkeypatch):
    monkeypatch.setattr("fer_paddle.environment.prepare", lambda threads=None: None)  # Paddle is imported already
    args = ["--data", face_folders, "--faces", 35, "--valid-faces", 14, "--epochs", 1, "--json"]
    scale = ["--sizes", 24, "--model", "pocketnet", "--seeds", 1, "--out", tmp_path / "scale"]
    code, out, err = run("study", "scale", *args, *scale)
    assert code == 0, err
    (row,) = json.loads(out)["summary"]
    assert (row["name"], row["seeds"]) == ("24 px", 1) and row["mflops"] > 0
    assert run("study-scale", *args, *scale)[0] == 0  # nothing left to do
    compare = ["--models", "pocketnet", "--size", 24, "--runs", 2, "--out", tmp_path / "compare"]
    code, out, err = run("compare", *args, *compare)
    assert code == 0, err
    assert [row["name"] for row in json.loads(out)["rows"]] == ["pocketnet"]
    assert {"compare.json", "compare.png"} <= {path.name for path in (tmp_path / "compare").iterdir()}
