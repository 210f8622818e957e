"""Trains a network to read 1,797 handwritten digits, a quarter of them held out, and draws those that it misreads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import autograd
import nn
from autograd import math
from demos import stage

with stage.extras():
    from matplotlib.figure import Figure
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograd import Compiled

BATCH = 32
COLUMNS, SHOWN = 8, 40


class Example(NamedTuple):
    """An image, as 8 × 8 numbers from 0 (paper) to 1 (ink) in one list, and the digit that it shows."""

    image: list[float]
    digit: int


class Reading(NamedTuple):
    """The probability that a model gives to each digit for an example."""

    example: Example
    probabilities: list[float]

    @property
    def guess(self) -> int:
        """The most probable digit."""
        return self.probabilities.index(max(self.probabilities))

    @property
    def is_right(self) -> bool:
        """Whether the guess is the digit."""
        return self.guess == self.example.digit


def load(seed: int) -> tuple[list[Example], list[Example]]:
    """Return three quarters of the examples for training and one for testing. Each digit has the same share in both."""
    images, digits = load_digits(return_X_y=True)
    examples = [Example(image, digit) for image, digit in zip((images / 16).tolist(), digits.tolist(), strict=True)]
    training, held_out = train_test_split(examples, test_size=0.25, stratify=digits, random_state=seed)
    return training, held_out


def train(  # noqa: PLR0913 - what training takes
    model: nn.MLP, training: list[Example], held_out: list[Example], epochs: int, seed: int, *, eager: bool = False
) -> None:
    """Train on every example ``epochs`` times, in random batches, with a decreasing learning rate."""
    images, digits = (np.array(column) for column in zip(*training, strict=True))
    optimizer = nn.Adam(model.parameters(), lr=0.01)

    def report(state: nn.TrainingState) -> None:
        unseen = f"{state.validation_loss:.3f}, {state.metric:.1%} right"
        stage.say(f"epoch {state.epoch:2}   loss {state.loss:.3f}   on held-out digits {unseen}")

    history = nn.fit(
        model,
        images,
        digits,
        loss=nn.cross_entropy,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=BATCH,
        validation=([example.image for example in held_out], [example.digit for example in held_out]),
        metric=nn.accuracy,
        schedule=nn.LinearLR(optimizer, 1.0, 0.0, total_iters=epochs),
        callbacks=[report],
        progress=False,
        rng=seed,
        compiled=not eager,
    )
    if history.stopped == "interrupted":
        print("Stopped. The following shows what was learned so far.")
    loss_of = autograd.compile(lambda image, digit: nn.cross_entropy(model(image), digit), parameters=optimizer.parameters)
    times = stage.race(loss_of, nn.parameters_to_vector(optimizer.parameters), images[:BATCH], digits[:BATCH])
    print(f"\nThe loss of {BATCH} digits and its gradient take {times}.")


def reader(model: nn.MLP) -> Compiled:
    """Return the compiled function from images to the probabilities of the ten digits."""
    return autograd.compile(lambda image: math.softmax(model(image)), reduction=None)


def read(probabilities: Compiled, examples: list[Example]) -> list[Reading]:
    """Apply the function ``probabilities`` to each example."""
    found = probabilities([example.image for example in examples]).tolist()
    return [Reading(example, row) for example, row in zip(examples, found, strict=True)]


def accuracy(readings: list[Reading]) -> float:
    """Return the fraction of right readings."""
    return sum(reading.is_right for reading in readings) / len(readings)


def draw_mistakes(readings: list[Reading]) -> Figure:
    """Draw the misread digits, the most confident mistakes first."""
    mistakes = sorted([r for r in readings if not r.is_right], key=lambda r: -r.probabilities[r.guess])
    shown = mistakes[:SHOWN]
    rows = max(1, -(-len(shown) // COLUMNS))
    figure = Figure(figsize=(1.5 * COLUMNS, 2.05 * rows + 0.7), layout="constrained")
    which = f": the {SHOWN} that it was surest of" if len(mistakes) > SHOWN else ""
    figure.suptitle(f"{len(mistakes)} of {len(readings)} held-out digits misread{which}", color=stage.INK, fontsize=16)
    figure.supxlabel("under each: the probability given to what it read, and to the truth", color=stage.INK, fontsize=11)
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for panel in panels:
        panel.set_axis_off()
    for panel, reading in zip(panels, shown, strict=False):
        digit, guess = reading.example.digit, reading.guess
        panel.imshow(np.reshape(reading.example.image, (8, 8)), cmap="gray_r", vmin=-0.08, vmax=1)  # the paper is light grey
        panel.set_title(f"{digit} read as {guess}", color=stage.INK, fontsize=13)
        odds = f"{guess}: {reading.probabilities[guess]:.0%}   {digit}: {reading.probabilities[digit]:.0%}"
        panel.text(3.5, 8.5, odds, ha="center", color=stage.INK, fontsize=10)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = stage.options("digits", __doc__, argv, trains=True)
    training, held_out = load(options.seed)
    if options.quick:
        training, held_out = training[:400], held_out[:100]
    model = nn.MLP(64, [32, 10], rng=options.seed)
    print(f"{model}\n\n{len(training)} digits for training, {len(held_out)} held out. Guessing would read 10% of them.")
    train(model, training, held_out, epochs=2 if options.quick else 10, seed=options.seed, eager=options.eager)
    readings = read(reader(model), held_out)
    right = sum([reading.is_right for reading in readings])
    print(f"Of {len(readings)} digits that it never saw, it reads {right}: {accuracy(readings):.1%}.")
    print("Wrote", stage.save(draw_mistakes(readings), options.out / "digits_mistakes.png"))


if __name__ == "__main__":
    main()
