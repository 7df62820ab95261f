"""Loss of the one-anchor detector: offsets by squared error, classes by cross-entropy with hard negatives.

Source: hard negative mining of Liu et al., SSD, 2016, arXiv:1512.02325, section 2.2.
"""

from __future__ import annotations

from fer_paddle.environment import paddle

nn = paddle.nn


class KeypointLoss(paddle.nn.Layer):
    """MSE of offsets, over the cells with a mark, + u * cross-entropy, over these and the hardest background cells.

    Almost all cells are background and easy: a mean over all would be a mean over nothing new. Of the background, only
    the cells with the largest loss count: `negatives` for each mark of the batch, and `least_negatives` for each image.

    Args:
        class_weight: u. Offsets are in cells, so an error of one pixel costs about 0.001.
        negatives: Hard background cells for each mark.
        least_negatives: Hard background cells for each image at least.
    """

    def __init__(self, class_weight: float = 0.3, negatives: int = 5, least_negatives: int = 8):
        super().__init__()
        self.class_weight, self.negatives, self.least_negatives = class_weight, negatives, least_negatives

    def forward(self, outputs: paddle.Tensor, targets: tuple[paddle.Tensor, paddle.Tensor]) -> dict[str, paddle.Tensor]:
        """Compute the terms: outputs [N, 3 + C, H, W]; targets as of decode.match, with a first axis N."""
        offsets, classes = targets
        is_mark = (classes > 0).astype("float32")
        num_marks = float(is_mark.sum())
        error = ((outputs[:, :2] - offsets) ** 2).mean(1) * is_mark
        logits = outputs[:, 2:].transpose((0, 2, 3, 1))
        entropy = nn.functional.cross_entropy(logits, classes, reduction="none", ignore_index=-1)
        background = entropy[classes == 0]
        count = int(max(self.negatives * num_marks, self.least_negatives * len(classes)))
        hard = background.topk(min(count, len(background)))[0]
        total = (entropy * is_mark).sum() + hard.sum()
        return {
            "offset": error.sum() / max(num_marks, 1.0),
            "class": self.class_weight * total / (num_marks + len(hard)),
        }
