"""Many hostile cases, each measured, in copies of this process that have imported everything."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from trial import GROWTH, SECONDS, Trial, _memory

from napari_cellinr.cli.shared.progress import _sentence
from napari_cellinr.errors import CellINRError
from napari_cellinr.text import one_line

CHUNK = 100
"""Cases of one copy of the process."""

PROCESSES = 2

LONGEST = 2000
"""Characters of a sentence."""

Act = Callable[[np.random.Generator], Callable[[], Any]]
"""Makes one case, which takes no part of the time and the memory, and returns what tries it."""


def trials(act: Act, tries: int, seed: int) -> Iterator[Trial]:
    """Yield how each case went: as in `trial`, and `sentence` for a message that is not one line.

    Parameters
    ----------
    act
        Makes the case of a random generator, and returns the function that tries it.
    tries
        Number of cases; case n is the same whatever the others are.
    seed
        Of the generators.
    """
    waiting = [range(n, min(n + CHUNK, tries)) for n in range(0, tries, CHUNK)][::-1]
    running: list[tuple[range, int, int]] = []
    while waiting or running:
        while waiting and len(running) < PROCESSES:
            running.append(_started(act, waiting.pop(), seed))
        numbers, child, pipe = running.pop(0)
        with os.fdopen(pipe, "r") as answers:
            found = [Trial(**json.loads(line)) for line in answers if line.endswith("\n")]
        _, status = os.waitpid(child, 0)
        yield from found
        if len(found) < len(numbers):
            number = numbers[len(found)]
            ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            is_hang = ended in {signal.SIGALRM, signal.SIGPROF}
            yield Trial("hang" if is_hang else "crash", f"case {number}: status {status}")
            if rest := range(number + 1, numbers.stop):
                waiting.append(rest)


def _started(act: Act, numbers: range, seed: int) -> tuple[range, int, int]:
    """Start a copy of this process for some cases; return them, its number and its answers."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child:
        os.close(theirs)
        return numbers, child, ours
    try:
        os.close(ours)
        gc.freeze()
        with os.fdopen(theirs, "w") as answers:
            for number in numbers:
                answer = one_case(act, np.random.default_rng([seed, number]), f"case {number}")
                print(json.dumps(answer), file=answers, flush=True)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def one_case(act: Act, rng: np.random.Generator, name: str) -> dict[str, Any]:
    """Try one case, and return the values of a `Trial`; it may kill this process."""
    attempt = act(rng)
    Path("/proc/self/clear_refs").write_text("5")  # the largest memory is counted from here
    resident, limit = _memory("VmRSS"), _memory("VmSize") + GROWTH
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, 5 * SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 60)
    started = time.process_time()
    answer = _outcome(attempt)
    answer["seconds"] = time.process_time() - started
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    answer["megabytes"] = max(0.0, (_memory("VmHWM") - resident) / 2**20)
    answer["text"] = f"{name}: {answer.get('text', '')}"
    return answer


def _outcome(attempt: Callable[[], Any]) -> dict[str, Any]:
    try:
        attempt()
    except (CellINRError, OSError) as error:
        text = str(error) if isinstance(error, CellINRError) else _sentence(error)
        if isinstance(error.__cause__, MemoryError) or "not enough memory" in text:
            return {"kind": "memory", "text": text[:LONGEST]}
        is_sentence = one_line(text) == text and 0 < len(text) <= LONGEST
        return {"kind": "refused" if is_sentence else "sentence", "text": text[:LONGEST]}
    except MemoryError:
        return {"kind": "memory", "text": traceback.format_exc()[-1500:]}
    except BaseException:
        return {"kind": "error", "text": traceback.format_exc()[-1500:]}
    return {"kind": "other"}
