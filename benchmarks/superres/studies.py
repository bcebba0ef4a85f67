"""Ablation, latent size, input frames and noise: the paper's tables 3 and S1–S3, at toy size."""

from __future__ import annotations

STUDIES: dict[str, dict] = {}


def run_study(part: str) -> None:
    raise NotImplementedError(part)


def study_tables() -> list[tuple[str, str, list[str]]]:
    """Return title, text and table of each study that was run."""
    return []
