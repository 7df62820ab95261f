"""Writing, listing, cropping, resizing and normalizing; reading is in test_decoding.py."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_paddle import images

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (37, 53, 3), dtype=np.uint8)
SMOOTH = np.stack([*np.mgrid[0:240:6, 0:240:4], np.full((40, 60), 99)], axis=2).astype(np.uint8)
NOT_IMAGES = [
    None,
    [[0, 0], [0, 0]],
    np.zeros((4, 4, 3), np.float32),
    np.zeros((4, 4, 4), np.uint8),  # BGRA
    np.zeros((4, 4, 1), np.uint8),
    np.zeros((0, 4, 3), np.uint8),
]


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.TIFF", "表情/图 1.PNG"])
@pytest.mark.parametrize("image", [NOISE, NOISE[..., 0], NOISE[::2, ::-1], np.asfortranarray(NOISE), NOISE[:1, :1]])
def test_lossless_formats_keep_every_pixel(tmp_path: Path, name: str, image: np.ndarray) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    images.write_image(path, image)
    read = images.read_image(path)
    assert np.array_equal(read if image.ndim == 3 else read[..., 0], image)
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("name", "image", "tolerance"),
    [
        *((name, SMOOTH, 4) for name in ("a.jpg", "a.JPEG", "a.jfif")),
        ("a.webp", SMOOTH, 12),
        ("a.gif", SMOOTH, 40),
        ("a.gif", NOISE[..., 0], 0),  # of 256 grays it keeps every one
    ],
)
def test_lossy_formats_keep_the_image(tmp_path: Path, name: str, image: np.ndarray, tolerance: int) -> None:
    images.write_image(str(tmp_path / name), image)
    expected = image if image.ndim == 3 else image[..., None]
    assert np.abs(images.read_image(tmp_path / name).astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("name", ["a.webp", "a.jpg"])
def test_image_too_large_for_its_format_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    images.write_image(tmp_path / name, SMOOTH)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(ValueError, match="expected an image that fits into"):
        images.write_image(tmp_path / name, np.zeros((1, 70_000), np.uint8))
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    images.write_image(tmp_path / "a.png", NOISE)
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_list_images(tmp_path: Path) -> None:
    wanted = ["1.jpg", "B.JPeG", "a.png", "x/图.webp", "x/y/z.tif", "x y/a.GIF", "生气/b.bmp"]
    others = ["a.txt", "b.png.part", "png", ".hidden.png", "._a.png", ".cache/a.png", "x/.git/b.png", "a.npy"]
    for name in wanted + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    found = images.list_images(str(tmp_path))
    assert found == sorted(tmp_path / name for name in wanted)
    assert images.list_images(tmp_path / "folder.png") == []
    assert images.list_images(tmp_path / ".cache") == [tmp_path / ".cache/a.png"]  # what is asked for is not hidden


def test_list_images_follows_links_once(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    for name in ("a.png", "a.mp4", ".b.mp4"):
        (tmp_path / "far" / name).write_bytes(b"")
    data = tmp_path / "data"
    data.mkdir()
    try:
        (data / "sad").symlink_to(tmp_path / "far", target_is_directory=True)
        (data / "angry").symlink_to(tmp_path / "far", target_is_directory=True)
        (tmp_path / "far" / "back").symlink_to(data, target_is_directory=True)  # a circle
    except OSError:
        pytest.skip("links are not allowed here")
    others: list[Path] = []
    assert images.list_images(data, others=others) == [data / "angry" / "a.png"]
    assert others == [data / "angry" / "a.mp4"]
    assert images.list_images(data / "angry") == [data / "angry" / "a.png"]  # the circle leads above what is asked for
    (data / "up").mkdir()
    (data / "up" / "again").symlink_to(data, target_is_directory=True)
    assert images.list_images(data / "up") == []


def test_to_gray() -> None:
    expected = NOISE.astype(float) @ [0.114, 0.587, 0.299]  # BGR
    gray = images.to_gray(NOISE)
    assert gray.dtype == np.uint8
    assert np.abs(gray - expected).max() <= 0.51
    assert images.to_gray(gray) is gray
    assert np.array_equal(images.to_gray(NOISE[:, ::-1]), gray[:, ::-1])


@pytest.mark.parametrize("size", [1, 7, 48, 224])
@pytest.mark.parametrize("shape", [(1, 1), (37, 53), (53, 37), (2, 300), (300, 2), (20_000, 3), (48, 48)])
def test_resize(shape: tuple[int, int], size: int) -> None:
    image = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    small = images.resize(image, size)
    assert small.shape == (size, size, 3)
    assert small.dtype == np.uint8
    for gray, small_gray in zip(np.moveaxis(image, 2, 0), np.moveaxis(small, 2, 0)):  # they go the same way
        assert np.array_equal(images.resize(gray, size), small_gray)


def test_resize_averages_when_it_shrinks() -> None:
    corner = np.zeros((9, 9), np.uint8)
    corner[0::3, 0::3] = 90  # one pixel of nine, and not the one in the middle
    assert np.unique(images.resize(corner, 3)).tolist() == [10]
    # One axis shrinks while the other grows: the stripes must still melt into their mean.
    stripes = np.tile(np.array([[0], [0], [0], [0], [200]], np.uint8), (20, 2))
    assert np.unique(images.resize(stripes, 10)).tolist() == [40]


def padded_crop(image: np.ndarray, box: list[float], margin: float) -> np.ndarray:
    """The plain way: pad the whole image by the nearest pixels, then cut."""
    x1, y1, x2, y2 = box
    side = max(1, int(np.floor(max(x2 - x1, y2 - y1) * (1 + 2 * margin) + 0.5)))
    left, top = (int(np.floor((low + high - side) / 2 + 0.5)) for low, high in ((x1, x2), (y1, y2)))
    pad = side + 2
    padded = np.pad(image, [(pad, pad), (pad, pad), (0, 0)][: image.ndim], mode="edge")
    return padded[top + pad : top + pad + side, left + pad : left + pad + side]


@pytest.mark.parametrize(
    ("box", "margin"),
    [
        ([10, 8, 20, 18], 0.0),  # a square inside
        ([10, 8, 40, 18], 0.0),  # wide
        ([10, 8, 20, 18], 0.33),  # side 16.6 -> 17
        ([10.5, 8.25, 20.75, 18.5], 0.0),  # between pixels
        ([10, 8, 21, 18], 0.0),  # odd side, the center on half a pixel
        ([0, 0, 53, 37], 0.0),  # the whole image
        ([0, 0, 5, 5], 0.5),  # every corner
        ([48, 32, 53, 37], 0.5),
        ([-20, -20, 3, 3], 0.0),  # mostly outside
        ([-20, -30, 80, 60], 0.1),  # larger than the image
        ([-100, 10, 1, 11], 0.0),  # one column meets the image
        ([-0.4, 5, 0.3, 5.5], 0.0),  # under a pixel, at the edge
        ([52.9, 36.9, 53.6, 37.6], 0.0),  # rounded, its square lies just outside: the corner pixel
        ([5, 5, 5.001, 5.001], 0.0),  # never less than one pixel
    ],
)
@pytest.mark.parametrize("image", [NOISE, NOISE[..., 1], NOISE[::-1, ::-1], np.asfortranarray(NOISE)])
def test_crop_square(image: np.ndarray, box: list[float], margin: float) -> None:
    crop = images.crop_square(image, box, margin)
    expected = padded_crop(image, box, margin)
    assert crop.shape == (expected.shape[0],) * 2 + image.shape[2:]
    assert np.array_equal(crop, expected)
    assert crop.flags.c_contiguous
    assert not np.shares_memory(crop, image)
    assert np.array_equal(images.crop_square(image, np.array(box, np.float64), margin), crop)


OF_IMAGES = [
    lambda image, folder: images.write_image(folder / "a.png", image),
    lambda image, folder: images.to_gray(image),
    lambda image, folder: images.resize(image, 4),
    lambda image, folder: images.crop_square(image, [0, 0, 2, 2]),
    lambda image, folder: images.faces_to_batch([image], 4),
]
OF_SIZES = [lambda size, folder: images.resize(NOISE, size), lambda size, folder: images.faces_to_batch([], size)]
WRONG_BOXES = [
    [5, 5, 5, 9],  # no width
    [9, 5, 5, 9],  # turned round
    [-9, 5, 0, 9],  # ends where the image begins
    [0, 0, float("nan"), 5],
    [0, 0, float("inf"), 5],
    [0, 0, 5, 5, 0.9],  # with its score
    None,
    [-1e308, 0, 1e308, 5],
    [0, 0, 20_000, 5],
]
OTHERS = [
    lambda _, folder: images.write_image(folder / "none" / "a.png", NOISE),
    lambda _, folder: images.write_image(folder, NOISE),
    lambda _, folder: images.list_images(folder / "none"),
    lambda _, folder: images.list_images(folder / "file"),
    lambda _, folder: images.crop_square(NOISE, [0, 0, 5, 5], -0.1),
    lambda _, folder: images.normalize([[0]]),
    lambda _, folder: images.faces_to_batch(NOISE, 48),  # else its rows would be taken for crops
]
WRONG = [  # calls, what each is given in turn, what it says
    (OF_IMAGES, NOT_IMAGES, r"expected a uint8 image \[H,W,3\] or \[H,W\], got"),
    (OF_SIZES, [0, -1, 2.5, "48", None, (48, 48)], "expected a size of at least 1 pixel, got"),
    ([lambda box, folder: images.crop_square(NOISE, box)], WRONG_BOXES, r"^expected a (box|square)"),
    (
        [lambda name, folder: images.write_image(folder / name, NOISE)],
        ["a", "a.txt", "a.png.bak", ".png", "a.jpg2", "a.svg"],
        r"expected the name of a file that ends in \.jpg, .*, got",
    ),
    (OTHERS, [None], "expected"),
]


@pytest.mark.parametrize(
    ("call", "given", "says"), [(call, one, says) for calls, given, says in WRONG for call in calls for one in given]
)
def test_wrong_use_is_refused(call: Callable[..., object], given: object, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((ValueError, FileNotFoundError), match=says) as caught:
        call(given, tmp_path)
    assert "\n" not in str(caught.value) and [path.name for path in tmp_path.iterdir()] == ["file"]


def test_faces_to_batch() -> None:
    crops = [NOISE, NOISE[..., 0], NOISE[:10, :10], np.full((1, 1), 255, np.uint8)]
    batch = images.faces_to_batch(crops, 24)
    assert batch.shape == (4, 1, 24, 24)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    for crop, row in zip(crops, batch):
        assert np.array_equal(row[0], images.normalize(images.resize(images.to_square(images.to_gray(crop)), 24)))
    assert np.allclose(batch[3], (1 - images.FER_MEAN) / images.FER_STD)


@pytest.mark.parametrize(
    ("shape", "padding"),
    [
        ((5, 5), ((0, 0), (0, 0))),
        ((5, 9), ((2, 2), (0, 0))),
        ((9, 4), ((0, 0), (2, 3))),
        ((1, 3, 3), ((1, 1), (0, 0), (0, 0))),
    ],
)
def test_to_square_repeats_the_edges(shape: tuple[int, ...], padding: tuple[tuple[int, int], ...]) -> None:
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    square = images.to_square(image)
    assert square.shape[0] == square.shape[1] == max(shape[:2])
    expected = {
        np.pad(image, padding, mode="edge").tobytes(),
        np.pad(image, [p[::-1] for p in padding], mode="edge").tobytes(),
    }
    assert square.tobytes() in expected  # an odd filling may lie more on either side
