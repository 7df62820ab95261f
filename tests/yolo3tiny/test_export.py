"""The detector's network in other runtimes and formats."""

import numpy as np
import pytest

from fer_paddle.apps.demo import astronaut
from yolo3tiny.export import export_detector
from yolo3tiny.predict import WEIGHTS, Detector

PHOTOS = list(np.random.default_rng(0).integers(0, 256, (3, 30, 50, 3), np.uint8))


@pytest.mark.parametrize(("weights", "name"), [(".safetensors", "face.onnx"), (".onnx", "face.param")])
def test_exported_files_agree_and_work_alone(weights, name, tmp_path):
    if name.endswith(".param"):
        pytest.importorskip("ncnn")
    parity = export_detector(WEIGHTS.with_suffix(weights), tmp_path / name, PHOTOS, "noise")
    assert parity.holds and parity.inputs == 3 and parity.top1_agreement is None
    runtime = "ncnn" if name.endswith(".param") else "onnx"
    detector = Detector(tmp_path / name, runtime=runtime, longest=224, threads=1)
    assert detector.settings.anchors == Detector().settings.anchors
    assert len(detector(astronaut())) == 1
