"""Distillation: the loss by hand and by scipy, what is trained and saved, and the study that can be stopped."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from fer_paddle.compression.distill import Answers, DistillLoss, DistillSettings, Student, Teacher, soft_divergence
from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.curve_cases import CASES, run_case
from fer_paddle.expression.distill import (
    DistillPlan,
    DistillStudy,
    distill_expressions,
    load_teacher,
    measure_teacher,
    run_study,
)
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.losses import ExpressionLoss
from fer_paddle.expression.recipes import FINE_TUNE, Recipe
from fer_paddle.expression.train import export_best
from fer_paddle.models import DESIGNS, MODELS
from fer_paddle.training.loop import RunOptions
from fer_paddle.weights import load_arrays, load_card, state_arrays
from tests.fer_paddle.tiny_expressions import TinyExpressions, noise_faces

SIZE = 12
RECIPE = Recipe(
    name="tiny", epochs=2, batch_size=8, sizes=((0, SIZE),), valid_sizes=((0, SIZE),), learning_rate=1e-2, seed=4
)


@pytest.fixture(autouse=True)
def tiny_models(monkeypatch):
    """Lets model files name the tiny network."""
    monkeypatch.setitem(MODELS, "tiny", TinyExpressions)
    monkeypatch.setitem(DESIGNS, "tiny", ("tiny", {}))


def make_teacher(*widths, sizes=None):
    seed_everything(11)
    return Teacher([TinyExpressions(width=width) for width in widths or (6,)], sizes)


IMAGES = np.random.default_rng(0).normal(size=(5, 1, SIZE, SIZE)).astype(np.float32)
LABELS = paddle.to_tensor(np.array([0, 1, 2, 3, 4]))
TARGETS = (LABELS, paddle.zeros([5, 10]))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_divergence_is_scipys(temperature):
    rng = np.random.default_rng(1)
    logits, shares = rng.normal(size=(6, 7)).astype(np.float32) * 3, rng.dirichlet(np.ones(7), 6).astype(np.float32)
    powers = np.exp(logits / temperature)
    expected = stats.entropy(shares, powers / powers.sum(1, keepdims=True), axis=1).mean()
    found = soft_divergence(paddle.to_tensor(logits), paddle.to_tensor(shares), temperature)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    sure = paddle.to_tensor(np.eye(7, dtype=np.float32)[:2])  # zeros have no logarithm
    assert float(soft_divergence(paddle.zeros([2, 7]), sure, temperature)) == pytest.approx(np.log(7), rel=1e-5)


def test_loss_has_its_terms_and_weights():
    rng = np.random.default_rng(3)
    logits, shares = paddle.to_tensor(rng.normal(size=(5, 7)).astype(np.float32)), paddle.full([5, 7], 1 / 7)
    hint, teacher_hint = paddle.zeros([5, 2, 1, 1]), paddle.full([5, 2, 1, 1], 3.0)
    settings = DistillSettings(temperature=2.0, soft_weight=0.25, hint_weight=0.5)
    plain = ExpressionLoss(label_smoothing=0.1)
    terms = DistillLoss(settings, plain)(Answers(logits, shares, hint, teacher_hint), TARGETS)
    assert float(terms["label"]) == pytest.approx(0.75 * float(plain(logits, TARGETS)["label"]), rel=1e-5)
    assert float(terms["soft"]) == pytest.approx(0.25 * 4 * float(soft_divergence(logits, shares, 2.0)), rel=1e-5)
    assert float(terms["hint"]) == pytest.approx(0.5)  # all zero says nothing: an error of 1
    alone = DistillLoss(settings, plain)(logits, TARGETS)  # as in validation
    assert {name: float(term) for name, term in alone.items()} == {
        "label": pytest.approx(float(plain(logits, TARGETS)["label"]))
    }


def test_an_ensemble_is_the_mean_and_each_sees_its_own_size(tmp_path):
    for name, width, size in (("a", 4, SIZE), ("b", 6, 2 * SIZE)):
        network = TinyExpressions(width=width)
        ExpressionModel.of("tiny", network, size, arguments={"width": width}).save(tmp_path / f"{name}.safetensors")
    teacher = load_teacher([tmp_path / "a.safetensors", tmp_path / "b.safetensors"], noise_faces(4, SIZE, seed=0))
    assert teacher.sizes == [SIZE, 2 * SIZE] and teacher.names == ["a.safetensors", "b.safetensors"]
    assert all(parameter.stop_gradient for network in teacher.networks for parameter in network.parameters())
    sides = []
    for network in teacher.networks:
        network.register_forward_pre_hook(lambda layer, inputs: sides.append(inputs[0].shape[2]))
    images = paddle.to_tensor(IMAGES)
    single = [Teacher([net], [size]).probs(images, 3.0).numpy() for net, size in zip(teacher.networks, teacher.sizes)]
    np.testing.assert_allclose(teacher.probs(images, 3.0).numpy(), np.mean(single, axis=0), atol=1e-6)
    assert sides == [SIZE, 2 * SIZE] * 2


@pytest.mark.parametrize(
    ("layer", "size", "hint"), [("pool", SIZE, [5, 6, 1, 1]), ("features", 2 * SIZE, [5, 6, 6, 6])]
)
def test_a_student_gives_hints_in_training_and_is_the_network_alone_else(layer, size, hint):
    network, teacher, images = TinyExpressions(), make_teacher(6, sizes=[size]), paddle.to_tensor(IMAGES)
    student = Student(
        network, teacher, DistillSettings(hint_weight=1.0, teacher_layer=layer, student_layer=layer), SIZE
    )
    student.eval()
    np.testing.assert_array_equal(student(images).numpy(), network(images).numpy())
    student.train()
    answers = student(images)
    assert isinstance(answers, Answers) and answers.hint.shape == answers.teacher_hint.shape == hint
    assert all("teacher" not in name for name in student.state_dict())
    student.close()
    assert not getattr(network, layer)._forward_post_hooks


def test_student_learns_the_teacher():
    """With the teacher's answers alone the student comes near it, on noise whose labels say nothing."""
    teacher, faces = make_teacher(), noise_faces(64, SIZE, seed=0)
    images = paddle.to_tensor(np.float32(faces.images[:, None]) / 64 - 2)

    def distance(network):
        network.eval()
        with paddle.no_grad():
            return float(soft_divergence(network(images), teacher.probs(images), 1.0))

    seed_everything(4)
    network = TinyExpressions(width=6)
    before = distance(network)
    recipe = dataclasses.replace(RECIPE, epochs=6)
    settings = DistillSettings(temperature=1.0, soft_weight=1.0, hint_weight=1.0)
    history = distill_expressions(network, teacher, faces, noise_faces(8, SIZE, seed=1), recipe, settings)
    assert distance(network) < 0.5 * before
    for term in ("soft", "hint"):
        assert history[-1][f"train_loss_{term}"] < history[0][f"train_loss_{term}"]


def test_export_is_the_network_alone_and_the_teacher_is_not_changed(tmp_path):
    settings, teacher = DistillSettings(hint_weight=0.5), make_teacher()
    recipe = dataclasses.replace(RECIPE, epochs=3, ema_decay=None, swa_start=1, accumulate=2)
    faces = noise_faces(16, SIZE, seed=0), noise_faces(8, SIZE, seed=1)
    distill_expressions(TinyExpressions(), teacher, *faces, recipe, settings, RunOptions(tmp_path))
    config = load_card(tmp_path / "best.safetensors")["config"]
    assert (config["swa_start"], config["accumulate"]) == (1, 2)
    card = export_best(tmp_path, tmp_path / "student.safetensors", "tiny", card={"data": "drawn"})
    unchanged = {"teachers": ["TinyExpressions"], "teacher_fingerprints": make_teacher().fingerprints}
    assert card["distill"] == {**settings.to_json(), **unchanged} and teacher.describe() == unchanged
    assert {"hours", "machine"} <= card.keys() and card["data"] == "drawn" and card["input_size"] == SIZE
    loaded = ExpressionModel.load(tmp_path / "student.safetensors").network
    best = load_arrays(tmp_path / "best.safetensors")
    assert any(name.startswith("regressor") for name in best)
    assert all((best[f"network.{name}"] == array).all() for name, array in state_arrays(loaded).items())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DistillSettings(temperature=0), "temperature"),
        (lambda: DistillSettings(hint_weight=float("nan")), "hint_weight"),
        (lambda: Teacher([]), "one teacher or more"),
        (lambda: make_teacher(4, 6, sizes=[12]), "a size for each"),
        (lambda: Teacher([TinyExpressions(7), TinyExpressions(8)]), "same classes"),
        (lambda: Student(TinyExpressions(), make_teacher(4, 6), DistillSettings(hint_weight=1), SIZE), "one teacher"),
        (
            lambda: Student(
                TinyExpressions(), make_teacher(), DistillSettings(hint_weight=1, teacher_layer="nowhere"), SIZE
            ),
            "nowhere",
        ),
        (lambda: DistillPlan("tiny", RECIPE, DistillSettings(), kinds=("soft", "magic")), "magic"),
        (lambda: DistillPlan("tiny", FINE_TUNE, DistillSettings()), "backbone_rate 1, got 'fine_tune'"),
    ],
)
def test_wrong_arguments_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_study_goes_on_where_it_stopped(tmp_path, monkeypatch):
    study = DistillPlan("tiny", RECIPE, DistillSettings(hint_weight=0.2), ("plain", "soft+hint"), (0, 1))
    faces = noise_faces(16, SIZE, seed=0), noise_faces(8, SIZE, seed=1)
    place = {"folder": tmp_path / "runs", "result": tmp_path / "r" / "study.json", "provenance": {"data": "drawn"}}
    trained, fit = [], DistillStudy.fit

    def stop_after_two(study, trial, *rest):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append((trial.name, trial.recipe.seed))
        return fit(study, trial, *rest)

    monkeypatch.setattr(DistillStudy, "fit", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, make_teacher(), *faces, **place)
    monkeypatch.setattr(
        DistillStudy, "fit", lambda *args: trained.append((args[1].name, args[1].recipe.seed)) or fit(*args)
    )
    found = run_study(study, make_teacher(), *faces, **place)
    assert trained == [("plain", 0), ("soft+hint", 0), ("plain", 1), ("soft+hint", 1)]
    assert found == json.loads((tmp_path / "r" / "study.json").read_text())
    assert [(row["name"], row["seeds"]) for row in found["summary"]] == [("plain", 2), ("soft+hint", 2)]
    assert found["data"] == "drawn"
    assert found["teacher_accuracy"] == measure_teacher(make_teacher(), faces[1])
    card = load_card(tmp_path / "runs" / "soft+hint-1" / "model.safetensors")
    assert card["distill"]["soft_weight"] == 0.7
    with pytest.raises(ValueError, match="expected faces of the classes angry, .*, got a, b, c"):
        load_teacher([tmp_path / "runs" / "plain-0" / "model.safetensors"], noise_faces(4, SIZE, tuple("abc"), 0))
    other = dataclasses.replace(study, settings=DistillSettings(temperature=2.0, hint_weight=0.2))
    with pytest.raises(ValueError, match="temperature"):
        run_study(other, make_teacher(), *faces, **place)
    with pytest.raises(ValueError, match="got others: teacher_fingerprints"):  # of the same name
        run_study(dataclasses.replace(study, seeds=(0, 1, 2)), make_teacher(5), *faces, **place)


@pytest.mark.parametrize("own", [("好 的", "b", "c"), tuple("abcdefg")])  # seven of one's own are not the seven
def test_studies_take_classes_of_ones_own(own, tmp_path):
    train, valid = noise_faces(42, SIZE, own, 0), noise_faces(9, SIZE, own, 1)
    plan = DistillPlan("tiny", RECIPE, DistillSettings(), ("plain", "soft"), (0,))
    teacher = Teacher([TinyExpressions(len(own))], [SIZE])
    run_study(plan, teacher, train, valid, tmp_path, tmp_path / "study.json", {})
    for name in ("plain-0", "soft-0"):
        model = ExpressionModel.load(tmp_path / name / "model.safetensors")
        assert model.classes == own == tuple(model.card["train_faces"]) and len(model.settings.prior) == len(own)
    case = dataclasses.replace(CASES[1], recipe=RECIPE, faces=21)
    history = run_case(case, train, valid, "tiny", tmp_path / "curve")
    assert len(history) == 2 and run_case(case, train, valid, "tiny", tmp_path / "curve") == history
    assert load_card(tmp_path / "curve" / "last.json")["task"]["train_faces"] == 21
