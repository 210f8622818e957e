"""Networks of Values as scikit-learn's estimators: for its pipelines, grid search and cross-validation."""

# ruff: noqa: N803, N806 - X is scikit-learn's name for the examples, and may be passed by it

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

import autograd
from nn.arguments import EarlyStopping
from nn.layers import MLP
from nn.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from nn.optim import Adam, Optimizer
from nn.training import fit
from nn.vectors import parameters_to_vector, vector_to_parameters

try:
    from scipy.optimize import minimize
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
    from nn.training import TrainingState

Array = NDArray[Any]

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
"""scikit-learn's names, and ours."""
_AUTO = 200
"""The largest batch that batch_size="auto" makes."""


_START = 0.5**0.5
"""Weights start smaller by this than those of nn.MLP, or the default learning rate would spend 60 epochs on undoing them."""
_REMEMBERED = 100
"""How many iterations L-BFGS learns from, as nn.LBFGS. With scikit-learn's 10, relu takes up to twice as many."""
_SMALLEST_RATE = 1e-6
"""learning_rate="adaptive" divides by 5 until it is here, and stops the training then."""


class _Penalized(Optimizer):
    """An ``optimizer`` of the loss plus half of ``decay · θ²``, scikit-learn's penalty of large weights."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        super().__init__(optimizer.parameters, optimizer.lr)
        self.decay = np.zeros(len(optimizer.parameters))
        """For each parameter; set before training."""

    @property
    def lr(self) -> float:
        """That of the optimizer."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self.optimizer.lr = lr

    def descend(self, value_and_grad: Callable[[Array], tuple[float, Array]], theta: Array) -> tuple[float, Array]:
        """See Optimizer."""

        def penalized(theta: Array) -> tuple[float, Array]:
            loss, gradient = value_and_grad(theta)
            decayed = self.decay * theta
            return loss + 0.5 * float(decayed @ theta), gradient + decayed

        return self.optimizer.descend(penalized, theta)


class _Momentum(Optimizer):
    """Gradient descent whose velocity has the learning rate in it: another one changes later steps only by and by."""

    def __init__(self, parameters: list[Value], lr: float, momentum: float, *, nesterov: bool) -> None:
        super().__init__(parameters, lr)
        self.momentum = momentum
        self.nesterov = nesterov
        self._velocity = np.zeros(len(parameters))

    def moved(self, theta: Array, gradient: Array) -> Array:
        """See Optimizer."""
        step = self.lr * gradient
        self._velocity = self.momentum * self._velocity - step
        return theta + (self.momentum * self._velocity - step if self.nesterov else self._velocity)


class _Search(Optimizer):
    """SciPy's L-BFGS-B with scikit-learn's limits: one step is the whole search."""

    def __init__(self, parameters: list[Value], max_iter: int, max_fun: int, tol: float) -> None:
        super().__init__(parameters, 1.0)
        self.options = {"maxiter": max_iter, "maxfun": max_fun, "gtol": tol, "maxcor": _REMEMBERED}
        self.losses: list[float] = []
        """One after each iteration."""
        self.cut_off = False
        """Whether it ended because of ``max_iter`` or ``max_fun``."""

    def descend(self, value_and_grad: Callable[[Array], tuple[float, Array]], theta: Array) -> tuple[float, Array]:
        """See Optimizer."""
        first: list[float] = []

        def evaluate(there: Array) -> tuple[float, Array]:
            loss, gradient = value_and_grad(there)
            first.append(loss)
            return loss, gradient

        def note(intermediate_result: Any) -> None:
            self.losses.append(float(intermediate_result.fun))

        found = minimize(evaluate, theta, method="L-BFGS-B", jac=True, callback=note, options=self.options)
        self.cut_off = found.status == 1
        return first[0], found.x if found.fun <= first[0] else theta  # it may have ended where there is no number


def _takes_parts(network: _Network) -> bool:
    """True; AttributeError, as scikit-learn has it, for settings that want all examples at once."""
    if network.solver == "lbfgs":
        msg = "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        raise AttributeError(msg)
    if network.early_stopping:
        msg = "partial_fit does not support early_stopping=True: a part does not tell when all has been learned"
        raise AttributeError(msg)
    if getattr(network, "class_weight", None) == "balanced":
        msg = (
            "partial_fit does not support class_weight='balanced', as a part does not tell how many examples there are: give "
            "sklearn.utils.class_weight.compute_class_weight('balanced', classes=classes, y=y) as a dict"
        )
        raise AttributeError(msg)
    return True


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
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    _parameter_constraints: ClassVar = MLPClassifier._parameter_constraints  # noqa: SLF001 - names and ranges are to be the same

    model_: MLP
    loss_curve_: list[float]
    _penalized: _Penalized

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each layer of ``model_``, (inputs, outputs), as scikit-learn arranges them: a copy."""
        return [_table(layer)[:-1] for layer in self.model_.layers]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each layer of ``model_``, (outputs,): a copy."""
        return [_table(layer)[-1] for layer in self.model_.layers]

    def _goes_on(self, *, partial: bool) -> bool:
        """Whether the network that there is will be trained further."""
        return hasattr(self, "model_") and (partial or self.warm_start)

    def _train(  # noqa: PLR0913 - what is to be learned, and how
        self,
        X: Array,
        y: Array,
        weights: Array | None,
        loss: Callable[[Any, Any], Any],
        *,
        outputs: int,
        strata: Array | None = None,
        partial: bool = False,
    ) -> Self:
        """Train on what has been checked; ``partial`` is one more epoch, with the optimizer as the last one left it."""
        goes_on = self._goes_on(partial=partial)
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
        optimizer: _Penalized = self._penalized if partial and goes_on else _Penalized(self._optimizer(parameters))
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
        self.model_, self.history_, self._penalized = model, history, optimizer
        self.loss_curve_ = [*self.loss_curve_, *curve] if goes_on else curve
        self.loss_ = [np.nan, *history.loss.tolist(), *curve][-1]  # Ctrl-C may come in the first epoch
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
        """The network that there is, or a new one."""
        sizes = [*np.ravel(self.hidden_layer_sizes).tolist(), outputs]
        if goes_on:
            if [len(layer.neurons) for layer in self.model_.layers] != sizes:
                msg = f"the network that is to be trained further has other layers than {sizes}: fit a clone of the estimator"
                raise ValueError(msg)
            return self.model_
        model = MLP(inputs, sizes, _ACTIVATIONS[self.activation], rng=rng)
        vector_to_parameters(parameters_to_vector(model.parameters()) * _START, model.parameters())
        return model

    def _set_rate(self, epoch: TrainingState, examples: int) -> None:
        """The learning rate after an epoch of SGD, by scikit-learn's rules."""
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

    def _optimizer(self, parameters: list[Value]) -> Optimizer:
        """The solver, as it is called here."""
        if self.solver == "lbfgs":
            return _Search(parameters, self.max_iter, self.max_fun, self.tol)
        if self.solver == "sgd":
            return _Momentum(parameters, self.learning_rate_init, self.momentum, nesterov=self.nesterovs_momentum)
        return Adam(parameters, self.learning_rate_init)

    def _outputs(self, X: Any) -> Array:
        """What the network makes of each example."""
        check_is_fitted(self, "model_")
        _refuse_to_lose(X)
        outputs: Array = self._compiled(validate_data(self, X, dtype=np.float64, reset=False))
        return outputs


class ValueClassifier(ClassifierMixin, _Network):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron that tells classes apart, trained by :func:`nn.fit` on the cross-entropy.

    Settings, their defaults and what they may be are as those of scikit-learn's MLPClassifier that have the same names, with
    the same penalty ``alpha``. These differ: weights start as in :class:`nn.MLP`, times √½; an epoch is an improvement if
    its loss is lower by ``tol`` than the best so far; ``early_stopping`` looks at the loss of the examples set aside, not at
    their accuracy, and sets aside equal examples together. ``class_weight`` is as LogisticRegression's: None, "balanced", or
    a dict from labels to weights. ``random_state=0``, or any other number, makes the same bits each time.

    After ``fit``: ``model_``, the network, from which predictions are made, and its numbers as ``coefs_`` and ``intercepts_``;
    ``history_``, an :class:`nn.History`; ``loss_curve_`` and ``loss_``, penalty included; ``n_iter_``, the epochs, or with
    ``solver="lbfgs"`` the iterations, all of which are one epoch to ``history_``; ``t_``, how many examples were learned
    from; ``n_layers_``, ``n_outputs_``, ``classes_``, ``n_features_in_`` and, if ``X`` was a data frame,
    ``feature_names_in_``. With ``warm_start``, a second ``fit`` starts from the numbers where the first ended.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["same", "different", "different", "same"]
    >>> classifier = ValueClassifier((8,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
    >>> classifier.predict([[0, 1], [1, 1]]).tolist()
    ['different', 'same']
    """

    _parameter_constraints: ClassVar = {
        **MLPClassifier._parameter_constraints,  # noqa: SLF001 - as above
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(  # noqa: PLR0913 - scikit-learn's settings, and each has a name
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a network on the examples ``X``, of shape (examples, features), and their labels ``y``; the estimator.

        ``sample_weight`` has a number for each example: 2 is as if it were there twice, 0 as if it were left out.
        ConvergenceWarning if the loss was still improving at the end; ValueError for fewer than two classes.
        """
        return self._learn(X, y, sample_weight)

    @available_if(_takes_parts)  # type: ignore[untyped-decorator]  # scikit-learn's
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch more, on these examples; the estimator.

        The first call needs all ``classes`` that there will be; ValueError for labels that are not among them. There is no
        such method with ``solver="lbfgs"``, ``early_stopping`` or ``class_weight="balanced"``.
        """
        return self._learn(X, y, sample_weight, classes, partial=True)

    def _learn(self, X: Any, y: Any, sample_weight: Any, classes: Any = None, *, partial: bool = False) -> Self:
        self._validate_params()
        _refuse_to_lose(X, y, sample_weight)
        goes_on = self._goes_on(partial=partial)
        X, y = validate_data(self, X, y, dtype=np.float64, reset=not goes_on)
        check_classification_targets(y)
        X, y, weights = _weighed(X, y, sample_weight)
        if partial:
            _check_partial_fit_first_call(self, classes)
        elif not goes_on:
            self.classes_ = np.unique(y)
        elif not np.array_equal(np.unique(y), self.classes_):
            msg = f"warm_start goes on with the classes {self.classes_}, and `y` has {np.unique(y)}: clone the estimator"
            raise ValueError(msg)
        count = len(self.classes_)
        if count == 1:
            msg = f"{type(self).__name__} tells classes apart, and there is only one class in y: {self.classes_[0]!r}"
            raise ValueError(msg)
        if len(others := np.setdiff1d(y, self.classes_)):
            msg = f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {others}."
            raise ValueError(msg)
        indices = np.searchsorted(self.classes_, y)
        if self.class_weight is not None:
            X, indices, weights = _weighed(
                X,
                indices,
                self._class_weights(indices, weights)[indices] * (1.0 if weights is None else weights),
                "class_weight",
            )
        loss = cross_entropy if count > 2 else binary_cross_entropy_with_logits  # noqa: PLR2004 - one output is enough for two
        outputs = count if count > 2 else 1  # noqa: PLR2004 - likewise
        return self._train(X, indices, weights, loss, outputs=outputs, strata=indices, partial=partial)

    def _class_weights(self, indices: Array, weights: Array | None) -> Array:
        """What an example of each class counts as."""
        if isinstance(self.class_weight, dict):
            of_classes: Array = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
            return of_classes
        totals = np.bincount(indices, weights, len(self.classes_))
        balanced: Array = totals.sum() / (len(totals) * totals)  # classes are those that are there
        return balanced

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
        """Train a network on ``X``, (examples, features), and ``y``, (examples,) or (examples, outputs); the estimator.

        ``sample_weight`` and warnings are as in :meth:`ValueClassifier.fit`.
        """
        return self._learn(X, y, sample_weight)

    @available_if(_takes_parts)  # type: ignore[untyped-decorator]  # scikit-learn's
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch more, on these examples; the estimator. See :meth:`ValueClassifier.partial_fit`."""
        return self._learn(X, y, sample_weight, partial=True)

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, partial: bool = False) -> Self:
        self._validate_params()
        _refuse_to_lose(X, y, sample_weight)
        reset = not self._goes_on(partial=partial)
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, reset=reset)
        outputs = y.size // len(y)
        if outputs == 1:
            y = column_or_1d(y, warn=True)
        X, y, weights = _weighed(X, y, sample_weight)
        return self._train(X, y, weights, _half_squared_error, outputs=outputs, partial=partial)

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


def _weighted(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``loss`` times the weight that is the second part of a target."""
    return lambda prediction, target: target[1] * loss(prediction, target[0])


def _examples(X: Array, y: Array, weights: Array | None, which: Array) -> tuple[Array, Any]:
    """Those at the places ``which``, as nn.fit takes them; their weights are 1 on average."""
    if weights is None:
        return X[which], y[which]
    return X[which], (y[which], weights[which] / weights[which].mean())


def _table(layer: Layer) -> Array:
    """The numbers of a layer: a column for each neuron, its weights and below them its bias."""
    return parameters_to_vector(layer.parameters()).reshape(len(layer.neurons), -1).T


def _weighed(X: Array, y: Array, weights: Any, name: str = "sample_weight") -> tuple[Array, Array, Array | None]:
    """The examples that count, and what they count as; without weights, all of them, and None."""
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
    """The places of the examples to train on, and of those to set aside: that ``fraction`` of each class, or of all.

    Equal examples stay together: otherwise some of those set aside would be known, and a weight of 2 would not be the same as
    to be there twice. Each class keeps an example to train on.
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
    if not aside.any() and fraction > 0.0:  # few examples: one of the largest class
        members = order[classes[order] == np.bincount(classes).argmax()]
        aside[members[:-1][:1]] = True
    if not aside.any():
        msg = (
            f"there is no example to set aside of a class that keeps one to train on, with validation_fraction={fraction} and "
            f"n_samples = {len(X)}: raise it, pass more examples, or set early_stopping=False"
        )
        raise ValueError(msg)
    return np.flatnonzero(~aside[which]), np.flatnonzero(aside[which])
