"""Networks of Values as scikit-learn's estimators: for its pipelines, grid search and cross-validation."""

# ruff: noqa: N803, N806 - X is scikit-learn's name for the examples, and may be passed by it

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

import autograd
from nn.arguments import EarlyStopping
from nn.layers import MLP
from nn.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from nn.optim import LBFGS, SGD, Adam, BaseOptimizer
from nn.training import fit
from nn.vectors import parameters_to_vector, vector_to_parameters

try:
    from scipy.special import softmax
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.utils import check_random_state, column_or_1d
    from sklearn.utils._param_validation import StrOptions
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    msg = 'nn.sklearn needs scikit-learn, 1.6 or later: python -m pip install "scalar-autograd[sklearn]"'
    raise ModuleNotFoundError(msg, name=error.name) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograd import Value
    from nn.layers import Layer
    from nn.optim import LossAndGradient
    from nn.training import TrainingState

Array = NDArray[Any]

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""scikit-learn's names, and those of nn."""
_AUTO = 200
"""The largest batch that batch_size="auto" makes."""
_START = 0.5**0.5
"""Weights start smaller by this factor than those of nn.MLP. Otherwise the default learning rate spends 60 epochs on it."""
_FTOL = 2.220446049250313e-09
"""SciPy's default tolerance for the change of the loss, which scikit-learn uses."""
_SMALLEST_RATE = 1e-6
"""learning_rate="adaptive" divides the rate by 5 until it is as small as this, and then stops the training."""


class _Penalized(BaseOptimizer):
    """An ``optimizer`` of the loss plus half of ``decay · θ²``, scikit-learn's penalty of large weights."""

    def __init__(self, optimizer: BaseOptimizer) -> None:
        self.optimizer = optimizer
        super().__init__(optimizer.parameters, optimizer.lr)
        self.decay = np.zeros(len(optimizer.parameters))
        """One number for each parameter. It is set before training."""

    @property
    def lr(self) -> float:
        """The learning rate of the optimizer."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self.optimizer.lr = lr

    def descend(self, value_and_grad: LossAndGradient, theta: Array) -> tuple[float, Array]:
        """See BaseOptimizer."""

        def penalized(theta: Array) -> tuple[float, Array]:
            loss, gradient = value_and_grad(theta)
            decayed = self.decay * theta
            return loss + 0.5 * float(decayed @ theta), gradient + decayed

        return self.optimizer.descend(penalized, theta)


class _Momentum(SGD):
    """Gradient descent whose velocity includes the learning rate, so that a new rate has its effect only gradually."""

    def moved(self, theta: Array, gradient: Array) -> Array:
        """See Optimizer."""
        step = self.lr * gradient
        self._velocity = self.momentum * self._velocity - step
        return theta + (self.momentum * self._velocity - step if self.nesterov else self._velocity)


class _Search(LBFGS):
    """SciPy's L-BFGS-B with scikit-learn's limits. One step is the whole search.

    It remembers 100 iterations, as nn.LBFGS does. With scikit-learn's 10, relu takes up to twice as many iterations.
    """

    def __init__(self, parameters: list[Value], max_iter: int, max_fun: int, tol: float) -> None:
        super().__init__(parameters, max_iter=max_iter, max_eval=max_fun, tolerance_grad=tol, tolerance_change=_FTOL)
        self.losses: list[float] = []
        """The loss after each iteration."""
        self.cut_off = False
        """Whether the search ended because of ``max_iter`` or ``max_fun``."""

    def descend(self, value_and_grad: LossAndGradient, theta: Array) -> tuple[float, Array]:
        """See BaseOptimizer."""

        def note(intermediate_result: Any) -> None:
            self.losses.append(float(intermediate_result.fun))

        loss, theta, found = self._search(value_and_grad, theta, note)
        self.cut_off = found.status == 1
        return loss, theta


class _Task(NamedTuple):
    """What a network is to learn."""

    X: Array
    y: Array
    weights: Array | None
    """What each example counts as. None if all count the same."""
    loss: Callable[[Any, Any], Any]
    outputs: int
    strata: Array | None = None
    """The class of each example. Early stopping sets examples of each class aside."""


def _takes_parts(network: _Network) -> bool:
    """Return True. Raise AttributeError, as scikit-learn does, if the settings need all examples at once."""
    if network.solver == "lbfgs":
        msg = "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        raise AttributeError(msg)
    if network.early_stopping:
        msg = "partial_fit does not support early_stopping=True: a part of the examples cannot show when to stop"
        raise AttributeError(msg)
    if getattr(network, "class_weight", None) == "balanced":
        msg = (
            "partial_fit does not support class_weight='balanced', because a part of the examples does not show how common the "
            "classes are: pass sklearn.utils.class_weight.compute_class_weight('balanced', classes=classes, y=y) as a dict"
        )
        raise AttributeError(msg)
    return True


@dataclass(eq=False, repr=False)
class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What classifier and regressor share: the settings, and the training."""

    hidden_layer_sizes: Any = (100,)
    activation: str = "relu"
    _: KW_ONLY
    solver: str = "adam"
    alpha: float = 1e-4
    batch_size: Any = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 1e-3
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    max_fun: int = 15000

    _parameter_constraints: ClassVar = MLPClassifier._parameter_constraints  # noqa: SLF001 - names and ranges are to be the same
    _targets: ClassVar[dict[str, Any]] = {}
    """How scikit-learn is to validate ``y``."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a network on the examples ``X`` and their labels or numbers ``y``, and return the estimator.

        ``X`` has the shape (examples, features). ``y`` has the shape (examples,), or for a regressor (examples, outputs).
        ``sample_weight`` has a number for each example: 2 counts as if the example were there twice, 0 as if it were left
        out. ConvergenceWarning if the loss was still improving at the end. ValueError for fewer than two classes.
        """
        return self._learn(X, y, sample_weight)

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, partial: bool = False, **classes: Any) -> Self:
        """Check what was passed, and train. ``partial`` is one more epoch."""
        self._validate_params()
        _refuse_to_lose(X, y, sample_weight)
        goes_on = hasattr(self, "model_") and (partial or self.warm_start)
        X, y = validate_data(self, X, y, dtype=np.float64, reset=not goes_on, **self._targets)
        task = self._task(X, y, sample_weight, partial=partial, goes_on=goes_on, **classes)
        return self._train(task, partial=partial, goes_on=goes_on)

    def _task(self, X: Array, y: Array, sample_weight: Any, *, partial: bool, goes_on: bool) -> _Task:
        """Return what the network is to learn. A part, or a warm start, must fit what it has learned before."""
        raise NotImplementedError

    @property
    def coefs_(self) -> list[Array]:
        """Copies of the weights of each layer of ``model_``, of shape (inputs, outputs), as scikit-learn arranges them."""
        return [_table(layer)[:-1] for layer in self.model_.layers]

    @property
    def intercepts_(self) -> list[Array]:
        """Copies of the biases of each layer of ``model_``, of shape (outputs,)."""
        return [_table(layer)[-1] for layer in self.model_.layers]

    def _train(self, task: _Task, *, partial: bool, goes_on: bool) -> Self:
        """Train a new network, or the one of the last call, with the optimizer as it was left if this is a part."""
        X, y, weights, loss, outputs, strata = task
        rng = np.random.default_rng(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        model = self._network(X.shape[1], outputs, rng, goes_on=goes_on)
        if not goes_on:
            self.t_, self._best, self._idle = 0, np.inf, 0

        stochastic = self.solver != "lbfgs"
        train, held_out = np.arange(len(X)), None
        if stochastic and self.early_stopping:
            train, rest = _parts(X, y, weights, strata, self.validation_fraction, rng)
            held_out = _examples(X, y, weights, rest)
        at_most = _AUTO if self.batch_size == "auto" else self.batch_size
        size = min(len(train), at_most) if stochastic else len(train)
        alpha = self.alpha / (size if weights is None else size * weights[train].mean())
        parameters = [*model.parameters()]
        biases = {neuron.b for layer in model.layers for neuron in layer.neurons}
        optimizer = self._penalized if partial and goes_on else _Penalized(self._optimizer(parameters))
        optimizer.decay = np.array([0.0 if parameter in biases else alpha for parameter in parameters])
        scheduled = self.solver == "sgd" and self.learning_rate != "constant"
        patience = (
            self.max_iter if scheduled and self.learning_rate == "adaptive" else min(self.n_iter_no_change, self.max_iter)
        )
        history = fit(
            model,
            *_examples(X, y, weights, train),
            loss=loss if weights is None else _weighted(loss),
            optimizer=optimizer,
            epochs=self.max_iter if stochastic and not partial else 1,
            batch_size=size,
            shuffle=self.shuffle,
            validation=held_out,
            early_stopping=EarlyStopping(patience, self.tol, restore_best=held_out is not None),
            callbacks=[lambda epoch: self._set_rate(epoch, len(train))] if scheduled else [],
            progress=bool(self.verbose),
            rng=rng,
        )
        search = optimizer.optimizer if isinstance(optimizer.optimizer, _Search) else None
        curve = history.loss.tolist() if search is None else search.losses
        self.model_, self.history_ = model, history
        self._penalized: _Penalized = optimizer
        self.loss_curve_: list[float] = [*self.loss_curve_, *curve] if goes_on else curve
        self.loss_ = [np.nan, *history.loss.tolist(), *curve][-1]  # NaN if Ctrl-C came in the first epoch
        self.n_iter_ = len(curve)
        self.t_ += len(history) * len(train)
        self.n_layers_, self.n_outputs_ = len(model.layers) + 1, outputs
        if not goes_on:
            self._compiled = autograd.compile(model, reduction=None)
        if (self.n_iter_ >= self.max_iter and not partial) if search is None else search.cut_off:
            message = (
                f"max_iter={self.max_iter} was reached before the loss stopped improving: "
                "set max_iter, learning_rate_init or tol higher, or scale the inputs"
            )
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return self

    def _network(self, inputs: int, outputs: int, rng: Any, *, goes_on: bool) -> MLP:
        """Return the network of the last call, or a new one."""
        sizes = [*np.ravel(self.hidden_layer_sizes).tolist(), outputs]
        if goes_on:
            if [len(layer.neurons) for layer in self.model_.layers] != sizes:
                msg = f"the network of the last fit has other layers than {sizes}: fit a clone of the estimator"
                raise ValueError(msg)
            return self.model_
        model = MLP(inputs, sizes, _ACTIVATIONS[self.activation], rng=rng)
        vector_to_parameters(parameters_to_vector(model.parameters()) * _START, model.parameters())
        return model

    def _set_rate(self, epoch: TrainingState, examples: int) -> None:
        """Set the learning rate after an epoch of SGD, by scikit-learn's rules."""
        if self.learning_rate == "invscaling":
            epoch.optimizer.lr = self.learning_rate_init / (self.t_ + epoch.epoch * examples + 1) ** self.power_t
            return
        loss = epoch.loss if epoch.validation_loss is None else epoch.validation_loss
        self._idle = self._idle + 1 if loss > self._best - self.tol else 0
        self._best = min(self._best, loss)
        if self._idle > self.n_iter_no_change:
            self._idle = 0
            if epoch.optimizer.lr <= _SMALLEST_RATE:
                epoch.stop()
            else:
                epoch.optimizer.lr /= 5.0

    def _optimizer(self, parameters: list[Value]) -> BaseOptimizer:
        """Return the optimizer that scikit-learn calls the solver."""
        if self.solver == "lbfgs":
            return _Search(parameters, self.max_iter, self.max_fun, self.tol)
        if self.solver == "sgd":
            nesterov = self.nesterovs_momentum and self.momentum > 0.0
            return _Momentum(parameters, self.learning_rate_init, self.momentum, nesterov=nesterov)
        return Adam(parameters, self.learning_rate_init)

    def _outputs(self, X: Any) -> Array:
        """Return the outputs of the network for each example."""
        check_is_fitted(self, "model_")
        _refuse_to_lose(X)
        outputs: Array = self._compiled(validate_data(self, X, dtype=np.float64, reset=False))
        return outputs


@dataclass(eq=False, repr=False)
class ValueClassifier(ClassifierMixin, _Network):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron that predicts classes, trained by :func:`nn.fit` on the cross-entropy.

    The settings have the names, the defaults and the ranges of scikit-learn's MLPClassifier, and ``alpha`` is the same penalty.
    These differ: weights start as in :class:`nn.MLP`, times √½. An epoch is an improvement if its loss is lower than the best
    so far by ``tol``. ``early_stopping`` looks at the loss of the examples set aside, not at their accuracy, and keeps equal
    examples together. ``class_weight`` is that of LogisticRegression: None, "balanced", or a dict from labels to weights. With
    ``random_state=0``, or any other number, the results are the same to the last bit each time.

    After ``fit``, ``model_`` is the network that makes the predictions, and ``coefs_`` and ``intercepts_`` are its numbers.
    ``history_`` is an :class:`nn.History`. ``loss_curve_`` and ``loss_`` include the penalty. ``n_iter_`` is the number of
    epochs, or of iterations with ``solver="lbfgs"``, which ``history_`` counts as one epoch. ``t_`` is the number of examples
    learned from. ``n_layers_``, ``n_outputs_``, ``classes_`` and ``n_features_in_`` are as in scikit-learn.
    ``feature_names_in_`` is, too, if ``X`` was a data frame. With ``warm_start``, a second ``fit`` starts from the numbers of
    the first.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["same", "different", "different", "same"]
    >>> classifier = ValueClassifier((8,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
    >>> classifier.predict([[0, 1], [1, 1]]).tolist()
    ['different', 'same']
    """

    _: KW_ONLY
    class_weight: Any = None

    _parameter_constraints: ClassVar = {
        **_Network._parameter_constraints,  # noqa: SLF001 - of its own base
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    @available_if(_takes_parts)  # type: ignore[untyped-decorator]  # scikit-learn's
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one more epoch, on these examples, and return the estimator.

        The first call needs ``classes``, all labels that later calls may have. ValueError for other labels. The method does
        not exist with ``solver="lbfgs"``, ``early_stopping`` or ``class_weight="balanced"``.
        """
        return self._learn(X, y, sample_weight, partial=True, classes=classes)

    def _task(  # noqa: PLR0913 - the base's signature, and the classes
        self, X: Array, y: Array, sample_weight: Any, *, partial: bool, goes_on: bool, classes: Any = None
    ) -> _Task:
        check_classification_targets(y)
        X, y, weights = _weighed(X, y, sample_weight)
        if partial:
            _check_partial_fit_first_call(self, classes)
        elif not goes_on:
            self.classes_ = np.unique(y)
        elif not np.array_equal(np.unique(y), self.classes_):
            msg = f"warm_start continues with the classes {self.classes_}, but `y` has {np.unique(y)}: fit a clone"
            raise ValueError(msg)
        count = len(self.classes_)
        if count == 1:
            msg = f"{type(self).__name__} needs two classes or more, but there is only one class in y: {self.classes_[0]!r}"
            raise ValueError(msg)
        if len(others := np.setdiff1d(y, self.classes_)):
            msg = f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {others}."
            raise ValueError(msg)
        y = np.searchsorted(self.classes_, y)
        if self.class_weight is not None:
            of_examples = self._class_weights(y, weights)[y] * (1.0 if weights is None else weights)
            X, y, weights = _weighed(X, y, of_examples, "class_weight")
        if count == 2:  # noqa: PLR2004 - one output is enough for two classes
            return _Task(X, y, weights, binary_cross_entropy_with_logits, 1, y)
        return _Task(X, y, weights, cross_entropy, count, y)

    def _class_weights(self, indices: Array, weights: Array | None) -> Array:
        """Return what an example of each class counts as."""
        if isinstance(self.class_weight, dict):
            of_classes: Array = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
            return of_classes
        totals = np.bincount(indices, weights, len(self.classes_))
        balanced: Array = totals.sum() / (len(totals) * totals)  # each class has an example
        return balanced

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each example, in an array of shape (examples,)."""
        best = self._logits(X).argmax(1)
        classes: Array = self.classes_[best]
        return classes

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, in the order of ``classes_``. The shape is (examples, classes)."""
        probabilities: Array = softmax(self._logits(X), axis=1)
        return probabilities

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of :meth:`predict_proba`. They are -inf where a probability is rounded to 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _logits(self, X: Any) -> Array:
        """Return a number for each class. If there are two classes, the first has 0."""
        outputs = self._outputs(X)
        return np.column_stack([np.zeros(len(outputs)), outputs]) if outputs.ndim == 1 else outputs


class ValueRegressor(RegressorMixin, _Network):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron that predicts numbers, trained by :func:`nn.fit` on half of the squared error.

    Everything else is as in :class:`ValueClassifier`. Without hidden layers this is linear regression, and ``alpha`` is that
    of scikit-learn's Ridge:

    >>> line = ValueRegressor((), solver="lbfgs", alpha=0.0, tol=1e-9, random_state=0)
    >>> line.fit([[0], [1], [2]], [1, 3, 5]).predict([[10]]).round(3)    # 1 + 2x
    array([21.])
    """

    _targets: ClassVar = {"multi_output": True, "y_numeric": True}

    @available_if(_takes_parts)  # type: ignore[untyped-decorator]  # scikit-learn's
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one more epoch, on these examples, and return the estimator. See :meth:`ValueClassifier.partial_fit`."""
        return self._learn(X, y, sample_weight, partial=True)

    def _task(self, X: Array, y: Array, sample_weight: Any, **_: bool) -> _Task:
        outputs = y.size // len(y)
        if outputs == 1:
            y = column_or_1d(y, warn=True)
        return _Task(*_weighed(X, y, sample_weight), _half_squared_error, outputs)

    def predict(self, X: Any) -> Array:
        """Return what ``y`` should be for each example, of shape (examples,), or (examples, outputs) for several outputs."""
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _refuse_to_lose(X: Any, *others: Any) -> None:
    """Raise an error for masked arrays and the like: scikit-learn would use the masked numbers as data."""
    for name, x in zip(("X", "y", "sample_weight"), (X, *others), strict=False):
        autograd.arrays.refuse_to_lose(x, name)


def _half_squared_error(prediction: Any, target: Any) -> Any:
    return 0.5 * mse_loss(prediction, target, reduction="sum")


def _weighted(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the loss of targets (y, weight): ``loss`` times the weight."""
    return lambda prediction, target: target[1] * loss(prediction, target[0])


def _examples(X: Array, y: Array, weights: Array | None, which: Array) -> tuple[Array, Any]:
    """Return the examples at the places ``which``, as nn.fit takes them. Their weights are 1 on average."""
    if weights is None:
        return X[which], y[which]
    return X[which], (y[which], weights[which] / weights[which].mean())


def _table(layer: Layer) -> Array:
    """Return the numbers of a layer, a column for each neuron: its weights and below them its bias."""
    return parameters_to_vector(layer.parameters()).reshape(len(layer.neurons), -1).T


def _weighed(X: Array, y: Array, weights: Any, name: str = "sample_weight") -> tuple[Array, Array, Array | None]:
    """Return the examples whose weights are not 0, and the weights. Without weights, return all examples and None."""
    if weights is None:
        return X, y, None
    if not np.asarray(weights).any():
        msg = f"{name} is zero for all examples: at least one must count"
        raise ValueError(msg)
    weights = _check_sample_weight(weights, X, dtype=np.float64, ensure_non_negative=True)
    counts = weights > 0
    return X[counts], y[counts], weights[counts]


def _parts(  # noqa: PLR0913, PLR0917 - the examples, and how to divide them
    X: Array, y: Array, weights: Array | None, strata: Array | None, fraction: float, rng: Any
) -> tuple[Array, Array]:
    """Return the places of the examples to train on, and of those to set aside: this ``fraction`` of each class, or of all.

    Equal examples stay together. Otherwise an example that is set aside might be one that was trained on, and a weight of 2
    would differ from an example that is there twice. Each class keeps an example to train on.

    Of six different examples of the classes [0, 0, 0, 0, 1, 1], with the fraction 0.5, two of class 0 and one of class 1 are
    set aside.
    """
    weights = np.ones(len(X)) if weights is None else weights
    _, which = np.unique(np.column_stack([X, y]), axis=0, return_inverse=True)
    which = which.ravel()
    sizes = np.bincount(which, weights)
    classes = np.zeros(len(sizes), int)
    if strata is not None:
        classes[which] = strata
    aside = np.zeros(len(sizes), bool)
    order = rng.permutation(len(sizes))
    for each in np.unique(classes):
        members = order[classes[order] == each]
        ends = np.cumsum(sizes[members])
        aside[members[:-1]] = (ends - 0.5 * sizes[members] < fraction * ends[-1])[:-1]
    if not aside.any() and fraction > 0.0:  # there are few examples: set one of the largest class aside
        members = order[classes[order] == np.bincount(classes).argmax()]
        aside[members[:-1][:1]] = True
    if not aside.any():
        msg = (
            f"there is no example to set aside, as each class must keep an example to train on, with validation_fraction="
            f"{fraction} and n_samples = {len(X)}: raise the fraction, pass more examples, or set early_stopping=False"
        )
        raise ValueError(msg)
    return np.flatnonzero(~aside[which]), np.flatnonzero(aside[which])
