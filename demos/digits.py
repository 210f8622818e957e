"""How a network learns to read: 1,797 handwritten digits, a quarter of them held out, and what it still gets wrong there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import nn
from autograd import math, no_grad
from demos import stage

with stage.extras():
    from matplotlib.figure import Figure
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 32
COLUMNS, SHOWN = 8, 40


class Example(NamedTuple):
    """An image, as 8 × 8 numbers from 0 (paper) to 1 (ink) in one list, and the digit that it shows."""

    image: list[float]
    digit: int


class Reading(NamedTuple):
    """What a model makes of an example: the probability that it gives to each digit."""

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
    """Three quarters of the examples to learn from, and one to be tested on; each digit has the same share in both."""
    images, digits = load_digits(return_X_y=True)
    examples = [Example(image, digit) for image, digit in zip((images / 16).tolist(), digits.tolist(), strict=True)]
    training, held_out = train_test_split(examples, test_size=0.25, stratify=digits, random_state=seed)
    return training, held_out


def train(model: nn.MLP, training: list[Example], held_out: list[Example], epochs: int, seed: int) -> None:
    """Show every example ``epochs`` times, in batches drawn at random, and take ever smaller steps."""
    optimizer = nn.Adam(model.parameters())
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        optimizer.lr = 0.01 * (1 - epoch / epochs)
        shuffled = [training[i] for i in rng.permutation(len(training))]
        batches = [shuffled[start : start + BATCH] for start in range(0, len(shuffled), BATCH)]
        losses = []
        for batch in stage.progress(batches, f"epoch {epoch + 1} of {epochs}"):
            loss = nn.cross_entropy([model(image) for image, _ in batch], [digit for _, digit in batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.data)
        seen, unseen = accuracy(read(model, training)), accuracy(read(model, held_out))
        print(f"epoch {epoch + 1:2}   loss {np.mean(losses):.3f}   accuracy {seen:6.1%}, on held-out digits {unseen:6.1%}")


def read(model: nn.MLP, examples: list[Example]) -> list[Reading]:
    """What ``model`` makes of each example."""
    with no_grad():
        return [Reading(example, [p.data for p in math.softmax(model(example.image))]) for example in examples]


def accuracy(readings: list[Reading]) -> float:
    """The part of the readings that are right."""
    return sum(reading.is_right for reading in readings) / len(readings)


def draw_mistakes(readings: list[Reading]) -> Figure:
    """The digits that were misread, the most confident mistakes first."""
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
        panel.imshow(np.reshape(reading.example.image, (8, 8)), cmap="gray_r", vmin=-0.08, vmax=1)  # below 0: the paper shows
        panel.set_title(f"{digit} read as {guess}", color=stage.INK, fontsize=13)
        odds = f"{guess}: {reading.probabilities[guess]:.0%}   {digit}: {reading.probabilities[digit]:.0%}"
        panel.text(3.5, 8.5, odds, ha="center", color=stage.INK, fontsize=10)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = stage.options("digits", __doc__, argv)
    training, held_out = load(options.seed)
    if options.quick:
        training, held_out = training[:400], held_out[:100]
    model = nn.MLP(64, [32, 10], rng=options.seed)
    print(f"{model}\n\n{len(training)} digits to learn from, {len(held_out)} held out. Guessing would read 10% of them.")
    try:
        train(model, training, held_out, epochs=2 if options.quick else 10, seed=options.seed)
    except KeyboardInterrupt:
        print("Stopped: what follows is what was learned so far.")
    readings = read(model, held_out)
    right = sum([reading.is_right for reading in readings])
    print(f"\nOf {len(readings)} digits that it never saw, it reads {right}: {accuracy(readings):.1%}.")
    print("Wrote", stage.save(draw_mistakes(readings), options.out / "digits_mistakes.png"))


if __name__ == "__main__":
    main()
