"""Labels that are likely wrong, by confident learning.

A model that never saw an image is asked for its class; where it is surer of another class than such images usually
make it, the label is suspected. Source: Northcutt et al. 2021, "Confident learning", arXiv:1911.00068; cleanlab.
"""

from __future__ import annotations

import dataclasses

import numpy as np

FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Suspects:
    """Images whose label is likely wrong, the likeliest first."""

    indices: np.ndarray  # int64 [S], places among the images that were given
    suggested: np.ndarray  # int64 [S], the class that the model gives instead
    self_confidence: np.ndarray  # float64 [S], out-of-sample probability of the label that stands there, 0 to 1
    accuracy: float  # how often the out-of-sample model gives the label that stands there
    judged: int  # images that were judged: those of classes with at least FOLDS images


def find_suspects(features: np.ndarray, labels: np.ndarray, copies: np.ndarray, seed: int = 0) -> Suspects | None:
    """Find likely wrong labels from features of the images.

    The model is a logistic regression over `features`, fitted in FOLDS stratified folds; copies of an image lie in one
    fold, or they would tell each other's labels.

    Args:
        features: float [N, F], such as the log probabilities of an expression network. Where that network was itself
            trained on these images and labels, they are not wholly out of sample: it then finds fewer, not more.
        labels: int [N]; a class with fewer than FOLDS images, and -1, is left out.
        copies: int [N], the same number for the copies of one image.

    Returns:
        None where fewer than two classes have enough images.
    """
    from cleanlab.filter import find_label_issues  # takes a second to import

    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    classes = classes[counts >= FOLDS]
    if len(classes) < 2:
        return None
    judged = np.flatnonzero(np.isin(labels, classes))
    targets = np.searchsorted(classes, labels[judged])
    probs = out_of_sample_probs(features[judged], targets, copies[judged], seed)
    found = find_label_issues(
        targets, probs, filter_by="low_self_confidence", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return Suspects(
        judged[found],
        classes[probs[found].argmax(axis=1)],
        probs[found, targets[found]],
        float((probs.argmax(axis=1) == targets).mean()),
        len(judged),
    )


def out_of_sample_probs(features: np.ndarray, labels: np.ndarray, copies: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return probs float64 [N, C] of a logistic regression that was fitted without the image or its copies.

    Labels are 0 to C - 1, each class FOLDS times or more.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(features, labels, copies))
    if any(len(np.unique(labels[train])) <= labels.max() for train, _ in folds):
        # A small class that is all copies would be missing from its own fit.
        folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(features, labels))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return cross_val_predict(model, features, labels, cv=folds, method="predict_proba")
