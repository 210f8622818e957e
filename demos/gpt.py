"""A character-level GPT, written one scalar at a time. It learns the names in Python's standard library and makes up new ones.

It has one layer of width 16, 4 heads and a context of 16 tokens. The code has no matrices: it adds and multiplies Values in
plain loops. A document of 16 tokens is a graph of about 130,000 Values, which ``autograd.compile`` turns into matrix products.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import autograd
import nn
from autograd import Value, math
from demos import stage

with stage.extras():
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd import Compiled

    Array = NDArray[Any]
    Vector = list[Any]
    Matrix = list[list[Value]]

WIDTH, HEADS, CONTEXT, HIDDEN = 16, 4, 16, 64
SIZE = WIDTH // HEADS  # of a head

TEMPERATURE = 0.5
SAMPLES = 20
WINDOW = 100  # steps over which losses are averaged
ROWS = 28  # characters in the picture, at most


# The model


class GPT(nn.Module):
    """A model that gives a score ("logit") to every token that may follow each token of a document.

    A matrix is a list of rows, and a row holds the weights of one output. All weights start as normal random numbers with a
    standard deviation of 0.08.
    """

    def __init__(self, vocabulary: int, rng: np.random.Generator) -> None:
        def matrix(rows: int, columns: int) -> Matrix:
            return [[Value(number) for number in row] for row in rng.normal(0.0, 0.08, (rows, columns)).tolist()]

        self.token = matrix(vocabulary, WIDTH)
        self.position = matrix(CONTEXT, WIDTH)
        self.head = matrix(vocabulary, WIDTH)
        self.query = matrix(WIDTH, WIDTH)
        self.key = matrix(WIDTH, WIDTH)
        self.value = matrix(WIDTH, WIDTH)
        self.projection = matrix(WIDTH, WIDTH)
        self.hidden = matrix(HIDDEN, WIDTH)
        self.output = matrix(WIDTH, HIDDEN)

    def forward(self, tokens: Sequence[Any]) -> list[Vector]:
        """Return the logits after each of up to 16 ``tokens``, integers or Values. They depend on this and earlier tokens."""
        keys: list[Vector] = []
        values: list[Vector] = []
        logits = []
        for token, position in zip(tokens, self.position, strict=False):
            embedded = [math.select(column, token) for column in zip(*self.token, strict=True)]
            x = rms_norm(added(embedded, position))

            normed = rms_norm(x)
            keys.append(linear(self.key, normed))
            values.append(linear(self.value, normed))
            mixed = attention(linear(self.query, normed), keys, values)
            x = added(x, linear(self.projection, mixed))

            hidden = [math.relu(h) for h in linear(self.hidden, rms_norm(x))]
            x = added(x, linear(self.output, hidden))
            logits.append(linear(self.head, x))
        return logits


def attention(query: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
    """Return, for each head, the mean of its part of ``values``, weighted by how well its keys match its query."""
    mixed = []
    for start in range(0, WIDTH, SIZE):
        head = slice(start, start + SIZE)
        weights = math.softmax([product(query[head], key[head]) / SIZE**0.5 for key in keys])
        mixed += [product(weights, [value[k] for value in values]) for k in range(start, start + SIZE)]
    return mixed


def rms_norm(x: Vector) -> Vector:
    """Return ``x`` divided by its root mean square."""
    scale = (product(x, x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def linear(matrix: Matrix, x: Vector) -> Vector:
    """Return the product of a matrix and a vector."""
    return [product(row, x) for row in matrix]


def product(a: Vector, b: Vector) -> Any:
    """Return the scalar product of two vectors, by multiplications and additions."""
    total = a[0] * b[0]
    for ai, bi in zip(a[1:], b[1:], strict=True):
        total = total + ai * bi
    return total


def added(a: Vector, b: Vector) -> Vector:
    """Return the sum of two vectors."""
    return [ai + bi for ai, bi in zip(a, b, strict=True)]


def loss(logits: list[Vector], targets_and_weights: tuple[Vector, Vector]) -> Any:
    """Return the cross-entropy: the weighted sum of ``-log`` of the probabilities that the model gave to the targets."""
    total: Any = 0.0
    for scores, target, weight in zip(logits, *targets_and_weights, strict=True):
        total = total - weight * math.select(math.log_softmax(scores), target)
    return total


# What it reads


class Documents(NamedTuple):
    """Documents as whole numbers, padded to 16 positions: arrays of shape (documents, 16)."""

    tokens: Array
    targets: Array
    """The token that follows each token."""
    weights: Array
    """1 / n at the n positions of a document and 0 in the padding, so that a weighted sum is the mean over the document."""


class Corpus:
    """Documents and their characters. The token ``end``, numbered after all characters, opens and closes each document."""

    def __init__(self, documents: Sequence[str]) -> None:
        self.documents = documents
        self.characters = sorted(set("".join(documents)))
        self.end = len(self.characters)

    def shuffled(self, seed: int) -> Corpus:
        """Return the same documents in a random order."""
        return Corpus([self.documents[i] for i in np.random.default_rng(seed).permutation(len(self.documents))])

    def encoded(self, documents: Sequence[str]) -> Documents:
        """Return ``documents`` as tokens. Documents that are longer than the context are cut off."""
        number = {character: i for i, character in enumerate(self.characters)}
        tokens, targets = np.full((2, len(documents), CONTEXT), self.end)
        weights = np.zeros(tokens.shape)
        for row, document in enumerate(documents):
            ids = [number[character] for character in document[:CONTEXT]]
            n = min(CONTEXT, len(document) + 1)
            tokens[row, 1:n] = ids[: n - 1]
            targets[row, : len(ids)] = ids
            weights[row, :n] = 1 / n
        return Documents(tokens, targets, weights)

    def decoded(self, tokens: Sequence[int]) -> str:
        """Return the characters before the first ``end``."""
        length = [*tokens, self.end].index(self.end)
        return "".join([self.characters[token] for token in tokens[:length]])

    def entropy(self) -> float:
        """Return the unigram entropy in nats: the mean loss of guessing each character, or end, by how often it occurs.

        >>> Corpus(["a", "b"]).entropy() / math.log(2.0)       # a, end, b, end: 2 · 1/4 · 2 bits + 1/2 · 1 bit
        1.5
        """
        _, targets, weights = self.encoded(self.documents)
        counts = np.array([*Counter(targets[weights > 0].tolist()).values()])
        share = counts / counts.sum()
        return float(-(share * np.log(share)).sum())


def standard_library() -> list[str]:
    """Return the names of classes, functions and methods in Python's own library, sorted.

    Only names of lower-case letters and underscores count. They are found in the source files; nothing is imported.
    """
    folder, names = Path(os.__file__).parent, set()
    for module in [name for name in sys.stdlib_module_names if not name.startswith("_")]:
        for path in [*folder.glob(f"{module}.py"), *folder.glob(f"{module}/**/*.py")]:
            if not {"test", "tests", "idle_test"} & set(path.parts[len(folder.parts) :]):
                source = path.read_text("utf-8")
                names.update(re.findall(r"^(?:    )?(?:async )?(?:class|def) ([a-z][a-z_]*)\b", source, re.MULTILINE))
    return sorted(names)


def lines(path: Path) -> list[str]:
    """Return the lines of a text file, stripped, without empty ones. Exit with a message if there are fewer than two."""
    try:
        found = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except OSError as error:
        msg = f"--file {path}: {error.strerror}"
        raise SystemExit(msg) from error
    except UnicodeDecodeError as error:
        msg = f"--file {path} is not UTF-8 text (byte {error.start} is {error.object[error.start]:#04x}): save it as UTF-8"
        raise SystemExit(msg) from error
    documents = [line for line in found if line]
    if len(documents) < 2:  # noqa: PLR2004 - there is nothing to learn from a single one
        msg = f"--file {path} has {'one line' if documents else 'no lines'} of text: it must have many, one for each document"
        raise SystemExit(msg)
    return documents


# Training and using it


def train(model: GPT, documents: Documents, checkpoint: Path, *, resume: bool, eager: bool) -> nn.History:
    """Train on the documents one after the other, with a decreasing learning rate."""
    optimizer = nn.Adam(model.parameters(), lr=0.01, betas=(0.85, 0.99))
    return nn.fit(
        model,
        documents.tokens,
        (documents.targets, documents.weights),
        loss=loss,
        optimizer=optimizer,
        schedule=nn.LinearLR(optimizer, 1.0, 0.0, total_iters=len(documents.tokens), interval="step"),
        epochs=1,
        batch_size=1,
        shuffle=False,
        checkpoint=checkpoint,
        resume=resume,
        compiled=not eager,
    )


def predictor(model: GPT) -> Compiled:
    """Return the compiled function from tokens, (documents, 16), to log-probabilities of the tokens that follow."""
    return autograd.compile(lambda tokens: [math.log_softmax(logits) for logits in model(tokens)], reduction=None)


def samples(predict: Compiled, corpus: Corpus, seed: int) -> list[str]:
    """Return new documents, drawn character by character. Temperature 0.5 favours probable characters."""
    rng = np.random.default_rng(seed)
    tokens = np.full((SAMPLES, CONTEXT + 1), corpus.end)
    for position in range(CONTEXT):  # later positions do not affect it
        scores = predict(tokens[:, :CONTEXT])[:, position] / TEMPERATURE
        tokens[:, position + 1] = (scores + rng.gumbel(size=scores.shape)).argmax(1)  # with the probability softmax(scores)
    return [corpus.decoded(row) for row in tokens[:, 1:].tolist()]


def say_samples(when: str, names: list[str], corpus: Corpus) -> None:
    """Print the new names, and how many of them exist."""
    known = len(set(names) & set(corpus.documents))
    print(f"\n{when} it makes up ({known} of these {len(names)} exist):")
    print(textwrap.fill("  ".join(names), 100, initial_indent="  ", subsequent_indent="  "))


def say_losses(losses: Array, entropy: float) -> None:
    """Print the mean loss of each tenth of the steps, and how far the last losses are from the ``entropy``."""
    print("\n     documents   mean loss")
    size = -(-len(losses) // 10)
    for start in range(0, len(losses), size):
        few = losses[start : start + size]
        print(f"{start + 1:6,} - {start + len(few):5,}   {few.mean():.3f}")
    last = losses[-WINDOW:]
    below = entropy - last.mean()
    print(
        f" the last {len(last):5}   {last.mean():.3f}, {abs(below):.3f} {'below' if below > 0 else 'above'} the unigram entropy"
    )


def draw(losses: Array, entropy: float, corpus: Corpus, document: str, predict: Compiled) -> Figure:
    """Draw the loss of each document, and what the model expects after each character of ``document``."""
    figure = Figure(figsize=(13, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    window = min(WINDOW, len(losses))
    means = np.convolve(losses, np.full(window, 1 / window), "valid")
    left.plot(np.arange(len(losses)) + 1, losses, ".", color=stage.BLUE, alpha=0.25, markersize=4, label="a document")
    left.plot(np.arange(len(means)) + window, means, color=stage.BLUE, label=f"the mean of the last {window}")
    left.axhline(entropy, color=stage.AMBER, label="guessing by how often each character occurs")
    left.set(title="What it learns", xlabel="documents read", ylabel="loss, a character")
    left.legend(frameon=False)

    tokens, targets, weights = corpus.encoded([document])
    followed = targets[weights > 0]
    probabilities = np.exp(predict(tokens)[0, : len(followed)])
    rank = probabilities.max(0)
    rank[followed] = 2.0  # always shown
    shown = np.sort(np.argsort(-rank, kind="stable")[:ROWS])
    names = [*[character.replace(" ", "␣") for character in corpus.characters], "end"]
    right.imshow(probabilities[:, shown].T, cmap="Blues", norm=PowerNorm(0.5, 0.0, 1.0), aspect="auto")
    frames = range(len(followed)), np.searchsorted(shown, followed)
    right.scatter(*frames, marker="s", s=120, facecolors="none", edgecolors=stage.AMBER, linewidths=2)
    right.set_xticks(range(len(followed)), [names[token] for token in followed])
    right.set_yticks(range(len(shown)), [names[token] for token in shown], fontsize=8)
    right.set_title(f"What it expects where it reads “{document[:CONTEXT]}”", parse_math=False)
    right.set(xlabel="what follows", ylabel="what it expects, given everything to the left")
    return figure


def count(text: str) -> int:
    """Return ``text`` as a whole number of 1 or more."""
    if not text.isdecimal() or not int(text):
        msg = f"must be a whole number of 1 or more, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--file", type=Path, metavar="PATH", help="a text file to learn from instead, with one document on each line"
    )
    parser.add_argument("--docs", type=count, metavar="N", help="how many documents to read (default: 1000, or 10 if --eager)")
    parser.add_argument("--resume", action="store_true", help="continue the training that was interrupted")
    options = stage.options("gpt", __doc__, argv, trains=True, parents=[parser])
    corpus = Corpus(standard_library() if options.file is None else lines(options.file)).shuffled(options.seed)
    entropy, total = corpus.entropy(), len(corpus.documents)
    model = GPT(corpus.end + 1, np.random.default_rng(options.seed))
    print(f"{total:,} {'names' if options.file is None else 'lines'} of {corpus.end} characters, such as {corpus.documents[0]}")
    print(f"{model}\nGuessing by how often each character occurs costs {entropy:.3f} a character: the unigram entropy.")
    predict = predictor(model)
    say_samples("Before training", samples(predict, corpus, options.seed), corpus)

    size = options.docs or (10 if options.eager else 1000) // (5 if options.quick else 1)
    documents = corpus.encoded([corpus.documents[i % total] for i in range(size)])
    checkpoint = options.out / "gpt.npz"
    if not options.resume and checkpoint.exists():
        if nn.load(checkpoint).extra["training"]["epoch"] == 0:
            msg = f"{checkpoint} holds an interrupted training: pass --resume to continue it, or remove the file"
            raise SystemExit(msg)
        checkpoint.unlink()
    start = perf_counter()
    try:
        history = train(model, documents, checkpoint, resume=options.resume, eager=options.eager)
    except ValueError as error:  # the file is damaged, or of another training
        if not options.resume:
            raise
        msg = f"--resume {checkpoint}: {error}"
        raise SystemExit(msg) from error
    say_losses(history.step_loss, entropy)
    print(f"{perf_counter() - start:.1f} s, recording and compiling included")
    if history.stopped == "interrupted":
        print("Stopped. The following shows what was learned so far. --resume continues.")

    say_samples("Now", samples(predict, corpus, options.seed), corpus)
    picture = draw(history.step_loss, entropy, corpus, corpus.documents[size % total], predict)
    print("\nWrote", stage.save(picture, options.out / "gpt.png"))
    print("Wrote", checkpoint)


if __name__ == "__main__":
    main()
