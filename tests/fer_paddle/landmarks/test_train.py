"""A network of each read-out learns; its weights, card and ONNX file give the same points; bad faces have an answer."""

import dataclasses

import numpy as np
import pytest

from fer_paddle.apps.landmarks import load_detected
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.files import file_digest, read_json
from fer_paddle.landmarks.data.faces import save_faces
from fer_paddle.landmarks.evaluate import evaluate, predict_faces
from fer_paddle.landmarks.export import export_run
from fer_paddle.landmarks.files import LandmarkModel
from fer_paddle.landmarks.metrics import nme
from fer_paddle.landmarks.model import LandmarkNetwork, pool_to
from fer_paddle.landmarks.predict import DEFAULT, Landmarker, LandmarkSettings
from fer_paddle.landmarks.quantize import quantize_landmarks
from fer_paddle.landmarks.recipes import POINTS68, LandmarkRecipe
from fer_paddle.landmarks.train import load_train_valid, study_losses, train_from_files, train_landmarks
from fer_paddle.study import Study
from fer_paddle.training.augment import AugmentConfig
from fer_paddle.training.loop import RunOptions
from fer_paddle.weights import find_weights

TINY = dataclasses.replace(
    POINTS68,
    epochs=12,
    batch_size=8,
    sizes=((0, 32),),
    arguments=(("channels", (8, 8, 16, 16)), ("width", 1.0), ("blocks", (0, 1, 1, 1)), ("stem_stride", 2)),
    repeat=(),
    ema_decay=None,
    augment=AugmentConfig(flip=0.5, shift=0.05),
)


@pytest.fixture(scope="module")
def trained(drawn, tmp_path_factory):
    """The folder and history of a short training with both heads, and the exported model's path."""
    folder = tmp_path_factory.mktemp("run")
    seed_everything(0)
    history = train_landmarks(TINY.build(), drawn, drawn.take(np.arange(8)), TINY, RunOptions(folder))
    export_run(folder, folder / "model.safetensors", "drawn faces")
    return folder, history


def test_training_lessens_the_error(trained):
    history = trained[1]
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]
    assert {"valid_nme", "valid_nme_drawn", "valid_failures", "train_loss_regression"} <= history[-1].keys()


def test_losses_are_compared_seed_by_seed(drawn, tmp_path):
    recipe, path = dataclasses.replace(TINY, epochs=1, read_out="regression"), tmp_path / "losses.json"
    valid, seeds = drawn.take(np.arange(8)), (0, 1)
    summary = study_losses(Study(path, {}), drawn, valid, recipe, ("l2", "wing"), seeds)
    errors = {(row["loss"], row["seed"]): row["valid_nme"] for row in read_json(path, "the study")["rows"]}
    gains = [errors["l2", seed] - errors["wing", seed] for seed in seeds]
    assert len(set(errors.values())) == 4 and summary[0]["gain"] == summary[0]["gain_deviation"] == 0
    assert (summary[1]["gain"], summary[1]["gain_deviation"]) == pytest.approx((np.mean(gains), np.std(gains, ddof=1)))
    assert study_losses(Study(path, {}), drawn, valid, recipe, ("l2", "wing"), seeds) == summary  # nothing left to do


def test_paddle_and_onnx_give_the_same_points(trained, drawn):
    folder = trained[0]
    boxes = drawn.boxes_xyxy[:1]
    found = [Landmarker(folder / f"model{suffix}")(drawn.images[0], boxes) for suffix in (".onnx", ".safetensors")]
    np.testing.assert_allclose(*found, atol=1e-3)
    model = LandmarkModel.load(folder / "model.safetensors")
    assert model.settings == LandmarkSettings(32, POINTS68.margin)
    assert LandmarkRecipe.from_json(model.card["recipe"]) == TINY


def test_a_training_goes_on_from_a_network_by_name_and_takes_each_pack_once(drawn, tmp_path, monkeypatch):
    save_faces(tmp_path / "a.npz", drawn)
    monkeypatch.setattr("fer_paddle.landmarks.train.fit", lambda network, *_, task, **more: task)
    recipe = dataclasses.replace(POINTS68, batch_size=2)
    task = train_from_files([tmp_path / "a.npz"], recipe, tmp_path / "run", start=DEFAULT)
    assert task["start_digest"] == file_digest(find_weights(DEFAULT, suffix=".safetensors"))
    with pytest.raises(ValueError, match="each data set once"):
        train_from_files([tmp_path / "a.npz", tmp_path / "." / "a.npz"], recipe, tmp_path / "run")


SPLITS = [  # of two files: those of the faces that are trained and measured on
    ((["train"] * 12, ["train"] * 11 + ["test"]), 19, 4),  # own .pts files, WFLW's lists: every tenth is held out
    ((["train"] * 12, ["train"] * 6 + ["val"] * 6), 18, 6),
    ((["test"] * 12, ["test"] * 12), None, 0),
]


@pytest.mark.parametrize(("splits", "trained_on", "measured_on"), SPLITS)
def test_faces_without_a_split_val_hold_out_every_tenth(splits, trained_on, measured_on, drawn, tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path, split in zip(paths, splits):
        save_faces(path, dataclasses.replace(drawn.take(np.arange(12)), split=np.array(split)))
    if trained_on is None:
        with pytest.raises(ValueError, match="expected faces of the splits train and val, got 0 and 0"):
            load_train_valid(paths)
        return
    assert tuple(map(len, load_train_valid(paths))) == (trained_on, measured_on)
    assert len(load_detected(str(paths[0]), "val")) == 2


def test_int8_is_smaller_and_finds_nearly_the_same_points(trained, drawn):
    source, path = trained[0] / "model.onnx", trained[0] / "int8.onnx"
    card = quantize_landmarks(source, path, drawn, "drawn faces", images=16)
    assert card["quantization"]["calibration_images"] == 16 and card["quantization"]["share"] < 0.7
    found = [Landmarker(file)(drawn.images[0], drawn.boxes_xyxy[:1]) for file in (source, path)]
    assert np.abs(found[0] - found[1]).mean() < 2


def test_evaluate_counts_faces_and_sources(trained, drawn):
    figures = evaluate(Landmarker(trained[0] / "model.onnx"), drawn)
    assert (figures["faces"], figures["detected"], list(figures["by_source"])) == (24, 0, ["drawn"])
    assert figures["by_source"]["drawn"]["nme"] == pytest.approx(figures["nme"]["inter_ocular"])
    assert figures["nme"]["inter_pupil"] > figures["nme"]["inter_ocular"] > 0
    with pytest.raises(ValueError, match="at least one face"):
        evaluate(lambda image, boxes: boxes, drawn.take(np.array([], int)))


# box in an image of 128 px: all have an answer of finite points near their box
FACES = {
    "12 px": (40, 40, 52, 52),
    "1 px": (40, 40, 41, 41),
    "cut by the left border": (-40, 20, 60, 120),
    "cut by a corner": (90, 90, 190, 190),
    "larger than the image": (-100, -100, 300, 300),
    "flat": (10, 60, 110, 62),
}


@pytest.mark.parametrize("name", FACES)
def test_a_hard_face_has_finite_points(name, trained, drawn):
    box = np.array([FACES[name]], np.float32)
    for image in (drawn.images[0], np.zeros((128, 128), np.uint8)):
        points = Landmarker(trained[0] / "model.onnx")(image, box)
        assert points.shape == (1, 68, 2) and np.isfinite(points).all()
        side = (box[0, 2:] - box[0, :2]).max()
        assert np.abs(points[0].mean(0) - (box[0, :2] + box[0, 2:]) / 2).max() < side


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 10), (200, 200, 300, 300), (0, 0, np.nan, 10), (10, 10, 5, 5), (np.inf, 0, np.inf, 10)]
)
def test_a_box_that_is_none_is_refused(box, trained, drawn):
    with pytest.raises(ValueError, match="expected"):
        Landmarker(trained[0] / "model.onnx")(drawn.images[0], np.array([box]))


@pytest.mark.parametrize("read_out", ["regression", "heatmap", "both"])
@pytest.mark.parametrize(
    ("backbone", "arguments"),
    [("resnet18", {"width": 0.125, "stem_stride": 2}), ("distresnet", {}), ("vgg8", {"width": 0.2})],
)
def test_heads_stand_on_any_backbone(backbone, arguments, read_out):
    network = LandmarkNetwork(backbone, arguments, 64, read_out)
    images = paddle.zeros([2, 1, 64, 64])
    found = network(images)
    heads = {"regression", "heatmap"} if read_out == "both" else {read_out}
    assert set(found) == heads | ({"maps"} if "heatmap" in heads else set())
    network.eval()
    assert network(images).shape == [2, 68, 2]
    with pytest.raises(ValueError, match="expected a read-out of regression, heatmap, both, got 'mean'"):
        LandmarkNetwork(backbone, arguments, 64, "mean")


@pytest.mark.parametrize(("side", "grid"), [(12, 6), (10, 3), (5, 3), (3, 5), (7, 4)])
def test_pooling_to_a_grid_is_that_of_paddle(side, grid):
    maps = paddle.randn([2, 3, side, side])
    wanted = paddle.nn.functional.adaptive_avg_pool2d(maps, grid)
    np.testing.assert_allclose(pool_to(maps, grid).numpy(), wanted.numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ["landmarks.68", "landmarks_int8.68"])
def test_what_ships_finds_the_points_of_drawn_faces(name, drawn):
    landmarker = Landmarker(name)
    errors = nme(predict_faces(landmarker, drawn), drawn.points)
    assert np.median(errors) < 0.08  # 0.052, though it was trained on photos
