"""What the notebooks share."""

import base64
import io

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from fer_paddle import course
from fer_paddle.labels import EXPRESSIONS


@pytest.fixture
def shell():
    InteractiveShell.instance()
    yield
    InteractiveShell.clear_instance()


def test_images_stand_side_by_side_at_one_height(shell):
    images = np.zeros((40, 20), np.uint8), np.full((100, 100, 3), 255, np.uint8)
    with capture_output() as shown:
        course.show(*images, width=90)
    jpeg = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.outputs[0].data["image/jpeg"]))))
    assert jpeg.shape == (60, 90, 3)
    assert jpeg[:, :28].max() < 30 and jpeg[:, 32:].min() > 225


def test_a_table_is_markdown_with_numbers_on_the_right(shell):
    with capture_output() as shown:
        course.table(["plan", "accuracy"], [["even|odd", 0.514], ["random", ""]])
    assert shown.outputs[0].data["text/markdown"].splitlines() == [
        "| plan | accuracy |",
        "| :--- | ---: |",
        "| even\\|odd | 0.514 |",
        "| random |  |",
    ]


def test_drawn_crops_are_of_every_expression():
    faces = course.draw_crops(14, 48, seed=3)
    assert list(faces.counts().values()) == [2] * len(EXPRESSIONS)
    assert all(image.ndim == 2 and image.shape[0] == image.shape[1] for image in faces.images)


def test_times_are_stored_only_when_asked_to(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "TIMES", tmp_path / "times.json")
    monkeypatch.setenv("FER_TIMES", "1")
    assert course.stored_times("04 step", {"slow": 12.3456, "fast": 1.0}) == {"slow": 12.35, "fast": 1.0}
    monkeypatch.delenv("FER_TIMES")
    assert list(course.stored_times("04 step", {"fast": 9.0, "slow": 99.0}).values()) == [1.0, 12.35]
    with pytest.raises(ValueError, match="expected times of other as '04 step' in times.json, got slow, fast"):
        course.stored_times("04 step", {"other": 9.0})


def test_the_style_draws_chinese(shell, tmp_path, recwarn):
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        course.set_up()
        figure = Figure((2, 1))
        figure.subplots().set_title("高兴 happy")
        figure.savefig(tmp_path / "a.png")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
