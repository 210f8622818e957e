"""Same program, same bits: no order depends on hashes or addresses."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PROGRAM = """
import hashlib
from autograd import Value, draw
import nn
model = nn.MLP(2, [4, 4, 1], activation="tanh", rng=1)
optimizer = nn.Adam(model.parameters(), lr=0.05)
points = [[0.1 * k, -0.2 * k + 0.3] for k in range(6)]
for _ in range(50):
    loss = nn.mse_loss([model(p) for p in points], [k % 2 for k in range(6)])
    optimizer.zero_grad(); loss.backward(); optimizer.step()
loss.label = "loss"
print(loss.data.hex(), hashlib.sha256(draw(model(points[0])).dot.encode()).hexdigest())
"""


def test_twenty_hash_seeds_give_the_same_loss_and_the_same_drawing() -> None:
    def run(seed: int) -> str:
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout

    with ThreadPoolExecutor(2) as pool:
        results = set(pool.map(run, range(1, 21)))
    assert len(results) == 1
    assert len(results.pop().split()) == 2
