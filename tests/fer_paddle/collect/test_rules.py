"""Rules and sources out of range are refused when they are made."""

import pytest

from fer_paddle.collect.clean import CleanRule
from fer_paddle.collect.pages import SeedPages
from fer_paddle.collect.select import FaceRule
from fer_paddle.video import FrameRule

WRONG = [
    lambda: CleanRule("same"),
    lambda: CleanRule("{number"),
    lambda: CleanRule("{number.__class__}"),
    lambda: CleanRule(suffix=".tga"),
    lambda: SeedPages([]),
    lambda: SeedPages(["http://a/"], depth=-1),
    lambda: FrameRule(mode="all"),
    lambda: FrameRule(per_second=float("nan")),
    lambda: FrameRule(scene_change=2),
    lambda: FrameRule(max_frames=0),
    lambda: FaceRule(min_faces=3, max_faces=2),
]


@pytest.mark.parametrize("make", WRONG)
def test_refuses(make):
    with pytest.raises(ValueError, match="expected"):
        make()
