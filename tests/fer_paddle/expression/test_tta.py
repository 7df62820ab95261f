"""Test-time augmentation: views, their mean, and ensembles from files."""

import numpy as np
import pytest
from scipy.special import softmax

from fer_paddle.environment import paddle, seed_everything
from fer_paddle.expression.files import ExpressionModel
from fer_paddle.expression.predict import classifier_file
from fer_paddle.expression.tta import TTAClassifier, load_ensemble
from fer_paddle.images import faces_to_batch
from fer_paddle.models import build_model

nn = paddle.nn


class Left(nn.Layer):
    """Logits by the brightness of the left and the right half, and by the size: a flip changes them."""

    num_classes = 3

    def forward(self, images):
        width = images.shape[3]
        left, right = (half.mean((1, 2, 3)) for half in (images[..., : width // 2], images[..., width // 2 :]))
        return paddle.stack([left, right, paddle.full_like(left, width / 10)], axis=1)


@pytest.fixture
def crops():
    return list(np.random.default_rng(0).integers(0, 256, (3, 20, 20)).astype(np.uint8))


def probs_of(view):
    return softmax(Left()(paddle.to_tensor(np.ascontiguousarray(view))).numpy(), axis=1)


def test_the_mean_over_mirror_images_and_sizes(crops):
    classifier = TTAClassifier([Left()], [16], [1, 1.5])
    views = []
    for size in (16, 24):
        batch = faces_to_batch(crops, size)
        views += [probs_of(batch), probs_of(batch[..., ::-1])]
    np.testing.assert_allclose(classifier(crops), np.mean(views, axis=0), rtol=1e-5)
    assert classifier.views == 4
    mirrored = [crop[:, ::-1].copy() for crop in crops]
    np.testing.assert_allclose(classifier(mirrored), classifier(crops), rtol=1e-4)


@pytest.mark.parametrize("flip", [False, True])
def test_four_corners_and_the_center(crops, flip):
    classifier = TTAClassifier([Left()], [18], flip=flip, five_crop=True)
    large = faces_to_batch(crops, 20)
    cuts = [large[..., y : y + 18, x : x + 18] for y, x in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))]
    views = cuts + [cut[..., ::-1] for cut in cuts if flip]
    np.testing.assert_allclose(classifier(crops), np.mean([*map(probs_of, views)], axis=0), rtol=1e-5)
    assert classifier.views == len(views)


def test_an_ensemble_from_files_shows_each_its_own_size(crops, tmp_path):
    networks = []
    for seed in range(2):
        seed_everything(seed)
        networks.append(build_model("mini_xception"))
        ExpressionModel.of("mini_xception", networks[-1], (16, 24)[seed]).save(tmp_path / f"{seed}.safetensors")
    paths = [tmp_path / f"{seed}.safetensors" for seed in range(2)]
    both, classes = load_ensemble(paths)
    singles = [load_ensemble([path])[0](crops) for path in paths]
    np.testing.assert_allclose(both(crops), np.mean(singles, axis=0), rtol=1e-5)
    assert (both.views, both.sizes, classes[3]) == (2, (16, 24), "happy")


def test_files_of_any_runtime_are_shown_the_same_views(crops):
    """Only scales need the weights, which take images of any size."""
    onnx, paddles = (classifier_file("vgg8_flat.fer2013", runtime) for runtime in ("onnx", "dynamic"))
    views = {"flip": True, "five_crop": True}
    probs = [load_ensemble([path], **views)[0](crops) for path in (onnx, paddles)]
    np.testing.assert_allclose(*probs, atol=1e-4)
    mixed = load_ensemble([paddles, classifier_file("distresnet_int8.fer2013")], flip=True)[0]
    assert mixed.views == 4 and mixed(crops).shape == (3, 7) and mixed([]).shape == (0, 7)
    with pytest.raises(ValueError, match="expected .safetensors networks for scales, .* got .*flat.fer2013.onnx"):
        load_ensemble([paddles, onnx], [1, 1.1])
