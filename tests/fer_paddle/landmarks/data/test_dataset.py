"""Samples: the cut of inference, the same for the same seed, and points that stay on what they mark."""

import cv2
import numpy as np

from fer_paddle.landmarks.data.dataset import LandmarkData
from fer_paddle.landmarks.data.faces import cut_faces, load_faces, make_landmark_faces, save_faces
from fer_paddle.training.augment import AugmentConfig

TURNED = AugmentConfig(flip=0.5, rotate_deg=30, scale=0.2, shift=0.1)


def dotted(points: np.ndarray, size: int = 160) -> np.ndarray:
    """Draw a white dot of 5 px at some points, [68, 2] in pixels from the left and top edge."""
    image = np.zeros((size, size), np.uint8)
    for x, y in points[[8, 36, 54]]:
        cv2.circle(image, (round(x - 0.5), round(y - 0.5)), 2, 255, -1)
    return image


def test_points_stay_on_what_they_mark(drawn):
    points = np.round(drawn.points * 1.25 - 0.5) + 0.5  # centers of pixels
    faces = make_landmark_faces([dotted(one) for one in points], points)
    data, flips = LandmarkData(faces, 96, 0.1, TURNED), 0
    for row in range(len(faces)):
        crop, placed = data.draw(row)
        plain = LandmarkData(faces, 96, 0.1).draw(row)[1]
        mirrored = np.sign(placed[36, 0] - placed[45, 0]) != np.sign(plain[36, 0] - plain[45, 0])
        assert not mirrored  # the left eye stays left: its index went with it
        dots = [8, 36, 54]
        flipped = crop[tuple(np.floor(placed[36, ::-1]).astype(int).clip(0, 95))] < 60
        flips += flipped
        for dot in [8, 45, 48] if flipped else dots:
            x, y = placed[dot]
            if 3 < x < 92 and 3 < y < 92:
                patch = crop[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].astype(float)
                cells = np.mgrid[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] + 0.5
                center = (cells * patch).sum((1, 2)) / patch.sum()
                assert np.abs(center[::-1] - (x, y)).max() < 0.6
    assert 5 < flips < 20


def test_a_sample_without_changes_is_the_cut_of_inference(drawn):
    from fer_paddle.images import cut_square, faces_to_batch

    image, points = LandmarkData(drawn, 96, 0.1)[0]
    crop, corner = cut_square(drawn.images[0], drawn.boxes_xyxy[0], 0.1)
    np.testing.assert_array_equal(image[None], faces_to_batch([crop], 96))
    np.testing.assert_allclose(points * crop.shape[0] + corner, drawn.points[0], atol=1e-3)


def test_a_sample_depends_on_seed_epoch_and_index_alone(drawn):
    first, second = (LandmarkData(drawn, [(0, 64), (2, 96)], 0.1, TURNED, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first[3][0], second[3][0])
    first.set_epoch(1)
    assert not np.array_equal(first[3][0], second[3][0])
    first.set_epoch(2)
    assert first[3][0].shape == (1, 96, 96)


def test_faces_are_cut_with_their_points_and_kept(drawn, tmp_path):
    cut = cut_faces(drawn)
    scale = np.ptp(cut.points, axis=1) / np.ptp(drawn.points, axis=1)
    np.testing.assert_allclose(scale, scale[:, :1].repeat(2, 1), rtol=1e-4)
    sides = cut.boxes_xyxy[:, 2:] - cut.boxes_xyxy[:, :2]
    np.testing.assert_allclose(sides.max(1), 80, rtol=0.02)  # half of the crop
    save_faces(tmp_path / "faces.npz", cut)
    again = load_faces(tmp_path / "faces.npz")
    assert again.digest() == cut.digest() and list(again.source) == list(cut.source)
    assert len(again.take(again.split == "train")) == len(drawn)
