"""The main loop of a program that writes: it reads seeds, one per line, and answers each with the
name of the write that it has made.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence

Write = Callable[[random.Random], None]


def answer_seeds(writes: Sequence[Write]) -> None:
    for line in sys.stdin:
        seed = int(line)
        # Each in turn, so that none is left out; what it does exactly is left to chance.
        write = writes[seed % len(writes)]
        write(random.Random(seed))
        print(write.__name__, flush=True)
