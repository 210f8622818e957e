"""Compares training steps of the character GPT, including Adam, with eager code, NumPy by hand, PyTorch and JAX.

    python -m pip install -e ".[demos]" torch jax && python -m benchmarks.gpt [--rounds N]

A step trains on one document, which has 3 to 16 positions, 7 on average. All contestants take turns in one process, on one
core, in float64. Before that, they must agree on the losses of steps 41 to 60. The compiled GPT is that of ``demos.gpt``,
written one scalar at a time and trained as ``nn.fit`` trains it, on documents padded to 16 positions. A variant without padding
has a recording for each length.
"""

from __future__ import annotations

import os

os.environ.update(  # before NumPy is imported
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false"
)

import argparse
import platform
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import autograd
import nn
from benchmarks import hand_gpt, peers
from benchmarks.eager import pin_to_one_core
from benchmarks.race import Contestant, race, stopwatch
from demos import gpt

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Trainer = Callable[[], Any]
    """Takes a step on each document and returns the losses. The next call continues from there."""

LR, STEPS, BETAS, EPS = 0.01, 1000, (0.85, 0.99), 1e-8  # the learning rate falls to 0 in STEPS steps
MIX = 20  # documents, which are read repeatedly
SLOW = 3  # rounds, for jobs that take seconds
TOLERANCE = 1e-9  # relative, of losses: Adam divides gradients by their size, which enlarges roundings of 1e-16


class Document(NamedTuple):
    """Arrays of shape (1, positions)."""

    tokens: Array
    targets: Array
    weights: Array


def mix(count: int) -> list[Document]:
    """Return documents of random tokens that are about as long as first names."""
    rng = np.random.default_rng(0)
    documents = []
    for n in rng.normal(7.1, 1.7, count).round().clip(3, hand_gpt.CONTEXT).astype(int):
        ids = rng.integers(0, hand_gpt.VOCABULARY, (1, n + 1))
        documents.append(Document(ids[:, :-1].copy(), ids[:, 1:].copy(), np.full((1, n), 1 / n)))
    return documents


def padded(documents: list[Document]) -> list[Document]:
    """Return the same documents, padded to 16 positions with some that have the weight 0."""
    return [
        Document(*[np.pad(array, ((0, 0), (0, hand_gpt.CONTEXT - array.size))) for array in document]) for document in documents
    ]


def rate(steps: Any) -> Any:
    """Return the learning rate after ``steps`` steps, for contestants without a schedule."""
    return LR * (1.0 - steps / STEPS) * (steps < STEPS)


def new_model() -> tuple[gpt.GPT, Array]:
    """Return the same model every time, and its parameters as an array in the order of ``hand_gpt``."""
    model = gpt.GPT(hand_gpt.VOCABULARY, np.random.default_rng(0))
    return model, np.array([parameter.data for parameter in model.parameters()])


def new_optimizer(model: gpt.GPT) -> tuple[nn.Adam, nn.LinearLR]:
    """Return Adam and the schedule of its learning rate."""
    optimizer = nn.Adam(model.parameters(), LR, BETAS, EPS)
    return optimizer, nn.LinearLR(optimizer, 1.0, 0.0, STEPS, interval="step")


def compiled(documents: list[Document]) -> Trainer:
    """Take the steps of ``nn.fit``, with a recording for each length of document."""
    model, theta = new_model()
    optimizer, schedule = new_optimizer(model)

    def mean_loss(tokens: Any, targets: Any, weights: Any) -> Any:
        return gpt.loss(model(tokens), (targets, weights))

    value_and_grad = autograd.compile(mean_loss, parameters=model.parameters()).value_and_grad

    def train() -> list[float]:
        nonlocal theta
        losses = []
        for document in documents:

            def at(theta: Array, document: Document = document) -> tuple[float, Array]:
                return value_and_grad(theta, *document)

            loss, theta = optimizer.descend(at, theta)
            schedule.step()
            losses.append(loss)
        return losses

    return train


def eager(documents: list[Document]) -> Trainer:
    """Make a graph of Values for each document."""
    model, _ = new_model()
    optimizer, schedule = new_optimizer(model)

    def train() -> list[float]:
        losses = []
        for document in documents:
            tokens, targets, weights = [array[0].tolist() for array in document]
            loss = gpt.loss(model(tokens), (targets, weights))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.data)
        return losses

    return train


def by_hand(documents: list[Document]) -> Trainer:
    """Use ``hand_gpt``, and Adam in place."""
    _, theta = new_model()
    weights = hand_gpt.unflattened(theta)  # views
    mean, square, spare = np.zeros((3, theta.size))
    b1, b2 = BETAS
    t = 0

    def train() -> list[float]:
        nonlocal t
        losses = []
        for tokens, targets, _ in documents:
            lr = rate(t)
            t += 1
            loss, gradients = hand_gpt.step(weights, tokens, targets)
            gradient = hand_gpt.flattened(gradients)
            np.multiply(mean, b1, mean)
            np.multiply(gradient, 1.0 - b1, spare)
            np.add(mean, spare, mean)
            np.multiply(square, b2, square)
            np.multiply(gradient, spare, spare)
            np.multiply(spare, (1.0 - b2) / (1.0 - b1), spare)
            np.add(square, spare, square)
            np.sqrt(square, spare)
            np.multiply(spare, (1.0 - b2**t) ** -0.5, spare)
            np.add(spare, EPS, spare)
            np.divide(mean, spare, spare)
            np.multiply(spare, lr / (1.0 - b1**t), spare)
            np.subtract(theta, spare, theta)
            losses.append(loss)
        return losses

    return train


def pytorch(documents: list[Document]) -> Trainer:
    """Run PyTorch's operations one at a time, and the fastest of its versions of Adam."""
    torch = peers.optional("torch")
    model = torch.nn.ParameterList(torch.tensor(array) for array in peers.gpt_arrays(new_model()[1]))
    optimizer = torch.optim.Adam(model.parameters(), LR, BETAS, EPS, fused=True)
    tensors = [(torch.tensor(tokens), torch.tensor(targets)) for tokens, targets, _ in documents]
    t = 0

    def train() -> list[float]:
        nonlocal t
        losses = []
        for tokens, targets in tensors:
            loss = peers.torch_gpt_loss(model, tokens, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.param_groups[0]["lr"] = rate(t)
            optimizer.step()
            t += 1
            losses.append(loss.item())
        return losses

    return train


def jax_start() -> Any:
    """Return the parameters in JAX, the two means of Adam, and the number of steps taken."""
    jax = peers.optional("jax")
    arrays = [jax.numpy.asarray(array) for array in peers.gpt_arrays(new_model()[1])]
    zeros = [jax.numpy.zeros_like(array) for array in arrays]
    return arrays, zeros, zeros, jax.numpy.zeros(())


def jax_step(state: Any, document: Any) -> Any:
    """Return the state after a step and the loss before it, in JAX."""
    jax = peers.optional("jax")
    arrays, means, squares, t = state
    b1, b2 = BETAS

    def mean_loss(arrays: Any) -> Any:
        tokens, targets, weights = document
        scores = jax.nn.log_softmax(peers.jax_gpt_logits(arrays, tokens))
        return -(jax.numpy.take_along_axis(scores, targets[..., None], -1)[..., 0] * weights).sum()

    loss, gradients = jax.value_and_grad(mean_loss)(arrays)
    means = [b1 * mean + (1.0 - b1) * g for mean, g in zip(means, gradients, strict=True)]
    squares = [b2 * square + (1.0 - b2) * g * g for square, g in zip(squares, gradients, strict=True)]
    lr, t = rate(t), t + 1
    arrays = [
        array - lr * (mean / (1.0 - b1**t)) / (jax.numpy.sqrt(square / (1.0 - b2**t)) + EPS)
        for array, mean, square in zip(arrays, means, squares, strict=True)
    ]
    return (arrays, means, squares, t), loss


def jax_steps(documents: list[Document]) -> Trainer:
    """Compile each step as a whole, once for each length."""
    jax = peers.optional("jax")
    step, state = jax.jit(jax_step), jax_start()
    on_device = [jax.tree.map(jax.numpy.asarray, document) for document in documents]

    def train() -> Any:
        nonlocal state
        losses = []
        for document in on_device:
            state, loss = step(state, document)
            losses.append(loss)
        return jax.block_until_ready(losses)

    return train


def jax_loop(documents: list[Document]) -> Trainer:
    """Compile the loop over documents of one length as well."""
    jax = peers.optional("jax")
    loop, state = jax.jit(lambda state, documents: jax.lax.scan(jax_step, state, documents)), jax_start()
    stacked = jax.tree.map(lambda *arrays: jax.numpy.asarray(np.stack(arrays)), *documents)

    def train() -> Any:
        nonlocal state
        state, losses = loop(state, stacked)
        return jax.block_until_ready(losses)

    return train


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    pin_to_one_core()
    print(f"CPython {platform.python_version()}, NumPy {np.__version__}, median of {rounds} rounds at the most")

    documents = mix(MIX)
    trainers = {
        "compiled": compiled(padded(documents)),
        "compiled, by length": compiled(documents),
        "eager": eager(documents),
        "NumPy by hand": by_hand(documents),
    }
    if peers.optional("torch"):
        trainers["PyTorch"] = pytorch(documents)
    if peers.optional("jax"):
        trainers["JAX, jit"] = jax_steps(documents)
        trainers["JAX, loop, padded"] = jax_loop(padded(documents))
    contestants = [Contestant(name, train, jobs=MIX) for name, train in trainers.items()]
    for contestant in contestants:
        contestant.warm_up()  # reads all documents twice
    losses = [np.array(contestant.step()) for contestant in contestants]
    for contestant, its in zip(contestants, losses, strict=True):
        np.testing.assert_allclose(its, losses[0], rtol=TOLERANCE, err_msg=f"losses of {contestant.name}")
        contestant.rounds = SLOW if contestant.name == "eager" else rounds

    positions = np.mean([document.tokens.size for document in documents])
    subject, *others = contestants
    race(f"gpt, a training step of {positions:.1f} positions on average", subject, others, rounds)

    thousand = mix(STEPS)
    print(f"\n{STEPS:,} documents, recording and compiling included")
    for name, prepared in (("padded", padded(thousand)), ("a recording a length", thousand)):
        print(f"  {name:>20} {stopwatch(compiled(prepared)):10.3g} s")


if __name__ == "__main__":
    main()
