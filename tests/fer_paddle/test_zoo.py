"""The networks that ship, by name."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fer_paddle
from fer_paddle.apps.demo import astronaut
from fer_paddle.deployment.export import compare
from fer_paddle.deployment.runtimes import load_runner
from fer_paddle.deployment.runtimes.paddle import NetworkRunner
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.predict import Classifier
from fer_paddle.labels import EXPRESSIONS
from fer_paddle.landmarks.predict import Landmarker
from fer_paddle.pipeline import Pipeline
from fer_paddle.weights import find_weights
from fer_paddle.zoo import list_models, load_model, task_of
from yolo3tiny import Detector
from yolo3tiny.keypoint.predict import KeypointDetector


def weights_of(name):
    return find_weights(name).with_suffix(".safetensors")


def test_what_ships():
    models = {model.name: model for model in fer_paddle.list_models()}
    assert {
        "distresnet.fer2013",
        "distresnet.ferplus",
        "vgg8.fer2013",
        "mouth.smile",
        "yolo3lite.face",
        "yolo3tiny.face",
    } <= set(models)
    best = models["distresnet.fer2013"]
    assert (best.task, best.classes, best.input_size, best.parameters) == ("expression", EXPRESSIONS, 56, 403_767)
    assert (best.accuracy, models["yolo3tiny.face"].accuracy) == (0.66, 0.887)
    assert (models["yolo3tiny.face"].task, models["yolo3tiny.face"].input_size) == ("face detection", 544)
    assert (models["landmarks.68"].task, models["landmarks.68"].input_size) == ("landmarks", 80)
    assert models["landmarks.68"].file_kb < 2000 and models["landmarks_int8.68"].file_kb < 700
    assert [model.name for model in list_models("vgg8*")] == [
        *("vgg8.fer2013", "vgg8.fer2013_seed2", "vgg8.photos", "vgg8_flat.fer2013", "vgg8_flat.photos"),
        "vgg8_flat_int8.photos",
    ]


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_a_file_tells_its_task(suffix, tmp_path):
    files = [one for one in list_models() if find_weights(one.name).with_suffix(suffix).is_file()]
    for one in files:
        assert task_of(find_weights(one.name).with_suffix(suffix)) == one.task.replace("mouth", "expression")
    with pytest.raises(FileNotFoundError):
        task_of(tmp_path / f"none{suffix}")


def test_any_task_by_name():
    assert ExpressionModel.load("mouth.smile").input_size == 56
    assert load_model("mouth.smile").classes == ("neutral", "smile")
    assert load_model("landmarks.68").settings == Landmarker("landmarks.68").settings
    assert load_model("yolo3tiny.face").settings == Detector("yolo3tiny.face").settings
    assert load_model("keypoint.belt").metadata["task"] == list_models("keypoint*")[0].task == "keypoint"
    assert find_weights("yolo3tiny_int8.face").name == "yolo3tiny_int8.face.onnx"


@pytest.mark.parametrize("name", [one.name for one in list_models() if weights_of(one.name).is_file()])
def test_weights_compute_on_any_paddle_what_their_onnx_file_does(name):
    """Paddle 2.6.2 has written the ONNX files: figures measured with one Paddle hold with the others."""
    model = load_model(name)
    (shape,) = model.input_spec.values()
    images = np.random.default_rng(0).random((2, shape[1], *(side or 96 for side in shape[2:])), np.float32)
    runner = load_runner(find_weights(name))
    parity = compare(runner, NetworkRunner(model.network, {}), images, (f"{name}.onnx", "Paddle"), "noise")
    assert parity.holds, parity


@pytest.mark.parametrize(
    "task, name",
    [
        (Classifier, "vgg8_flat.photos"),
        (Detector, "yolo3lite.face"),
        (Landmarker, "landmarks.68"),
        (KeypointDetector, "keypoint.belt"),
    ],
)
def test_a_file_runs_in_the_runtime_it_was_made_for(task, name):
    loaded = task(weights_of(name))
    assert isinstance(getattr(loaded, "forward", None) or loaded.runner, NetworkRunner)


BOXES = np.array([[174, 52, 267, 171]])
# What a user calls, and how it is asked about one image: all take and refuse the same.
TASKS = {
    Classifier: lambda network, image: network([image]),
    Detector: lambda network, image: network(image, 0.1).boxes_xyxy,
    Landmarker: lambda network, image: network(image, BOXES),
    KeypointDetector: lambda network, image: network(image, 0.1).centers,
    Pipeline: lambda network, image: np.array([face.box_xyxy for face in network(image, 0.1)]),
}
NETWORKS = [one for one in TASKS if one is not Pipeline]
OF_TASK = {Classifier: "expression", Detector: "face detection", Landmarker: "landmarks", KeypointDetector: "keypoint"}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_name_of_no_network_or_of_another_task_is_answered_by_the_names_of_the_task(kind):
    tasks = {one.name: one.task.replace("mouth", "expression") for one in list_models()}
    answers = {name: f"{name}, a network of {task}" for name, task in tasks.items() if task != OF_TASK[kind]}
    for name, got in ({"nope": "nope"} | answers).items():
        with pytest.raises(ValueError, match=f"or a network such as .*, got {got}$") as caught:
            kind(name)
        offered = str(caught.value).partition("such as ")[2].partition(", got")[0].split(", ")
        assert {tasks[one] for one in offered} == {OF_TASK[kind]}


@pytest.fixture(scope="module", params=TASKS, ids=lambda kind: kind.__name__)
def asked(request):
    """One network or the pipeline, and the function that asks it."""
    return request.param(), TASKS[request.param]


@pytest.fixture(scope="module")
def image():
    return astronaut()


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("make", "same_as"),
    [
        (lambda image: image[::2, ::-1], lambda image: image[::2, ::-1].copy()),
        (np.asfortranarray, np.copy),
        (read_only, np.copy),
        (lambda image: image[..., 1], lambda image: np.dstack([image[..., 1]] * 3)),
    ],
    ids=["view", "fortran", "read-only", "gray"],
)
def test_all_tasks_take_any_view_of_an_image(asked, image, make, same_as):
    network, ask = asked
    given = make(image)
    before = given.copy()
    np.testing.assert_allclose(ask(network, given), ask(network, same_as(image)), atol=0.02)
    np.testing.assert_array_equal(given, before)


@pytest.mark.parametrize(
    "wrong",
    [
        *(lambda image, kind=kind: image.astype(kind) for kind in (np.float32, np.float64, np.uint16, bool)),
        lambda image: image[..., None, 0],
        lambda image: image[..., [0, 1, 2, 0]],
        lambda image: image.transpose(2, 0, 1),
        lambda image: image[None],
        lambda image: image[:0],
        lambda image: image.tolist(),
        lambda image: None,
        lambda image: np.uint8(3),
    ],
)
def test_all_tasks_refuse_what_is_no_image(asked, image, wrong):
    network, ask = asked
    with pytest.raises(ValueError, match="^expected a(n array| uint8 image)[^\n]*, got [^\n]*$"):
        ask(network, wrong(image))


@pytest.mark.parametrize("wrong", [None, "face.png", b"", {}, lambda image: image[..., [0, 1, 2, 0]], np.copy])
def test_one_image_is_no_list_of_crops(image, wrong):
    with pytest.raises(ValueError, match="^expected a list of crops, got "):
        Classifier()(wrong(image) if callable(wrong) else wrong)


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ([[267, 171, 174, 52]], "x1 < x2"),
        ([[174, 52, -10, 20]], "x1 < x2"),
        ([[np.nan] * 4], "x1 < x2"),
        ([[600, 600, 700, 700]], "meets the 512 x 512 image"),
        ([174, 52, 267, 171], r"\[N, 4\], got \[4\]"),
        (np.zeros((4, 3)), r"\[N, 4\], got \[4, 3\]"),
        ([["a", "b", "c", "d"]], r"\[N, 4\], got list"),
        ([[1, 2], [3]], r"\[N, 4\], got list"),
        ({}, r"\[N, 4\], got dict"),
    ],
)
def test_wrong_boxes_are_refused(image, boxes, says):
    with pytest.raises(ValueError, match=f"^expected .*{says}"):
        Landmarker()(image, boxes)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf, "0.5", [0.5], True])
@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        *((kind, "min_score") for kind in (Detector, KeypointDetector, Pipeline)),
        (Detector, "nms_iou"),
        (Pipeline, "min_face"),
    ],
)
def test_settings_out_of_range_are_refused(image, kind, setting, value):
    if (setting, value) == ("min_face", 1.1):
        return  # in pixels
    with pytest.raises(ValueError, match=f"^expected (iou_threshold|{setting}) (in|of) .*, got "):
        kind()(image, **{setting: value})


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    "wrong",
    [
        *({"weights": value} for value in ("", "none", b"vgg8.photos", 3, [], "a\0b", "none.onnx")),
        *({"threads": value} for value in (-1, 1.5, "2", None, True, 10**6)),
        {"runtime": "none"},
    ],
    ids=str,
)
def test_all_tasks_refuse_wrong_files_and_threads(kind, wrong):
    with pytest.raises((ValueError, FileNotFoundError), match="^expected [^\n]*$"):
        kind(**wrong)


def test_all_tasks_are_shared_by_threads_and_sent_to_processes(asked, image):
    network, ask = asked
    answer = ask(network, image)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(network, image), range(8)))
    sent = copy.deepcopy(network), pickle.loads(pickle.dumps(network))
    for other in (*answers, *(ask(one, image) for one in sent)):
        np.testing.assert_array_equal(other, answer)
