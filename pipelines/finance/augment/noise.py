"""Which labels of a table are likely wrong: confident learning joined with an anomaly score. Nothing is dropped here.

Confident learning (Northcutt, Jiang and Chuang 2021): forecasts of rows left out, a threshold for each class (the mean
forecast of the class among rows labelled so), the confident joint of given and likely label, and the rows off its
diagonal. The anomaly score is the isolation forest's (Liu, Ting and Zhou 2008), among rows of the same given label.
The README says what each is worth on planted errors: the forecasts rank, the anomaly explains.
Legend: B rows, F features, G classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from pipelines.finance.augment.series import Bools, Floats

Ints = NDArray[np.int64]
Progress = Callable[[float, str], None]
RULES: dict[str, Callable[[Bools, Bools], Bools]] = {  # of label errors and odd rows: which would be dropped
    "label": lambda error_B, odd_B: error_B,
    "both": lambda error_B, odd_B: error_B & odd_B,
    "either": lambda error_B, odd_B: error_B | odd_B,
}
ROUNDS, FEWEST = 150, 2  # boosting rounds a fold; rows of a class in the smallest fold
TREES: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
}


@dataclass(frozen=True, kw_only=True)
class NoiseOptions:
    """How rows are judged, and which would be dropped."""

    rule: str = "label"  # one of RULES
    folds: int = 5
    odd: float = 0.9  # quantile of anomaly, among rows of the same label, from which a row counts as odd
    trees: int = 200  # of the isolation forest
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise InputError(f"the rule is one of {', '.join(RULES)}, got {self.rule!r}")
        if self.folds < 2 or self.trees < 1 or not 0 < self.odd < 1:
            raise InputError(
                f"folds must be at least 2, trees at least 1 and odd in (0, 1), got {self.folds}, {self.trees}, "
                f"{self.odd}"
            )


@dataclass(frozen=True, kw_only=True)
class NoiseReport:
    """Every row's scores, what would be dropped, and how many labels of each class are likely another's."""

    classes: NDArray[Any]  # (G,) as they are named
    given_B: Ints  # class numbers
    likely_B: Ints  # the class that a row's forecast speaks for, its own where for none other
    confidence_B: Floats  # left-out forecast of the given class
    anomaly_B: Floats  # quantile of the anomaly score among rows of the given class, 1 is the oddest
    priority_B: Floats  # quantile of the doubt in the given label, 1 is the most suspect
    label_error_B: Bools  # off the diagonal of the confident joint
    drop_B: Bools  # what the rule would drop
    joint_GG: Floats  # estimated number of rows by given (row) and true (column) class
    rule: str
    odd: float

    def why(self, row: int) -> str:
        """Why a row is suspect, in words; empty where it is not."""
        parts = []
        if self.label_error_B[row]:
            given, likely = self.classes[self.given_B[row]], self.classes[self.likely_B[row]]
            parts.append(f"labelled {given}, looks like {likely} ({self.confidence_B[row]:.1%} for its label)")
        if self.anomaly_B[row] >= self.odd:
            parts.append(f"odder than {self.anomaly_B[row]:.1%} of its class")
        return "; ".join(parts)

    @property
    def suspects(self) -> Ints:
        """Row numbers of label errors and of what would be dropped, the most suspect first."""
        rows = np.flatnonzero(self.label_error_B | self.drop_B)
        return rows[np.argsort(-self.priority_B[rows], kind="stable")]


def find_noise(
    x_BF: Floats,
    y_B: NDArray[Any],
    options: NoiseOptions | None = None,
    progress: Progress = lambda share, words: None,
) -> NoiseReport:
    """Judge every label. Raises InputError with one class, or one of fewer rows than folds."""
    asked = options or NoiseOptions()
    classes, given_B = np.unique(y_B, return_inverse=True)
    _check(x_BF, classes, given_B, asked)
    p_BG = left_out_forecasts(x_BF, given_B, asked, progress)
    joint = confident_joint(p_BG, given_B)
    progress(0.9, "anomalies")
    anomaly_B = anomaly_quantiles(x_BF, given_B, asked)
    own_B = p_BG[np.arange(len(given_B)), given_B]
    odd_B = anomaly_B >= asked.odd
    progress(1.0, "done")
    return NoiseReport(
        classes=classes,
        given_B=given_B,
        likely_B=joint.likely_B,
        confidence_B=own_B,
        anomaly_B=anomaly_B,
        priority_B=_quantiles(-own_B),
        label_error_B=joint.error_B,
        drop_B=RULES[asked.rule](joint.error_B, odd_B),
        joint_GG=joint.count_GG,
        rule=asked.rule,
        odd=asked.odd,
    )


@dataclass(frozen=True, kw_only=True)
class ConfidentJoint:
    """What confident learning says of rows."""

    count_GG: Floats  # calibrated: rows add up to the labels that were given
    likely_B: Ints
    error_B: Bools


def confident_joint(p_BG: Floats, given_B: Ints) -> ConfidentJoint:
    """Count rows by given label and by the class whose threshold their forecast passes (the most likely such).

    The counts are then scaled so that each given class has as many as were labelled (equation 1 of the paper), and as
    many rows of each pair are errors, those of the widest margin first ("prune by noise rate").
    """
    classes, rows = p_BG.shape[1], np.arange(len(given_B))
    threshold_G = np.array([p_BG[given_B == g, g].mean() for g in range(classes)])
    passed_BG = p_BG >= threshold_G
    likely_B = np.where(passed_BG.any(axis=1), np.where(passed_BG, p_BG, -1.0).argmax(axis=1), given_B)
    raw_GG = np.zeros((classes, classes))
    np.add.at(raw_GG, (given_B, likely_B), passed_BG.any(axis=1))
    given_G = np.bincount(given_B, minlength=classes)
    total_G = raw_GG.sum(axis=1)
    count_GG = np.where(total_G[:, None] > 0, raw_GG / np.maximum(total_G, 1)[:, None], np.eye(classes))
    count_GG = count_GG * given_G[:, None]
    excess_BG = p_BG - threshold_G
    margin_BG = excess_BG - excess_BG[rows, given_B][:, None]
    margin_BG[rows, given_B] = -np.inf
    error_B = np.zeros(len(given_B), bool)
    for given in range(classes):
        for true in range(classes):
            if given != true:
                own = np.flatnonzero((given_B == given) & (likely_B == true))
                most = own[np.argsort(-margin_BG[own, true], kind="stable")][: round(count_GG[given, true])]
                error_B[most] = True
    return ConfidentJoint(count_GG=count_GG, likely_B=likely_B, error_B=error_B)


def left_out_forecasts(x_BF: Floats, given_B: Ints, options: NoiseOptions, progress: Progress) -> Floats:
    """Forecasts (B, G) by boosted trees of every row by a model that did not learn from it."""
    import lightgbm  # noqa: PLC0415  (a second of import)
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    classes = int(given_B.max()) + 1
    asked = {
        **TREES,
        "objective": "multiclass" if classes > 2 else "binary",
        "num_class": classes if classes > 2 else 1,
        "min_data_in_leaf": int(np.clip(len(given_B) // 100, 2, 20)),
        "verbosity": -1,
        "deterministic": True,
        "num_threads": options.threads,
        "seed": options.seed,
    }
    p_BG = np.zeros((len(given_B), classes))
    folds = StratifiedKFold(options.folds, shuffle=True, random_state=options.seed)
    for number, (learned, left_out) in enumerate(folds.split(x_BF, given_B)):
        progress(0.9 * number / options.folds, f"fold {number + 1} of {options.folds}")
        booster = lightgbm.train(asked, lightgbm.Dataset(x_BF[learned], given_B[learned]), ROUNDS)
        found = np.asarray(booster.predict(x_BF[left_out]))
        p_BG[left_out] = found if classes > 2 else np.stack([1 - found, found], axis=1)
    return p_BG


def anomaly_quantiles(x_BF: Floats, given_B: Ints, options: NoiseOptions) -> Floats:
    """How odd each row is among those of its label (B,), in (0, 1]; missing values are the median."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    seen = np.isfinite(x_BF)
    middle_F = np.array([np.median(x_BF[seen[:, f], f]) if seen[:, f].any() else 0.0 for f in range(x_BF.shape[1])])
    filled = np.where(seen, x_BF, middle_F)
    found_B = np.zeros(len(given_B))
    for given in np.unique(given_B):
        own = given_B == given
        forest = IsolationForest(n_estimators=options.trees, random_state=options.seed)
        found_B[own] = _quantiles(-forest.fit(filled[own]).score_samples(filled[own]))
    return found_B


def _quantiles(values_B: Floats) -> Floats:
    """Rank over the number of rows, in (0, 1]."""
    rank = np.empty(len(values_B))
    rank[np.argsort(values_B, kind="stable")] = np.arange(1, len(values_B) + 1)
    return rank / len(values_B)


def _check(x_BF: Floats, classes: NDArray[Any], given_B: Ints, options: NoiseOptions) -> None:
    if x_BF.ndim != 2 or not x_BF.shape[1] or len(x_BF) != len(given_B):
        raise InputError(f"labels are judged on a table (B, F) with a label a row, got {x_BF.shape}, {len(given_B)}")
    if len(classes) < 2:
        raise InputError(f"labels are judged where there are at least two classes, got {classes.tolist()}")
    count = np.bincount(given_B)
    if count.min() < FEWEST * options.folds:
        least = int(np.argmin(count))
        raise InputError(
            f"class {classes[least]} has {count[least]} rows; {options.folds} folds need at least "
            f"{FEWEST * options.folds}: give more rows, or fewer folds"
        )
