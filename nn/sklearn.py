"""Networks of Values as scikit-learn's estimators: for its pipelines, grid search and cross-validation."""

# ruff: noqa: N803, N806 - X is scikit-learn's name for the examples, and may be passed by it

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

import autograd
from nn.examples import mapped
from nn.layers import MLP
from nn.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from nn.optim import LBFGS, SGD, Adam, Optimizer
from nn.training import EarlyStopping, fit

try:
    from scipy.special import softmax
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    msg = 'nn.sklearn needs scikit-learn, 1.6 or later: python -m pip install "scalar-autograd[sklearn]"'
    raise ModuleNotFoundError(msg, name=error.name) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograd import Value

Array = NDArray[Any]

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""scikit-learn's names, and ours."""
_AUTO = 200
"""The largest batch that batch_size="auto" makes."""


class _Penalized(Optimizer):
    """An ``optimizer`` of the loss plus half of ``decay · θ²``, scikit-learn's penalty of large weights."""

    def __init__(self, optimizer: Optimizer, decay: Array) -> None:
        super().__init__(optimizer.parameters, optimizer.lr)
        self.optimizer = optimizer
        self.decay = decay
        self.losses: list[float] = []
        """One for each time that the loss was computed, the penalty included."""

    def descend(self, value_and_grad: Callable[[Array], tuple[float, Array]], theta: Array) -> tuple[float, Array]:
        """See Optimizer."""

        def penalized(theta: Array) -> tuple[float, Array]:
            loss, gradient = value_and_grad(theta)
            decayed = self.decay * theta
            self.losses.append(loss + 0.5 * float(decayed @ theta))
            return self.losses[-1], gradient + decayed

        return self.optimizer.descend(penalized, theta)


class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What classifier and regressor have in common: the settings, and the training."""

    def __init__(  # noqa: PLR0913 - scikit-learn's settings, and each has a name
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: Any = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change

    _parameter_constraints: ClassVar = MLPClassifier._parameter_constraints  # noqa: SLF001 - names and ranges are to be the same

    def _train(
        self, X: Array, targets: Any, *, outputs: int, loss: Callable[[Any, Any], Any], strata: Array | None = None
    ) -> Self:
        """Train a new network on what has been checked; ``targets`` are an array, or a pair of arrays: that and weights."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        rng = np.random.default_rng(seed)
        sizes = [*np.ravel(self.hidden_layer_sizes).tolist(), outputs]
        model = MLP(X.shape[1], sizes, _ACTIVATIONS[self.activation], rng=rng)
        named = dict(model.named_parameters())

        alpha, loss_of_example, examples, held_out = self.alpha, loss, (X, targets), None
        if isinstance(targets, tuple):
            y, weights = targets
            alpha /= weights.mean()
            examples = X, (y, weights / weights.mean())

            def loss_of_example(prediction: Any, target: tuple[Any, Any]) -> Any:
                return target[1] * loss(prediction, target[0])

        stochastic = self.solver != "lbfgs"
        if stochastic and self.early_stopping:
            parts = train_test_split(np.arange(len(X)), test_size=self.validation_fraction, random_state=seed, stratify=strata)
            examples, held_out = [mapped(lambda array: array[part], examples) for part in parts]  # noqa: B023 - called at once
        at_most = _AUTO if self.batch_size == "auto" else self.batch_size
        size = min(len(examples[0]), at_most) if stochastic else len(examples[0])
        decay = np.array([0.0 if name.endswith(".b") else alpha / size for name in named])
        optimizer = _Penalized(self._optimizer([*named.values()]), decay)
        patience = min(self.n_iter_no_change, self.max_iter)  # the first may be infinite
        history = fit(
            model,
            *examples,
            loss=loss_of_example,
            optimizer=optimizer,
            epochs=self.max_iter if stochastic else 1,
            batch_size=size,
            shuffle=self.shuffle,
            validation=held_out,
            early_stopping=EarlyStopping(patience, self.tol, restore_best=held_out is not None),
            progress=bool(self.verbose),
            rng=rng,
        )
        self.model_ = model
        self.history_ = history
        self.loss_curve_ = history.loss.tolist() if stochastic else np.minimum.accumulate(optimizer.losses).tolist()
        self.loss_ = [np.nan, *self.loss_curve_][-1]  # Ctrl-C may come in the first epoch
        self.n_iter_ = len(self.loss_curve_)
        self._compiled = autograd.compile(model, reduction=None)
        if self.n_iter_ >= self.max_iter:
            message = (
                f"max_iter={self.max_iter} was reached before the loss stopped improving: "
                "set max_iter, learning_rate_init or tol higher, or scale the inputs"
            )
            warnings.warn(message, ConvergenceWarning, stacklevel=3)
        return self

    def _optimizer(self, parameters: list[Value]) -> Optimizer:
        """The solver, as it is called here."""
        if self.solver == "lbfgs":
            return LBFGS(parameters, max_iter=self.max_iter, max_eval=self.max_iter, tolerance_grad=self.tol)
        if self.solver == "sgd":
            nesterov = self.nesterovs_momentum and self.momentum > 0
            return SGD(parameters, self.learning_rate_init, self.momentum, nesterov=nesterov)
        return Adam(parameters, self.learning_rate_init)

    def _outputs(self, X: Any) -> Array:
        """What the network makes of each example."""
        check_is_fitted(self, "model_")
        _refuse_to_lose(X)
        outputs: Array = self._compiled(validate_data(self, X, dtype=np.float64, reset=False))
        return outputs


class ValueClassifier(ClassifierMixin, _Network):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron that tells classes apart, trained by :func:`nn.fit` on the cross-entropy.

    Settings, their defaults and what they may be are as those of scikit-learn's MLPClassifier that have the same names, and
    ``alpha`` is the same penalty. These differ: weights start as in :class:`nn.MLP`; an epoch is an improvement if its loss is
    lower by ``tol`` than the best so far; ``early_stopping`` looks at the loss of the examples set aside, not at their
    accuracy. ``random_state=0``, or any other number, makes the same bits each time.

    After ``fit``: ``model_``, the network, from which predictions are made; ``history_``, an :class:`nn.History`;
    ``loss_curve_`` and ``loss_``, penalty included; ``n_iter_``, the epochs; ``classes_``, ``n_features_in_`` and, if ``X`` was
    a data frame, ``feature_names_in_``. With ``solver="lbfgs"``, what counts as an iteration, in ``max_iter`` too, is each
    time that the loss of all examples is computed, and all of it is one epoch to ``history_``.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["same", "different", "different", "same"]
    >>> classifier = ValueClassifier((8,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
    >>> classifier.predict([[0, 1], [1, 1]]).tolist()
    ['different', 'same']
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new network on the examples ``X``, of shape (examples, features), and their labels ``y``; the estimator.

        ``sample_weight`` has a number for each example: 2 is as if it were there twice, 0 as if it were left out.
        ConvergenceWarning if the loss was still improving at the end; ValueError for fewer than two classes.
        """
        self._validate_params()
        _refuse_to_lose(X, y, sample_weight)
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        X, y, weights = _weighed(X, y, sample_weight)
        self.classes_, indices = np.unique(y, return_inverse=True)
        count = len(self.classes_)
        if count == 1:
            msg = f"{type(self).__name__} tells classes apart, and there is only one class in y: {self.classes_[0]!r}"
            raise ValueError(msg)
        targets = indices if weights is None else (indices, weights)
        if count > 2:  # noqa: PLR2004 - one output is enough for two
            return self._train(X, targets, outputs=count, loss=cross_entropy, strata=indices)
        return self._train(X, targets, outputs=1, loss=binary_cross_entropy_with_logits, strata=indices)

    def predict(self, X: Any) -> Array:
        """The most probable class of each example, shape (examples,)."""
        best = self._logits(X).argmax(1)
        classes: Array = self.classes_[best]
        return classes

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of ``classes_``, shape (examples, classes)."""
        probabilities: Array = softmax(self._logits(X), axis=1)
        return probabilities

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of :meth:`predict_proba`, -inf where that is too small to be told from 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _logits(self, X: Any) -> Array:
        """A number for each class; of two classes the first has 0."""
        outputs = self._outputs(X)
        return np.column_stack([np.zeros(len(outputs)), outputs]) if outputs.ndim == 1 else outputs


class ValueRegressor(RegressorMixin, _Network):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron that predicts numbers, trained by :func:`nn.fit` on half of the squared error.

    Everything else is as in :class:`ValueClassifier`. Without hidden layers it is linear regression, and ``alpha`` is that of
    scikit-learn's Ridge:

    >>> line = ValueRegressor((), solver="lbfgs", alpha=0.0, tol=1e-9, random_state=0)
    >>> line.fit([[0], [1], [2]], [1, 3, 5]).predict([[10]]).round(3)    # 1 + 2x
    array([21.])
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new network on ``X``, (examples, features), and ``y``, (examples,) or (examples, outputs); the estimator.

        ``sample_weight`` and warnings are as in :meth:`ValueClassifier.fit`.
        """
        self._validate_params()
        _refuse_to_lose(X, y, sample_weight)
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        outputs = y.size // len(y)
        if outputs == 1:
            y = column_or_1d(y, warn=True)
        X, y, weights = _weighed(X, y, sample_weight)
        return self._train(X, y if weights is None else (y, weights), outputs=outputs, loss=_half_squared_error)

    def predict(self, X: Any) -> Array:
        """What ``y`` should be, for each example: shape (examples,), or (examples, outputs) where there are many outputs."""
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _refuse_to_lose(X: Any, *others: Any) -> None:
    """Raise an error for masked arrays and the like: scikit-learn would take what is masked for data."""
    for name, x in zip(("X", "y", "sample_weight"), (X, *others), strict=False):
        autograd.arrays.refuse_to_lose(x, name)


def _half_squared_error(prediction: Any, target: Any) -> Any:
    return 0.5 * mse_loss(prediction, target, reduction="sum")


def _weighed(X: Array, y: Array, sample_weight: Any) -> tuple[Array, Array, Array | None]:
    """The examples that count, and what they count as; without weights, all of them, and None."""
    if sample_weight is None:
        return X, y, None
    if not np.asarray(sample_weight).any():
        msg = "sample_weight is zero for all examples: at least one must count"
        raise ValueError(msg)
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    counts = weights > 0
    return X[counts], y[counts], weights[counts]
