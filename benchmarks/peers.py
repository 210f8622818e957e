"""The same jobs in PyTorch, JAX and CasADi, as users of these would write them. Libraries not installed are skipped."""

from __future__ import annotations

import importlib
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import hand_gpt
from benchmarks.race import Contestant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Flat = Callable[[Sequence[Array]], Array]


@lru_cache
def optional(name: str) -> Any:
    """Return the library, set to float64 and one thread. Return None, and print so once, if it is not installed."""
    try:
        library = importlib.import_module(name)
    except ImportError:
        print(f"({name} is not installed: skipped)")
        return None
    if name == "torch":
        library.set_num_threads(1)
    if name == "jax":
        library.config.update("jax_enable_x64", True)
    return library


def concatenated(arrays: Sequence[Array]) -> Array:
    """Return the items of all ``arrays`` in one vector."""
    return np.concatenate([array.ravel() for array in arrays])


def flat_layers(arrays: Sequence[Array]) -> Array:
    """Return ``arrays`` W, b, W, b, … as a vector in the order of an ``nn.MLP``: for each neuron its row of W, then its b."""
    return concatenated([np.column_stack(layer) for layer in zip(arrays[::2], arrays[1::2], strict=True)])


def unflat_layers(theta: Array, sizes: Sequence[int]) -> list[Array]:
    """Return the arrays W, b, W, b, … of such a vector, for layers of ``sizes``."""
    arrays, start = [], 0
    for nin, nout in pairwise(sizes):
        layer = theta[start : start + nout * (nin + 1)].reshape(nout, nin + 1)
        arrays += [np.ascontiguousarray(layer[:, :nin]), layer[:, nin].copy()]
        start += layer.size
    return arrays


def mlp(sizes: Sequence[int], theta: Array, x: Array, y: Array, torch_limit: float) -> list[Contestant]:
    """The loss of an MLP with ReLUs, MSE of one output or cross-entropy of classes, and its gradient."""
    arrays = unflat_layers(theta, sizes)
    contestants = []
    if torch := optional("torch"):
        layers: list[Any] = []
        for weight, bias in zip(arrays[::2], arrays[1::2], strict=True):
            linear = torch.nn.Linear(*weight.shape[::-1], dtype=torch.float64)
            linear.weight.data, linear.bias.data = torch.tensor(weight), torch.tensor(bias)
            layers += [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        criterion = torch.nn.CrossEntropyLoss() if sizes[-1] > 1 else torch.nn.MSELoss()
        inputs, targets = torch.tensor(x), torch.tensor(y if sizes[-1] > 1 else y[:, None])
        contestants.append(pytorch(model, lambda: criterion(model(inputs), targets), flat_layers, torch_limit))
    if optional("jax"):
        contestants.append(jitted(jax_mlp_loss, arrays, (x, y), flat_layers))
    return contestants


def jax_mlp_loss(arrays: Sequence[Any], x: Any, y: Any) -> Any:
    """The mean loss, in JAX."""
    jax = optional("jax")
    for k in range(0, len(arrays), 2):
        x = x @ arrays[k].T + arrays[k + 1]
        if k < len(arrays) - 2:
            x = jax.nn.relu(x)
    return jax_cross_entropy(x, y) if x.shape[1] > 1 else ((x[:, 0] - y) ** 2).mean()


def jax_cross_entropy(logits: Any, classes: Any) -> Any:
    """The mean over all but the last axis, in JAX."""
    jax = optional("jax")
    return -jax.numpy.take_along_axis(jax.nn.log_softmax(logits), classes[..., None], -1).mean()


def gpt(theta: Array, tokens: Array, targets: Array, torch_limit: float) -> list[Contestant]:
    """The loss of the GPT of ``demos.gpt``, and its gradient, on matrices."""
    arrays = gpt_arrays(theta)
    jobs = len(tokens)
    contestants = []
    if torch := optional("torch"):
        model = torch.nn.ParameterList(torch.tensor(array) for array in arrays)
        inputs = torch.tensor(tokens), torch.tensor(targets)
        contestants.append(pytorch(model, lambda: torch_gpt_loss(model, *inputs), concatenated, torch_limit, jobs=jobs))
    if optional("jax"):
        contestants.append(jitted(jax_gpt_loss, arrays, (tokens, targets), concatenated, jobs=jobs))
    return contestants


def gpt_arrays(theta: Array) -> list[Array]:
    """The matrices in the vector of all weights: token, position, head, attention, projection, hidden, output."""
    weights = hand_gpt.unflattened(theta)
    tables = np.split(weights.pop("embedding"), [hand_gpt.VOCABULARY])
    return [*tables, *weights.values()]


def torch_gpt_loss(arrays: Any, tokens: Any, targets: Any) -> Any:
    """The mean loss, in PyTorch."""
    f = optional("torch").nn.functional
    token, position, head, attention, projection, hidden, output = arrays
    size = hand_gpt.WIDTH // hand_gpt.HEADS

    def norm(x: Any) -> Any:
        return f.rms_norm(x, (hand_gpt.WIDTH,), eps=hand_gpt.EPSILON)

    x = norm(f.embedding(tokens, token) + position[: tokens.shape[1]])
    q, k, v = f.linear(norm(x), attention).unflatten(-1, (3, hand_gpt.HEADS, size)).permute(2, 0, 3, 1, 4)
    mixed = f.scaled_dot_product_attention(q, k, v, is_causal=True)
    x = x + f.linear(mixed.transpose(1, 2).flatten(2), projection)
    x = x + f.linear(f.relu(f.linear(norm(x), hidden)), output)
    return f.cross_entropy(f.linear(x, head).flatten(0, 1), targets.flatten())


def jax_gpt_loss(arrays: Sequence[Any], tokens: Any, targets: Any) -> Any:
    """The mean loss, in JAX."""
    return jax_cross_entropy(jax_gpt_logits(arrays, tokens), targets)


def jax_gpt_logits(arrays: Sequence[Any], tokens: Any) -> Any:
    """The scores of what may follow each token, in JAX."""
    jax = optional("jax")
    token, position, head, attention, projection, hidden, output = arrays
    batch, n = tokens.shape
    size = hand_gpt.WIDTH // hand_gpt.HEADS

    def norm(x: Any) -> Any:
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + hand_gpt.EPSILON)

    x = norm(token[tokens] + position[:n])
    q, k, v = (norm(x) @ attention.T).reshape(batch, n, 3, hand_gpt.HEADS, size).transpose(2, 0, 3, 1, 4)
    logits = jax.numpy.where(np.tri(n, dtype=bool), q @ k.swapaxes(2, 3) * size**-0.5, -np.inf)
    mixed = jax.nn.softmax(logits) @ v
    x = x + mixed.swapaxes(1, 2).reshape(x.shape) @ projection.T
    x = x + jax.nn.relu(norm(x) @ hidden.T) @ output.T
    return x @ head.T


def pytorch(model: Any, loss: Callable[[], Any], flat: Flat, limit: float, *, jobs: float = 1.0) -> Contestant:
    """PyTorch's forward and backward pass, one operation at a time."""

    def step() -> Any:
        model.zero_grad(set_to_none=True)
        result = loss()
        result.backward()
        return result

    def answer(result: Any) -> tuple[float, Array]:
        return result.item(), flat([parameter.grad.numpy() for parameter in model.parameters()])

    return Contestant("PyTorch", step, answer, limit, jobs)


def jitted(
    loss: Callable[..., Any], arrays: Sequence[Array], inputs: tuple[Array, ...], flat: Flat, *, jobs: float = 1.0
) -> Contestant:
    """JAX's value and gradient of ``loss(arrays, *inputs)``, compiled."""
    jax = optional("jax")
    compiled = jax.jit(jax.value_and_grad(loss))
    on_device = jax.tree.map(jax.numpy.asarray, (arrays, *inputs))

    def answer(result: Any) -> tuple[float, Array]:
        return float(result[0]), flat([np.asarray(array) for array in result[1]])

    return Contestant("JAX, jit", lambda: jax.block_until_ready(compiled(*on_device)), answer, jobs=jobs)


def casadi(function: Callable[..., Any], points: Array) -> list[Contestant]:
    """The sum of ``function`` over ``points`` and its gradient by a shift of them all, by CasADi's interpreter."""
    library = optional("casadi")
    if library is None:
        return []
    count, dimension = points.shape
    x = library.SX.sym("x", dimension)
    y = function(library.vertsplit(x), library)
    program = library.Function("value_and_gradient", [x], [y, library.gradient(y, x)]).map(count)
    values, gradients = np.empty(count), np.empty((count, dimension))
    buffer, run = program.buffer()
    buffer.set_arg(0, points.data)
    buffer.set_res(0, values.data)
    buffer.set_res(1, gradients.data)

    def step(_alive: Any = (buffer, points)) -> tuple[float, Array]:  # as CasADi knows their addresses only
        run()
        return float(values.sum()), gradients.sum(0)

    return [Contestant("CasADi", step, lambda result: result)]
