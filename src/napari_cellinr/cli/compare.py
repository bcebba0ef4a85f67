"""`napari-cellinr compare RESULT TRUTH`: PSNR and SSIM of a result against the ground truth."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from napari_cellinr.cli.shared.overwrite import add_overwrite, check_overwrite
from napari_cellinr.cli.shared.parser import Commands, add_command
from napari_cellinr.cli.shared.progress import answer, say

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["add", "run"]


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    help_text = "compare a result with the ground truth: PSNR in dB and SSIM, printed as JSON"
    parser = add_command(commands, "compare", help_text, run)
    parser.add_argument("result", metavar="RESULT", help="image file")
    parser.add_argument(
        "truth",
        metavar="TRUTH",
        help="image file of the ground truth, of the same size (any image with --difference)",
    )
    parser.add_argument(
        "--difference",
        metavar="FILE",
        help="write RESULT − TRUTH to this image file instead, on the voxel grid of RESULT",
    )
    parser.add_argument(
        "--data-range",
        metavar="R",
        type=float,
        help="range of grey levels that PSNR and SSIM refer to (default: max − min of TRUTH)",
    )
    add_overwrite(parser)


def run(options: Namespace) -> int:
    """Print PSNR and SSIM as JSON, or write the difference image; return 0."""
    from napari_cellinr.io import check_writable, read, write
    from napari_cellinr.metrics import psnr, ssim, value_range

    if options.difference is not None:
        from napari_cellinr.macro.compare import difference

        check_overwrite(options, [options.difference], [options.result, options.truth])
        check_writable(options.difference)
        write(options.difference, difference(read(options.result), read(options.truth)))
        say(f"wrote {options.difference}: {options.result} minus {options.truth}")
        return 0
    result, truth = (read(name).array() for name in (options.result, options.truth))
    data_range = value_range(truth) if options.data_range is None else options.data_range
    decibels = psnr(result, truth, data_range)
    measures = {
        "psnr": decibels if math.isfinite(decibels) else None,  # equal images: JSON has no infinity
        "ssim": ssim(result, truth, data_range),
        "data_range": data_range,
    }
    answer(json.dumps(measures, indent=2))
    return 0
