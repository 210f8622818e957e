"""``nn.sklearn``: scikit-learn's own checks, its tools, and its own estimators as references."""

from __future__ import annotations

import importlib
import pickle
import signal
import sys
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import nn
from nn.sklearn import ValueClassifier, ValueRegressor, _parts

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
NUMBERS = X @ [1.0, -2.0, 0.5] + 3.0 + RNG.normal(scale=0.5, size=60)
WEIGHTS = RNG.integers(0, 4, size=60)
IRIS, SPECIES = load_iris(return_X_y=True)
MINIMUM = 2e-3
"""How far from the minimum a solver may end: an iteration lowered the loss by less than 1e-9 of it, and the distance is the
root of that, times some ten for the condition of the problem."""
SAME = 1e-9
"""Sums in another order, over some hundred steps."""
UNCONVERGED = "ignore::sklearn.exceptions.ConvergenceWarning"
AS_GOOD = 0.03
"""Scores of held-out examples vary by this much from seed to seed: 450 digits at 97 % have a standard error of 0.8 %."""


SHORT: Any = {"early_stopping": True, "max_iter": 60}


@parametrize_with_checks([ValueClassifier(), ValueRegressor(), ValueClassifier(**SHORT), ValueRegressor(**SHORT)])
@pytest.mark.filterwarnings(UNCONVERGED)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    """All of ``check_estimator`` passes; no failure is declared as expected."""
    check(estimator)


# What it computes


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all alike", "weighted"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_linear_network_is_ridge_regression(solver: str, weights: Any) -> None:
    """With each solver, alpha penalises weights but not biases, as Ridge's does, and examples are weighted as by Ridge."""
    ridge = Ridge(alpha=20.0).fit(X, NUMBERS, weights)
    settings: Any = {"learning_rate_init": 0.05, "max_iter": 1000, "n_iter_no_change": 1000, "tol": 1e-10, "random_state": 0}
    network = ValueRegressor((), solver=solver, alpha=20.0, **settings).fit(X, NUMBERS, weights)
    assert network.predict(X) == pytest.approx(ridge.predict(X), abs=MINIMUM)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_network_is_logistic_regression(classes: int) -> None:
    """Two classes have one output, three have three. The probabilities are those of the only minimum."""
    y = np.digitize(NUMBERS, [3.0, 4.5][: classes - 1])
    reference = LogisticRegression(C=0.5, tol=1e-8).fit(X, y)
    network = ValueClassifier((), alpha=2.0, solver="lbfgs", tol=1e-8, random_state=0).fit(X, y)
    assert network.predict_proba(X) == pytest.approx(reference.predict_proba(X), abs=MINIMUM)


def test_many_outputs_are_that_many_regressions() -> None:
    """``y`` has the shape (examples, outputs). Without a hidden layer, each column is predicted as it would be alone."""
    y = np.column_stack([NUMBERS, -2.0 * NUMBERS, X[:, 0]])
    network = ValueRegressor((), alpha=20.0, solver="lbfgs", tol=1e-10, max_iter=500, random_state=0).fit(X, y)
    assert network.predict(X) == pytest.approx(Ridge(alpha=20.0).fit(X, y).predict(X), abs=MINIMUM)


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize("kind", [ValueClassifier, ValueRegressor])
def test_weights_count_as_repetitions(kind: Any) -> None:
    """In full batches, a weight of 2 is the same as the example twice, and 0 as no example. Weights of 1 change nothing."""
    y = NUMBERS > 3 if kind is ValueClassifier else NUMBERS
    settings: Any = {"hidden_layer_sizes": (5,), "max_iter": 20, "random_state": 0, "alpha": 0.1}
    weighted = kind(**settings).fit(X, y, WEIGHTS)
    repeated = kind(**settings).fit(X.repeat(WEIGHTS, 0), y.repeat(WEIGHTS))
    assert weighted.loss_curve_ == pytest.approx(repeated.loss_curve_, rel=SAME)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_activations_have_scikit_learns_names(activation: str) -> None:
    """With the same numbers, the network computes the same as scikit-learn's."""
    reference = MLPRegressor(
        hidden_layer_sizes=(4,), activation=activation, solver="lbfgs", max_iter=500, alpha=1.0, random_state=0
    ).fit(X, NUMBERS)
    network = ValueRegressor((4,), activation, solver="lbfgs", alpha=1.0, max_iter=500, random_state=0).fit(X, NUMBERS)
    for layer, weights, biases in zip(network.model_.layers, reference.coefs_, reference.intercepts_, strict=True):
        for neuron, row, bias in zip(layer.neurons, weights.T, biases, strict=True):
            neuron.b.data = bias
            for w, number in zip(neuron.w, row, strict=True):
                w.data = number
    assert network.predict(X) == pytest.approx(reference.predict(X), rel=SAME)


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize(
    "settings", [{}, {"solver": "sgd", "learning_rate_init": 0.1}, {"solver": "lbfgs"}, {"early_stopping": True}], ids=str
)
def test_it_is_as_good_as_scikit_learns_classifier(settings: Any) -> None:
    """The accuracy for held-out handwritten digits, with the same settings."""
    digits, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(digits / 16, labels, random_state=0, stratify=labels)
    settings = {
        "hidden_layer_sizes": (32,),
        "learning_rate_init": 0.01,
        "max_iter": 60,
        "tol": 1e-3,
        "random_state": 0,
    } | settings
    theirs, ours = [kind(**settings).fit(train_x, train_y).score(test_x, test_y) for kind in (MLPClassifier, ValueClassifier)]
    assert ours > theirs - AS_GOOD
    assert ours > 0.93


@pytest.mark.filterwarnings(UNCONVERGED)
def test_it_is_as_good_as_scikit_learns_regressor() -> None:
    """R² for held-out examples of the diabetes data, with the same settings."""
    data, y = load_diabetes(return_X_y=True)
    settings: Any = {
        "hidden_layer_sizes": (20,),
        "alpha": 100.0,
        "learning_rate_init": 0.01,
        "max_iter": 300,
        "random_state": 0,
    }
    models = [make_pipeline(StandardScaler(), kind(**settings)) for kind in (MLPRegressor, ValueRegressor)]
    theirs, ours = [cross_val_score(model, data, y, cv=3).mean() for model in models]
    assert ours > theirs - AS_GOOD
    assert ours > 0.4


# As scikit-learn's own, step by step


def alike(ours: Any, theirs: Any, x: Any, y: Any, **settings: Any) -> None:
    """Fit both for an epoch, put our numbers into theirs, and fit both further, with these settings."""
    for network in (ours, theirs):
        network.set_params(
            hidden_layer_sizes=(4,),
            batch_size=20,
            shuffle=False,
            warm_start=True,
            random_state=0,
            max_iter=1,
            alpha=0.5,
            **{"n_iter_no_change": 100, "learning_rate_init": 0.05} | settings,
        )
        with pytest.warns(ConvergenceWarning):
            network.fit(x, y)
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    theirs.best_loss_, theirs._no_improvement_count = ours._best, ours._idle


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_an_epoch_is_that_of_scikit_learn(classes: int, activation: str) -> None:
    """An epoch with mini-batches, momentum and penalty leads from the same numbers to the same numbers."""
    kinds: Any = (ValueClassifier, MLPClassifier) if classes else (ValueRegressor, MLPRegressor)
    y = np.digitize(NUMBERS, [3.0, 4.5][: classes - 1]) if classes else NUMBERS
    ours, theirs = [kind(solver="sgd", activation=activation) for kind in kinds]
    alike(ours, theirs, X, y)
    for network in (ours, theirs):
        network.set_params(max_iter=3).fit(X, y)
    assert ours.loss_curve_[1:] == pytest.approx(theirs.loss_curve_[1:], rel=SAME)
    assert [table.shape for table in ours.coefs_] == [(3, 4), (4, ours.n_outputs_)]
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert mine == pytest.approx(other, rel=SAME, abs=SAME)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": "invscaling"},
        {"learning_rate": "invscaling", "power_t": 0.1, "learning_rate_init": 0.1},
        {"learning_rate": "adaptive", "n_iter_no_change": 2, "tol": 0.05, "learning_rate_init": 0.02},
        {"learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 10.0},
    ],
    ids=str,
)
def test_learning_rates_are_scikit_learns(settings: Any) -> None:
    """They agree after each epoch, until the adaptive rate is so small that the training ends."""
    ours, theirs = ValueRegressor(solver="sgd"), MLPRegressor(solver="sgd")
    alike(ours, theirs, X, NUMBERS, **settings)
    for network in (ours, theirs):
        network.set_params(max_iter=60).fit(X, NUMBERS)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_curve_[1:] == pytest.approx(theirs.loss_curve_[1:], rel=SAME)
    assert ours.history_.lr[0] == ours.learning_rate_init > 2.0 * ours.history_.lr[-1]


def test_an_adaptive_rate_ends_the_training_without_a_warning() -> None:
    """No epoch improves by 10, so 0.05 is divided by 5 after each 3 epochs. It is below 1e-6 after seven divisions."""
    network = ValueRegressor(
        (4,), solver="sgd", learning_rate="adaptive", learning_rate_init=0.05, n_iter_no_change=2, tol=1e9, random_state=0
    )
    network.fit(X, NUMBERS)
    rates = network.history_.lr
    assert rates[0] == 0.05
    assert sorted(set(rates), reverse=True) == pytest.approx([0.05 * 5.0**-k for k in range(8)])
    assert network.n_iter_ == 1 + 3 * 8 < network.max_iter
    with pytest.warns(ConvergenceWarning):
        early = clone(network).set_params(early_stopping=True, max_iter=10).fit(X, NUMBERS)
    assert early.history_.lr[-1] < 0.05


# Going on


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize(
    "settings", [{}, {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.05}], ids=str
)
def test_parts_are_epochs_with_the_optimizer_as_it_was(settings: Any) -> None:
    """Five calls of ``partial_fit`` equal a ``fit`` of five epochs, also with pickling in between."""
    whole = ValueClassifier((4,), max_iter=5, shuffle=False, random_state=0, **settings).fit(IRIS, SPECIES)
    parts = ValueClassifier((4,), shuffle=False, random_state=0, **settings).partial_fit(IRIS, SPECIES, classes=[0, 1, 2])
    assert (parts.n_iter_, parts.t_) == (1, 150)
    parts.partial_fit(IRIS, SPECIES)
    parts = pickle.loads(pickle.dumps(parts))
    for _ in range(3):
        assert parts.partial_fit(IRIS, SPECIES, np.ones(150)) is parts
    assert parts.loss_curve_ == pytest.approx(whole.loss_curve_, rel=SAME)
    assert (parts.n_iter_, parts.t_, whole.t_) == (1, 750, 750)
    assert parts.predict_proba(IRIS) == pytest.approx(whole.predict_proba(IRIS), rel=SAME)
    assert (
        ValueRegressor((4,), random_state=0).partial_fit(X, NUMBERS).partial_fit(X, NUMBERS, WEIGHTS).t_
        == 60 + (WEIGHTS > 0).sum()
    )


def test_a_part_need_not_have_all_classes() -> None:
    classifier = ValueClassifier((4,), learning_rate_init=0.05, random_state=0)
    for _ in range(40):
        for label in (2, 0, 1):
            part = np.flatnonzero(SPECIES == label)  # noqa: SIM300 - the array is on the left
            classifier.partial_fit(IRIS[part], SPECIES[part], classes=[0, 1, 2])
    assert classifier.predict_proba(IRIS).shape == (150, 3)
    assert classifier.t_ == 40 * 150


def test_parts_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        ValueClassifier().partial_fit(IRIS, SPECIES)
    classifier = ValueClassifier((4,), random_state=0).partial_fit(IRIS, SPECIES, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        classifier.partial_fit(IRIS, SPECIES, classes=[0, 1])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`.*'y' has \[3\]"):
        classifier.partial_fit(IRIS, np.full(150, 3))
    with pytest.raises(ValueError, match="3 features, but ValueClassifier is expecting 4"):
        classifier.partial_fit(IRIS[:, :3], SPECIES)
    with pytest.raises(ValueError, match="there is only one class"):
        ValueClassifier().partial_fit(IRIS, np.zeros(150), classes=[0])
    for settings in ({"solver": "lbfgs"}, {"early_stopping": True}, {"class_weight": "balanced"}):
        assert not hasattr(ValueClassifier(**settings), "partial_fit")
        if "class_weight" not in settings:
            assert not hasattr(ValueRegressor(**settings), "partial_fit")


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_warm_start_begins_where_the_last_fit_ended(solver: str) -> None:
    settings: Any = {
        "hidden_layer_sizes": (5,),
        "solver": solver,
        "max_iter": 20,
        "learning_rate_init": 0.01,
        "random_state": 0,
    }
    cold, warm = ValueRegressor(**settings), ValueRegressor(warm_start=True, **settings)
    for network in (cold, warm):
        network.fit(X, NUMBERS)
    assert warm.loss_curve_ == cold.loss_curve_
    before = cold.loss_
    for network in (cold, warm):
        network.fit(X, NUMBERS)
    assert len(cold.loss_curve_) == 20
    assert cold.loss_ == before
    assert warm.loss_curve_[:20] == cold.loss_curve_
    assert len(warm.loss_curve_) == 40
    assert warm.loss_ < before
    assert warm.n_iter_ == 20


@pytest.mark.filterwarnings(UNCONVERGED)
def test_a_warm_start_that_does_not_fit_is_refused() -> None:
    classifier = ValueClassifier((4,), warm_start=True, max_iter=2, random_state=0).fit(IRIS, SPECIES)
    with pytest.raises(ValueError, match="warm_start continues with the classes"):
        classifier.fit(IRIS[:100], SPECIES[:100])
    with pytest.raises(ValueError, match="features"):
        classifier.fit(IRIS[:, :2], SPECIES)
    with pytest.raises(ValueError, match=r"has other layers than \[5, 3\]: fit a clone"):
        classifier.set_params(hidden_layer_sizes=(5,)).fit(IRIS, SPECIES)


# Weights of classes


@pytest.mark.parametrize("classes", [2, 3])
def test_balanced_classes_are_those_of_logistic_regression(classes: int) -> None:
    y = np.digitize(NUMBERS, [5.0, 6.0][: classes - 1])
    reference = LogisticRegression(C=0.5, tol=1e-8, class_weight="balanced").fit(X, y)
    settings: Any = {"alpha": 2.0, "solver": "lbfgs", "tol": 1e-8, "class_weight": "balanced", "random_state": 0}
    network = ValueClassifier((), **settings).fit(X, y)
    assert network.predict_proba(X) == pytest.approx(reference.predict_proba(X), abs=MINIMUM)
    repeated = ValueClassifier((), **settings).fit(X.repeat(WEIGHTS, 0), y.repeat(WEIGHTS))
    assert ValueClassifier((), **settings).fit(X, y, WEIGHTS).predict_proba(X) == pytest.approx(
        repeated.predict_proba(X), abs=MINIMUM
    )


@pytest.mark.filterwarnings(UNCONVERGED)
def test_a_weight_of_a_class_is_that_of_its_examples() -> None:
    """A class that is not in the dict has the weight 1. A class of weight 0 is left out."""
    names = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
    settings: Any = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
    for of_classes in ({"setosa": 3.0, "versicolor": 1.0, "virginica": 0.5}, {"setosa": 0.0}):
        by_class = ValueClassifier(class_weight=of_classes, **settings).fit(IRIS, names, np.full(150, 2.0))
        weights = np.array([of_classes.get(name, 1.0) for name in names])
        if weights.all():
            by_example = ValueClassifier(**settings).fit(IRIS, names, 2.0 * weights)
            assert by_class.loss_curve_ == pytest.approx(by_example.loss_curve_, rel=SAME)
        assert by_class.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    parts = ValueClassifier(class_weight={0: 2.0}, random_state=0).partial_fit(IRIS, SPECIES, classes=[0, 1, 2])
    assert parts.t_ == 150


@pytest.mark.parametrize(
    ("of_classes", "message"),
    [
        ({0: 0, 1: 0, 2: 0}, "class_weight is zero for all examples"),
        ({0: -1.0}, "(?i)negative"),
        ({"a": 1.0}, "are not in class_weight"),
        ("even", "The 'class_weight' parameter of ValueClassifier must be"),
        ([1, 2, 3], "The 'class_weight' parameter of ValueClassifier must be"),
    ],
)
def test_weights_of_classes_that_make_no_sense(of_classes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ValueClassifier(class_weight=of_classes).fit(IRIS, SPECIES)


# Examples set aside


def test_equal_examples_are_set_aside_together_and_each_class_keeps_one() -> None:
    """So a weight of 2 is the same as two examples here, too, in any order."""
    x = np.arange(20.0)[:, None]
    y = np.array([0] * 17 + [1, 1, 2])
    twice, order = np.arange(20).repeat(2), np.random.default_rng(1).permutation(20)
    for seed in range(20):
        parts = [
            _parts(x[which], y[which], weights, y[which], 0.2, np.random.default_rng(seed))
            for which, weights in ((np.arange(20), None), (twice, None), (order, np.full(20, 2.0)))
        ]
        (train, held), (train_2, held_2), (train_3, held_3) = parts
        assert sorted([*train, *held]) == [*range(20)]
        assert len(held) in (3, 4)
        assert set(y[train]) == {0, 1, 2}
        assert set(twice[held_2]) == set(order[held_3]) == set(held)
        assert set(twice[train_2]) == set(order[train_3]) == set(train)


def test_few_examples_are_enough_for_early_stopping_and_none_is_refused() -> None:
    settings: Any = {"early_stopping": True, "max_iter": 2, "random_state": 0}
    with pytest.warns(ConvergenceWarning):
        assert len(ValueClassifier(**settings).fit([[0], [1], [2]], [0, 0, 1]).history_.validation_loss) == 2
    for message, fraction, labels in (("no example to set aside", 0.1, [0, 1, 2]), ("validation_fraction=0.0", 0.0, [0, 0, 1])):
        with pytest.raises(ValueError, match=message):
            ValueClassifier(validation_fraction=fraction, **settings).fit([[0], [1], [2]], labels)


# In scikit-learn's tools


def test_it_works_in_pipelines_grid_search_and_cross_validation() -> None:
    """A grid search over a pipeline's network, in two threads, finds the penalty that classifies irises best."""
    network = ValueClassifier(solver="lbfgs", max_iter=1000, random_state=0)
    grid = {"valueclassifier__hidden_layer_sizes": [(4,), (6, 4)], "valueclassifier__alpha": [1.0, 1e4]}
    search = GridSearchCV(make_pipeline(StandardScaler(), network), grid, cv=3)
    with parallel_config("threading", n_jobs=2):
        search.fit(IRIS, SPECIES)
    assert search.best_params_["valueclassifier__alpha"] == 1.0
    assert search.best_score_ > 0.9
    assert cross_val_score(search.best_estimator_, IRIS, SPECIES).mean() > 0.9
    assert cross_val_predict(search.best_estimator_, IRIS, SPECIES, method="predict_proba").shape == (150, 3)


def test_data_frames_and_labels_that_are_text() -> None:
    """Names of columns are remembered, and columns in another order are refused. Predicted labels are text, too."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(IRIS, columns=["a", "b", "c", "d"])
    names = pd.Series(np.array(["setosa", "versicolor", "virginica"])[SPECIES])
    classifier = ValueClassifier((4,), solver="lbfgs", alpha=1.0, random_state=0).fit(frame, names)
    assert classifier.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert classifier.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert (classifier.predict(frame) == names).mean() > 0.95
    assert classifier.score(frame, names) == np.mean(classifier.predict(frame) == names)
    with pytest.raises(ValueError, match="order"):
        classifier.predict(frame[["b", "a", "c", "d"]])


@pytest.mark.filterwarnings(UNCONVERGED)
def test_the_same_random_state_gives_the_same_bits() -> None:
    """Weights, shuffling and the examples set aside depend on ``random_state`` alone. A RandomState changes with each fit."""

    def fitted(random_state: Any) -> Any:
        return ValueRegressor((5,), batch_size=7, early_stopping=True, max_iter=4, random_state=random_state).fit(X, NUMBERS)

    first, again, other = fitted(1), fitted(1), fitted(2)
    assert first.loss_curve_ == again.loss_curve_ != other.loss_curve_
    assert (first.predict(X) == again.predict(X)).all()
    state = np.random.RandomState(0)
    assert fitted(state).loss_curve_ != fitted(state).loss_curve_


def test_a_fitted_estimator_pickles_and_a_clone_is_not_fitted() -> None:
    """Predictions are the same after pickling, also if none were made before. The copy can be fitted again."""
    classifier = ValueClassifier((4,), solver="lbfgs", alpha=1.0, random_state=0).fit(IRIS, SPECIES)
    unused = pickle.loads(pickle.dumps(classifier))
    before = classifier.predict_proba(IRIS)
    used = pickle.loads(pickle.dumps(classifier))
    assert (unused.predict_proba(IRIS) == before).all()
    assert (used.predict_proba(IRIS) == before).all()
    assert (used.fit(IRIS, SPECIES).predict_proba(IRIS) == before).all()
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(IRIS)


# What there is after fit


def test_predictions_are_made_from_the_model() -> None:
    """After a change of the numbers in ``model_`` predictions differ. Earlier predictions do not change."""
    regressor = ValueRegressor((), solver="lbfgs", random_state=0).fit(X, NUMBERS)
    before = regressor.predict(X)
    kept = before.copy()
    assert isinstance(regressor.model_, nn.MLP)
    regressor.model_.layers[0].neurons[0].b.data += 1.0
    assert regressor.predict(X) == pytest.approx(before + 1.0, rel=SAME)
    assert (before == kept).all()


def test_probabilities_beyond_the_range_of_floats_are_0() -> None:
    """Far from the data there are no NaNs and no warnings, and logarithms are those of the probabilities."""
    classifier = ValueClassifier((), solver="lbfgs", random_state=0).fit([[-1.0], [1.0]], [0, 1])
    assert classifier.predict_proba([[-1e4], [1e4]]).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert classifier.predict_log_proba([[-1e4], [1e4]]).tolist() == [[0.0, -np.inf], [-np.inf, 0.0]]


def test_training_stops_when_the_loss_stops_improving() -> None:
    """Without examples set aside, the training loss counts, and the model has the numbers of the last epoch."""
    regressor = ValueRegressor((), learning_rate_init=0.1, tol=1e-3, n_iter_no_change=5, max_iter=500, random_state=0)
    regressor.fit(X, NUMBERS)
    curve = regressor.loss_curve_
    assert regressor.n_iter_ == len(curve) == len(regressor.history_) < 500
    assert regressor.loss_ == curve[-1] < curve[0]
    assert min(curve[-5:]) >= min(curve[:-5]) - 1e-3
    assert regressor.history_.validation_loss is None


def test_early_stopping_keeps_the_model_of_the_best_epoch() -> None:
    """A tenth of each class is set aside. The training ends when the loss of these examples no longer improves."""
    points, moons = make_moons(200, noise=0.4, random_state=0)
    settings: Any = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.1, "validation_fraction": 0.2, "random_state": 0}
    classifier = ValueClassifier(early_stopping=True, **settings).fit(points, moons)
    history = classifier.history_
    assert classifier.n_iter_ < 200
    assert history.best_epoch == classifier.n_iter_ - 10
    assert history.validation_loss.argmin() + 1 == history.best_epoch
    shorter = ValueClassifier(early_stopping=True, max_iter=history.best_epoch, **settings)
    with pytest.warns(ConvergenceWarning):
        shorter.fit(points, moons)
    assert (shorter.predict_proba(points) == classifier.predict_proba(points)).all()


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_an_end_before_convergence_is_a_warning(solver: str) -> None:
    """A ConvergenceWarning, as scikit-learn's, if max_iter was reached."""
    regressor = ValueRegressor((5,), solver=solver, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=3 was reached before"):
        regressor.fit(X, NUMBERS)
    assert regressor.n_iter_ == len(regressor.loss_curve_) == 3


def test_iterations_of_lbfgs_are_scipys() -> None:
    """``max_iter`` limits iterations, and ``max_fun`` evaluations, of which an iteration takes one or more."""
    settings: Any = {"activation": "tanh", "solver": "lbfgs", "alpha": 1.0, "random_state": 0}
    regressor = ValueRegressor((5,), max_iter=1000, **settings).fit(X, NUMBERS)
    curve = regressor.loss_curve_
    assert regressor.n_iter_ == len(curve) < 1000
    assert curve == sorted(curve, reverse=True)
    assert regressor.loss_ == curve[-1] < regressor.history_.loss[0]
    with pytest.warns(ConvergenceWarning):
        shorter = ValueRegressor((5,), max_iter=5, **settings).fit(X, NUMBERS)
    assert shorter.loss_curve_ == curve[:5]
    with pytest.warns(ConvergenceWarning):
        assert ValueRegressor((5,), max_fun=5, **settings).fit(X, NUMBERS).n_iter_ <= 5  # each takes one evaluation or more


def test_verbose_shows_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines on stderr, and nothing without ``verbose``."""
    settings: Any = {"hidden_layer_sizes": (), "learning_rate_init": 0.1, "max_iter": 500, "random_state": 0}
    ValueRegressor(**settings).fit(X, NUMBERS)
    assert capsys.readouterr().err == ""
    ValueRegressor(verbose=True, **settings).fit(X, NUMBERS)
    assert "epoch" in capsys.readouterr().err


def test_an_interrupt_in_the_first_epoch_leaves_a_model() -> None:
    """Ctrl-C ends the training before the first loss. The estimator can predict."""

    class Interrupted(ValueRegressor):
        def _optimizer(self, parameters: Any) -> Any:
            optimizer = super()._optimizer(parameters)
            descend = optimizer.descend

            def interrupted(*args: Any) -> Any:
                signal.raise_signal(signal.SIGINT)
                return descend(*args)

            optimizer.descend = interrupted
            return optimizer

    regressor = Interrupted((5,), batch_size=10, random_state=0).fit(X, NUMBERS)
    assert regressor.history_.stopped == "interrupted"
    assert (regressor.n_iter_, regressor.loss_curve_) == (0, [])
    assert np.isnan(regressor.loss_)
    assert regressor.predict(X).shape == (60,)


# Mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "gelu"}, "The 'activation' parameter of ValueClassifier must be a str among"),
        ({"solver": "newton"}, "The 'solver' parameter"),
        ({"alpha": -1.0}, "The 'alpha' parameter"),
        ({"max_iter": 0}, "The 'max_iter' parameter"),
        ({"max_fun": 0}, "The 'max_fun' parameter"),
        ({"learning_rate": "fast"}, "The 'learning_rate' parameter"),
        ({"power_t": -1.0}, "The 'power_t' parameter"),
        ({"warm_start": "yes"}, "The 'warm_start' parameter"),
        ({"hidden_layer_sizes": (5, 0)}, "nout must be a whole number of at least 1, not 0"),
        ({"hidden_layer_sizes": (2.5,)}, "nout must be a whole number of at least 1, not 2.5"),
    ],
)
def test_settings_that_make_no_sense(settings: Any, message: str) -> None:
    """Ranges and messages are scikit-learn's. The errors are raised by ``fit``, as scikit-learn requires."""
    with pytest.raises(ValueError, match=message):
        ValueClassifier(**settings).fit(IRIS, SPECIES)


def test_labels_that_are_none() -> None:
    """A single class, numbers that are not classes, and two columns."""
    with pytest.raises(ValueError, match="there is only one class in y: (np.int64\\()?7"):
        ValueClassifier().fit(X, np.full(60, 7))
    with pytest.raises(ValueError, match="Unknown label type"):
        ValueClassifier().fit(X, NUMBERS)
    with pytest.raises(ValueError, match="y should be a 1d array"):
        ValueClassifier().fit(X, np.column_stack([SPECIES[:60], SPECIES[:60]]))


def test_a_column_for_y_is_noticed() -> None:
    """As in scikit-learn: a warning, and one number for each example."""
    with pytest.warns(DataConversionWarning):
        regressor = ValueRegressor((), solver="lbfgs", random_state=0).fit(X, NUMBERS[:, None])
    assert regressor.predict(X).shape == (60,)


def test_weights_that_make_no_sense() -> None:
    """All zero, negative, and too few."""
    for weights, message in [(np.zeros(60), "zero for all examples"), (-np.ones(60), "(?i)negative"), (np.ones(3), "shape")]:
        with pytest.raises(ValueError, match=message):
            ValueRegressor().fit(X, NUMBERS, weights)


def test_a_training_that_diverges_says_so_and_fits_nothing() -> None:
    """The message of nn.fit names the learning rate, and the estimator is not fitted."""
    regressor = ValueRegressor((5,), "identity", solver="sgd", learning_rate_init=1e6, random_state=0)
    with pytest.raises(nn.DivergedError, match="learning rate"):
        regressor.fit(X, NUMBERS)
    with pytest.raises(NotFittedError):
        regressor.predict(X)


def test_without_scikit_learn_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """``import nn.sklearn`` says how to install it."""
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "nn.sklearn")
    with pytest.raises(ModuleNotFoundError, match=r'python -m pip install "scalar-autograd\[sklearn\]"'):
        importlib.import_module("nn.sklearn")
