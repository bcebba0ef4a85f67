"""Optical flow between pairs of frames: `python flows_of_file.py KIND IN.npz OUT.npz SETTINGS`.

Needs opencv or antspyx only, not the plugin, so that it can run in an environment of its own.
IN holds `first` and `second`, (pairs, *shape), about 0 to 1; OUT holds `forth` and `back`, the
displacements from the first to the second and from the second to the first frame, (pairs, axes,
*shape), voxels, and the CPU seconds without those of starting.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np


def dis(
    first: np.ndarray, second: np.ndarray, preset: int = 2, finest: int = 0
) -> list[np.ndarray]:
    """Return flows by dense inverse search (OpenCV), which is for planes: plane by plane."""
    import cv2

    cv2.setNumThreads(1)
    flow = cv2.DISOpticalFlow_create(preset)
    flow.setFinestScale(finest)
    planes = [v.reshape(-1, *v.shape[-2:]) for v in (first, second)]
    a, b = ([np.uint8(np.clip(255 * p + 0.5, 0, 255)) for p in v] for v in planes)
    found = []
    for one, other in ((a, b), (b, a)):
        pairs = zip(one, other, strict=True)
        moved = np.stack([flow.calc(p, q, None)[..., ::-1] for p, q in pairs])  # x, y before
        whole = np.zeros((first.ndim, *first.shape), np.float32)
        whole[-2:] = np.moveaxis(moved, -1, 0).reshape(2, *first.shape)
        found.append(whole)
    return found


def syn(
    first: np.ndarray, second: np.ndarray, metric: str = "mattes", smooth: float = 3.0
) -> list[np.ndarray]:
    """Return flows by symmetric diffeomorphic registration (ANTs SyN)."""
    import ants

    fixed, moving = (ants.from_numpy(np.asarray(v, np.float32)) for v in (first, second))
    made = ants.registration(
        fixed, moving, type_of_transform="SyNOnly", initial_transform="Identity",
        reg_iterations=(40, 20, 10), syn_metric=metric, syn_sampling=2 if metric == "CC" else 32,
        flow_sigma=smooth, random_seed=1,
    )  # fmt: skip
    files = made["fwdtransforms"][0], made["invtransforms"][-1]
    found = [np.moveaxis(ants.image_read(file).numpy(), -1, 0) for file in files]
    for file in {*made["fwdtransforms"], *made["invtransforms"]}:
        Path(file).unlink(missing_ok=True)
    return found


KINDS = {"dis": dis, "syn": syn}


def main(kind: str, source: str, target: str, settings: str) -> None:
    stored = np.load(source)
    function, chosen = KINDS[kind], json.loads(settings)
    __import__({"dis": "cv2", "syn": "ants"}[kind])
    begun = time.process_time()
    pairs = zip(stored["first"], stored["second"], strict=True)
    found = [function(a, b, **chosen) for a, b in pairs]
    forth, back = (np.stack([pair[i] for pair in found]).astype(np.float32) for i in (0, 1))
    np.savez(target, forth=forth, back=back, seconds=time.process_time() - begun)


if __name__ == "__main__":
    main(*sys.argv[1:])
