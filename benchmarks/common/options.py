"""The options of the benchmarks that compare methods."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser_of(
    description: str, methods: Sequence[str], seeds: Sequence[int]
) -> argparse.ArgumentParser:
    """Return a parser for what is run; `methods` and `seeds` are what is run by default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--methods", nargs="+", choices=methods, default=methods)
    parser.add_argument("--seeds", nargs="+", type=int, default=seeds)
    parser.add_argument("--threads", type=int, default=1, help="threads of each method")
    parser.add_argument("--report", action="store_true", help="write the report only")
    parser.add_argument("--no-report", action="store_true", help="run only")
    return parser
