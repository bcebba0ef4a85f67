"""The settings of peers: the best of a few on a seed that is not reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from data import BUILD, TUNING_SEED, case
from peers import CANDIDATES
from store import code_of, make_run

from napari_cellinr.metrics import psnr

if TYPE_CHECKING:
    from peers import Method


def chosen_settings(method: Method, run: bool = True) -> dict[str, Any] | None:
    """Return the settings of a method; those of flows are chosen once, at ×4 in time.

    None if they have not been chosen yet and `run` does not allow it now.
    """
    if method.name not in CANDIDATES:
        return method.settings
    path = BUILD / "settings" / f"{method.name}-{code_of(method)}.json"
    if not path.exists():
        if not run:
            return None
        subject = case(f"cells-t4-{TUNING_SEED}")
        found = []
        for candidate in [{}, *CANDIDATES[method.name]]:
            settings = {**method.settings, **candidate}
            if run := make_run(subject, method, settings):
                part = subject.scored
                score = psnr(run.load()[part], subject.truth[part], subject.peak)
                found.append((score, settings))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sorted(found, key=lambda pair: -pair[0])))
    return json.loads(path.read_text())[0][1]
