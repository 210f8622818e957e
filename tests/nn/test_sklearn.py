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
from nn.sklearn import ValueClassifier, ValueRegressor

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


@parametrize_with_checks([ValueClassifier(), ValueRegressor()])
@pytest.mark.filterwarnings(UNCONVERGED)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    """All of ``check_estimator`` passes; no failure is declared as expected."""
    check(estimator)


# What it computes


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all alike", "weighted"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_linear_network_is_ridge_regression(solver: str, weights: Any) -> None:
    """Whatever the solver, alpha penalises weights as Ridge's, and no biases; weights of examples count as Ridge's."""
    ridge = Ridge(alpha=20.0).fit(X, NUMBERS, weights)
    settings: Any = {"learning_rate_init": 0.05, "max_iter": 1000, "n_iter_no_change": 1000, "tol": 1e-10, "random_state": 0}
    network = ValueRegressor((), solver=solver, alpha=20.0, **settings).fit(X, NUMBERS, weights)
    assert network.predict(X) == pytest.approx(ridge.predict(X), abs=MINIMUM)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_network_is_logistic_regression(classes: int) -> None:
    """Two classes by one output, three by three: the probabilities are those of the one minimum."""
    y = np.digitize(NUMBERS, [3.0, 4.5][: classes - 1])
    reference = LogisticRegression(C=0.5, tol=1e-8).fit(X, y)
    network = ValueClassifier((), alpha=2.0, solver="lbfgs", tol=1e-8, random_state=0).fit(X, y)
    assert network.predict_proba(X) == pytest.approx(reference.predict_proba(X), abs=MINIMUM)


def test_many_outputs_are_that_many_regressions() -> None:
    """``y`` of shape (examples, outputs): each column is predicted as if alone, where there is no hidden layer to share."""
    y = np.column_stack([NUMBERS, -2.0 * NUMBERS, X[:, 0]])
    network = ValueRegressor((), alpha=20.0, solver="lbfgs", tol=1e-10, max_iter=500, random_state=0).fit(X, y)
    assert network.predict(X) == pytest.approx(Ridge(alpha=20.0).fit(X, y).predict(X), abs=MINIMUM)


@pytest.mark.filterwarnings(UNCONVERGED)
@pytest.mark.parametrize("kind", [ValueClassifier, ValueRegressor])
def test_weights_count_as_repetitions(kind: Any) -> None:
    """A weight of 2 is the example twice, 0 is not at all, in every step of a full batch; ones change nothing."""
    y = NUMBERS > 3 if kind is ValueClassifier else NUMBERS
    settings: Any = {"hidden_layer_sizes": (5,), "max_iter": 20, "random_state": 0, "alpha": 0.1}
    weighted = kind(**settings).fit(X, y, WEIGHTS)
    repeated = kind(**settings).fit(X.repeat(WEIGHTS, 0), y.repeat(WEIGHTS))
    assert weighted.loss_curve_ == pytest.approx(repeated.loss_curve_, rel=SAME)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_activations_have_scikit_learns_names(activation: str) -> None:
    """The network computes what scikit-learn's does with the same numbers in it."""
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
    """Handwritten digits: held-out accuracy, with the same settings."""
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
    """Diabetes: held-out R², with the same settings."""
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


# In scikit-learn's tools


def test_it_works_in_pipelines_grid_search_and_cross_validation() -> None:
    """A grid search over a pipeline's network, in two threads, finds the penalty with which irises are told apart."""
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
    """Names of columns are remembered, and columns in another order are refused; labels come back as they were."""
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
    """Weights, shuffling and the examples set aside depend on ``random_state`` alone; a RandomState moves on."""

    def fitted(random_state: Any) -> Any:
        return ValueRegressor((5,), batch_size=7, early_stopping=True, max_iter=4, random_state=random_state).fit(X, NUMBERS)

    first, again, other = fitted(1), fitted(1), fitted(2)
    assert first.loss_curve_ == again.loss_curve_ != other.loss_curve_
    assert (first.predict(X) == again.predict(X)).all()
    state = np.random.RandomState(0)
    assert fitted(state).loss_curve_ != fitted(state).loss_curve_


def test_a_fitted_estimator_pickles_and_a_clone_is_not_fitted() -> None:
    """Predictions are the same after pickling, whether or not there were any before; the copy can be fitted again."""
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
    """Other numbers in ``model_`` are other predictions; those made before stay as they are."""
    regressor = ValueRegressor((), solver="lbfgs", random_state=0).fit(X, NUMBERS)
    before = regressor.predict(X)
    kept = before.copy()
    assert isinstance(regressor.model_, nn.MLP)
    regressor.model_.layers[0].neurons[0].b.data += 1.0
    assert regressor.predict(X) == pytest.approx(before + 1.0, rel=SAME)
    assert (before == kept).all()


def test_probabilities_beyond_the_range_of_floats_are_0() -> None:
    """Far from the data: no NaN, no warning, and logarithms that are those of the probabilities, as scikit-learn wants it."""
    classifier = ValueClassifier((), solver="lbfgs", random_state=0).fit([[-1.0], [1.0]], [0, 1])
    assert classifier.predict_proba([[-1e4], [1e4]]).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert classifier.predict_log_proba([[-1e4], [1e4]]).tolist() == [[0.0, -np.inf], [-np.inf, 0.0]]


def test_training_stops_when_the_loss_stops_improving() -> None:
    """Without examples set aside it is the training loss that counts, and the model is that of the last epoch."""
    regressor = ValueRegressor((), learning_rate_init=0.1, tol=1e-3, n_iter_no_change=5, max_iter=500, random_state=0)
    regressor.fit(X, NUMBERS)
    curve = regressor.loss_curve_
    assert regressor.n_iter_ == len(curve) == len(regressor.history_) < 500
    assert regressor.loss_ == curve[-1] < curve[0]
    assert min(curve[-5:]) >= min(curve[:-5]) - 1e-3
    assert regressor.history_.validation_loss is None


def test_early_stopping_keeps_the_model_of_the_best_epoch() -> None:
    """A tenth of the examples is set aside, by class; when they are predicted less well the training ends."""
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
    """As scikit-learn's own: a ConvergenceWarning when max_iter was reached."""
    regressor = ValueRegressor((5,), solver=solver, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=3 was reached before"):
        regressor.fit(X, NUMBERS)
    assert regressor.n_iter_ in range(3, 6)  # L-BFGS ends with the line search that it is in


def test_verbose_shows_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines on stderr, and nothing without ``verbose``."""
    settings: Any = {"hidden_layer_sizes": (), "learning_rate_init": 0.1, "max_iter": 500, "random_state": 0}
    ValueRegressor(**settings).fit(X, NUMBERS)
    assert capsys.readouterr().err == ""
    ValueRegressor(verbose=True, **settings).fit(X, NUMBERS)
    assert "epoch" in capsys.readouterr().err


def test_an_interrupt_in_the_first_epoch_leaves_a_model() -> None:
    """Ctrl-C ends the training; there is no loss yet, and what was learned predicts."""

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
        ({"hidden_layer_sizes": (5, 0)}, "nout must be a whole number from 1 on, not 0"),
        ({"hidden_layer_sizes": (2.5,)}, "nout must be a whole number from 1 on, not 2.5"),
    ],
)
def test_settings_that_make_no_sense(settings: Any, message: str) -> None:
    """The ranges are scikit-learn's, and so are the messages; they come with ``fit``, as scikit-learn wants it."""
    with pytest.raises(ValueError, match=message):
        ValueClassifier(**settings).fit(IRIS, SPECIES)


def test_labels_that_are_none() -> None:
    """One class only, numbers that are no classes, two columns."""
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
    """None that counts, fewer than nothing, too few."""
    for weights, message in [(np.zeros(60), "zero for all examples"), (-np.ones(60), "(?i)negative"), (np.ones(3), "shape")]:
        with pytest.raises(ValueError, match=message):
            ValueRegressor().fit(X, NUMBERS, weights)


def test_a_training_that_diverges_says_so_and_fits_nothing() -> None:
    """The message of nn.fit names the learning rate; the estimator is not fitted."""
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
