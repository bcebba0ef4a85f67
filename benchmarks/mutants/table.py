"""The mutants: one text of a source file, a wrong one in its place, and the nearest tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One small mistake.

    Parameters
    ----------
    file
        Path below the package.
    old
        Text that occurs exactly once in the file.
    new
        What stands there in the mutant.
    tests
        The nearest test files, relative to the tree.
    words
        Expression that selects tests in them by name, as `-k` of pytest; empty for all.
    equivalent
        For a mutant that cannot be killed: one sentence that says why it changes no result.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    words: str = ""
    equivalent: str = ""

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {old!r} -> {new!r}"

    @property
    def folder(self) -> str:
        """The part of the package that it is in."""
        return self.file.partition("/")[0].removesuffix(".py")


def _of(test: str, *mutants: tuple[str, ...]) -> tuple[Mutant, ...]:
    """Return mutants with the same nearest test file: file, old, new and words of each."""
    return tuple(Mutant(one[0], one[1], one[2], (f"tests/{test}",), *one[3:]) for one in mutants)


CELLINR = (
    *_of(
        "methods/cellinr/test_cellinr_loss.py",
        ("methods/cellinr/problem.py", "** 2 * self.seen[patch]).mean()", "** 2).mean()"),
        ("methods/cellinr/problem.py", "data + 2 * self._follows", "data + self._follows"),
        ("methods/cellinr/problem.py", "relu(-excess)", "relu(excess)"),
        ("methods/cellinr/problem.py", "np.argwhere(prepared.held)", "np.argwhere(~prepared.held)"),
        ("methods/cellinr/problem.py", "excess = self.model.sign * (", "excess = ("),
        ("methods/cellinr/initial/kernels.py", "seen = as_tensor(~held, device)",
         "seen = as_tensor(np.ones_like(held), device)"),
        ("methods/cellinr/initial/kernels.py", "before) - sensitivity[i, nodes]", "before)"),
        ("methods/cellinr/published/problem.py", "argwhere(~prepared.held)",
         "argwhere(prepared.held >= 0)"),
        ("methods/cellinr/published/problem.py", ".sd(mean)) / prepared.contrast", ".sd(mean))"),
    ),
    *_of(
        "methods/cellinr/test_out_of_memory.py",
        ("methods/cellinr/tiling.py", "math.sqrt(float((errors**2).mean()))",
         "float(errors.mean())", "root_mean_square"),
    ),
    *_of(
        "methods/cellinr/test_signal_and_background.py",
        ("methods/cellinr/initial/background.py",
         "Separated(image.sign * nodes, stride, factor",
         "Separated(-image.sign * nodes, stride, factor"),
        ("methods/cellinr/initial/background.py", "image.values * np.float32(image.sign)",
         "image.values * np.float32(1)"),
    ),
    *_of(
        "methods/cellinr/test_series.py",
        ("methods/cellinr/job.py", "DARK = 0.02", "DARK = 0.2", "hardly_any_signal"),
        ("methods/cellinr/job.py", "else result - background", "else result + background",
         "without_the_background"),
    ),
)  # fmt: skip

NSTM = (
    *_of(
        "methods/nstm/test_nstm_loss.py",
        ("methods/nstm/problem.py", "(counted & ~self.held).float()", "counted.float()"),
        ("methods/nstm/problem.py", ".sum() / self.seen.sum()}", ".mean()}"),
        ("methods/nstm/problem.py", "self.squared_errors()[self.held]",
         "self.squared_errors()[self.seen > 0]"),
        ("methods/nstm/checks/halves.py", "CHANCE = 3.0", "CHANCE = 0.0"),
        ("methods/nstm/penalties.py", "torch.relu(-canonical)", "torch.relu(canonical)"),
        ("methods/nstm/penalties.py", "square().mean() / step**2", "square().mean() / step"),
        ("methods/nstm/plan.py", "return -slope.reshape(1)", "return slope.reshape(1)"),
    ),
    *_of(
        "methods/nstm/test_nstm_loss.py",
        ("methods/nstm/penalties.py", "displacement - displacement.mean(0, keepdim=True)",
         "displacement"),
    ),
    *_of(
        "methods/nstm/test_reconstruct_job.py",
        ("methods/nstm/job.py", "< worth_it * best[1]", "> worth_it * best[1]", "kept"),
    ),
    *_of(
        "methods/nstm/test_nstm.py",
        ("methods/nstm/plan.py", "slice(ONE_OF // 2, shape[0] - 1", "slice(0, shape[0] - 1",
         "whole_ones"),
        ("methods/nstm/plan.py", "held &= inside", "pass", "held_out_pixels_come"),
        ("methods/nstm/checks/report.py", "1 - max(moving**2 - 1, 0) / left",
         "1 - moving**2 / left", "part_of_the_changes"),
    ),
)  # fmt: skip

SPATIME = (
    *_of(
        "methods/spatime/test_spatime_rules.py",
        ("methods/spatime/between/blending.py", "float = weights.attenuation * t * (1 - t)",
         "float = weights.attenuation * t"),
        ("methods/spatime/between/blending.py", "static, apart = (1 - t) * first + t * second",
         "static, apart = t * first + (1 - t) * second"),
        ("methods/spatime/finer/learning.py", 'held_out < outcome.history[0]["held_out"]',
         'held_out <= outcome.history[0]["held_out"]'),
        ("methods/spatime/finer/planes.py",
         "np.delete(examples.planes, np.s_[FEWEST - 1 :: FEWEST], axis=0)",
         "examples.planes"),
        ("methods/spatime/between/motion.py", "1.0 if time == -0.5 else OUTER",
         "OUTER if time == -0.5 else 1.0"),
        ("methods/spatime/between/trust.py", "GROWTH: Final = 0.25", "GROWTH: Final = 0.5",
         "errors_are_a_quarter"),
    ),
    *_of(
        "methods/spatime/test_spatime.py",
        ("methods/spatime/between/along.py", "(time - f) / (one - f)", "(time - f) / (f - one)",
         "lagrange"),
        ("methods/spatime/between/blending.py", "_MOST_AGREE: Final = 0.75",
         "_MOST_AGREE: Final = 0.5", "most_frames_to_agree"),
    ),
    *_of(
        "methods/spatime/test_spatime_rules.py",
        ("methods/spatime/channel.py", "series.pair(number - 1, number + 1)",
         "series.pair(number, number + 1)"),
        ("methods/spatime/between/trust.py", "np.min(sides, 0)", "np.max(sides, 0)"),
        ("methods/spatime/between/trust.py", "1 - np.max(beside, 0)", "np.max(beside, 0)"),
        ("methods/spatime/between/motion.py", "2 * self._share() * (control[1:] ** 2).mean()",
         "0 * self._share() * (control[1:] ** 2).mean()"),
    ),
    *_of(
        "methods/spatime/test_spatime_noise.py",
        ("methods/spatime/between/noise.py", "lost = 4 * after", "lost = 2 * after"),
        ("methods/spatime/between/noise.py", "(left / max(before, 1e-9)) ** 2",
         "left / max(before, 1e-9)"),
    ),
    *_of(
        "methods/spatime/test_spatime_confidence.py",
        ("methods/spatime/between/confidence.py", "1 - 4 * part", "1 - 2 * part"),
    ),
    *_of(
        "methods/spatime/test_superresolve_job.py",
        ("methods/spatime/output_grid.py", "= steps[axis.upper()] / step",
         "= step / steps[axis.upper()]", "isotropic_and_target"),
    ),
)  # fmt: skip

FITTING = (
    *_of(
        "fitting/test_loop.py",
        ("fitting/monitor.py", "while not self.stopped:", "while True:", "remembered"),
        ("fitting/optimise.py", "PATIENCE = 6", "PATIENCE = 5"),
        ("fitting/optimise.py", "TOLERANCE = 2e-4", "TOLERANCE = 0"),
        ("fitting/optimise.py", "(AVERAGE_POWER + 1) / (AVERAGE_POWER + self.step)",
         "1.0 / self.step"),
        ("fitting/optimise.py", "+ 1 if ends else 0", "+ 1 if ends else self.looks_without_gain"),
        ("fitting/optimise.py", 'self.step, self.best_error = facts["step"], facts["best_error"]',
         'self.best_error = facts["best_error"]'),
        ("fitting/optimise.py", 'self.generator.set_state(tensors["generator"])', "pass"),
        ("fitting/optimise.py", "self.adam.load(moments)", "pass"),
        ("fitting/checkpoint.py", "time.monotonic() - self._saved >= self.every",
         "time.monotonic() - self._saved < self.every"),
        ("fitting/problem.py", "SETTLED = 1e-3", "SETTLED = 1e-1"),
        ("fitting/problem.py", "(step + 1) / max(self.warm_up, 1)", "step / max(self.warm_up, 1)"),
    ),
    *_of(
        "fitting/test_loop.py",
        ("fitting/optimise.py", "if error >= self.best_error:", "if False:"),
        ("fitting/monitor.py", "self.paused_seconds += seconds", "pass"),
    ),
    *_of(
        "fitting/test_problem.py",
        ("fitting/monitor.py", 'self.stopped = message == "stop"', "self.stopped = False",
         "paused_fit_can_be_stopped or was_stopped"),
        ("fitting/monitor.py", "            self.running.clear()", "            self.running.set()",
         "pausing"),
        ("fitting/optimise.py", "manual_seed(config.seed)", "manual_seed(0)", "same_seed"),
        ("fitting/optimise.py", "_copy(self.best, self.parameters)",
         "_copy(self.mean, self.parameters)", "best_parameters"),
        ("fitting/problem.py", "(1 - self.decay) * step / steps",
         "(1 - self.decay) * step / (steps - 1)",
         "linear_rate"),
    ),
    *_of(
        "fitting/test_stored.py",
        ("fitting/saved/stored.py", "{image.shape} {image.dtype}", "{image.shape}", "digest"),
    ),
    *_of(
        "fitting/test_tiles.py",
        ("fitting/tiles.py", "np.clip(parts, 0, 1)) ** 2", "np.clip(parts, 0, 1))"),
        ("fitting/tiles.py", "(size - overlap) / (length - overlap)", "size / length"),
    ),
    *_of(
        "fitting/test_background_work.py",
        ("fitting/background.py", "if monitor.stopped and not needed", "if monitor.stopped"),
    ),
    *_of(
        "methods/cellinr/test_cellinr_published.py",
        ("methods/cellinr/published/problem.py", ".abs().mean() / step", ".abs().mean() * step",
         "slopes_per_length"),
    ),
)  # fmt: skip

OPTICS = (
    *_of(
        "optics/test_dpc.py",
        ("optics/dpc.py", "low = (places - width // 2).clamp",
         "low = (places - width // 2 + 1).clamp"),
        ("optics/dpc.py", "if finest > 0.5 / pixel_size", "if finest > 1.0 / pixel_size"),
        ("optics/dpc.py", "fft2(sources * pupil).conj()", "fft2(sources * pupil)"),
        ("optics/dpc.py", "-1j * odd[..., :half]", "1j * odd[..., :half]"),
        ("optics/dpc.py", "contrast / level.clamp(min=1e-9) - 1",
         "contrast - 1"),
    ),
    *_of(
        "optics/test_sim.py",
        ("optics/sim.py", "+ phases[pattern][", "- phases[pattern][", "fifteen"),
        ("optics/sim.py", "return share * crop(", "return crop(", "fifteen"),
    ),
    *_of(
        "optics/test_blur.py",
        ("optics/blur.py", "psf.double() / psf.double().sum()", "psf.double()"),
        ("optics/fourier.py", "tuple(-(size // 2) for", "tuple(size // 2 for"),
    ),
    *_of(
        "optics/test_rolling_shutter.py",
        ("optics/rolling_shutter.py", "p // 2 + m // 2 - n // 2", "p // 2 + m // 2 - n // 2 + 1"),
    ),
    *_of(
        "acquisition/test_exposure.py",
        ("optics/exposure.py", "weights[[0, -1]] = 0.5", "weights[[0, -1]] = 1.0"),
    ),
    *_of(
        "optics/test_sim_calibration.py",
        ("optics/sim_calibration.py", "power[0] - noise,", "power[0] + noise,"),
    ),
)  # fmt: skip

CLASSIC = (
    *_of(
        "classic/test_anscombe.py",
        ("classic/camera/anscombe.py", "0.375 * noise.gain**2", "0.25 * noise.gain**2"),
        ("classic/camera/anscombe.py", "inverse * (-11 / 8 +", "inverse * (11 / 8 +"),
    ),
    *_of(
        "classic/test_background.py",
        ("classic/background.py", "width // 2 * 2 + 1", "width // 2 * 2 - 1"),
    ),
    *_of(
        "classic/test_cell_means.py",
        ("classic/cell_means.py", "2 * size - 1 - cells", "2 * size - 2 - cells"),
    ),
    *_of(
        "classic/test_collaborative.py",
        ("classic/smoothing.py", "waves[0] /= math.sqrt(2)", "waves[0] /= 1"),
    ),
    *_of(
        "classic/test_local_cosines.py",
        ("classic/local_cosines.py", "kept[:, 0] = True", "kept[:, 1] = True"),
        ("classic/local_cosines.py", "> threshold", "< threshold"),
        ("classic/local_cosines.py", "p.stop + 2 * far", "p.stop + far"),
    ),
    *_of(
        "classic/test_camera_pattern.py",
        ("classic/camera/camera_pattern.py", "offsets + np.quantile(", "offsets - np.quantile("),
        ("classic/camera/camera_pattern.py", "_LARGEST = 3.0", "_LARGEST = 300.0"),
        ("classic/camera/camera_pattern.py", "variance**0.5", "variance"),
    ),
    *_of(
        "methods/cellinr/test_field.py",
        ("methods/cellinr/field/mixed.py", "weight * (sparse - result)",
         "weight * (result - sparse)", "much_light"),
        ("methods/cellinr/model.py", "np.hypot(error * slope, np.float32(self.noise.offset_sd))",
         "error * slope", "unknown_mean"),
    ),
    *_of(
        "classic/test_features.py",
        ("classic/features.py", "yield estimate - fine", "yield fine - estimate"),
    ),
    *_of(
        "classic/test_interpolate.py",
        ("classic/interpolate.py", "(1.5 * t - 2.5) * t**2 + 1", "(1.5 * t - 2.4) * t**2 + 1"),
        ("classic/warping.py", "((1 - t) * a + t * b)", "(t * a + (1 - t) * b)"),
    ),
    *_of(
        "classic/test_pixels.py",
        ("classic/camera/pixels.py", "_JUMP = 6.0", "_JUMP = 7.0"),
    ),
    *_of(
        "classic/test_structure.py",
        ("classic/structure.py", "scale[first] * scale[second]", "scale[first] * scale[first]",
         "mixed_derivatives"),
    ),
)  # fmt: skip

IO = (
    *_of(
        "io/test_channels.py",
        ("io/series/channels.py", 'axis = 1 if "T" in first.axes else 0', "axis = 0"),
    ),
    *_of(
        "io/test_dtype.py",
        ("io/dtype.py", 'np.rint(array) if array.dtype.kind == "f"',
         'np.floor(array) if array.dtype.kind == "f"'),
    ),
    *_of(
        "io/test_lazy.py",
        ("io/lazy.py", "_SUSPICIOUS * file_bytes", "100 * _SUSPICIOUS * file_bytes",
         "suspiciously"),
    ),
    *_of(
        "io/test_nifti.py",
        ("io/nifti/reader.py", "matrix[:3, 3] += matrix[:3, :3] @ moved",
         "matrix[:3, 3] -= matrix[:3, :3] @ moved", "affine"),
        ("io/nifti/file.py", "stored * np.float64(slope) + intercept",
         "stored * np.float64(slope) - intercept",
         "slope"),
    ),
    *_of(
        "io/test_record.py",
        ("io/metadata/record.py", "_TOLERANCE = 1e-5", "_TOLERANCE = 1e-1"),
    ),
    *_of(
        "io/test_sequences.py",
        ("io/series/sequences.py",
         "return sorted(paths, key=lambda path: (_sort_key(path), path.name))",
         "return sorted(paths)"),
    ),
    *_of(
        "io/test_units.py",
        ("io/metadata/units.py", '"inch": 25_400_000_000', '"inch": 25_000_000_000'),
    ),
    *_of(
        "io/test_zarr.py",
        (
            "io/zarr/transforms.py",
            "place * np.where(usable, numbers, 1)",
            "place",
        ),
    ),
)  # fmt: skip

METRICS = _of(
    "test_metrics.py",
    ("metrics.py", "10 * math.log10(peak**2 / error)", "20 * math.log10(peak**2 / error)"),
    ("metrics.py", "_SSIM_WINDOW = 7", "_SSIM_WINDOW = 5"),
    ("metrics.py", "(36 * math.pi * volume**2)", "(30 * math.pi * volume**2)"),
    ("metrics.py", "if box else 0.0", "if box else 1.0"),
    ("metrics.py", "/ total if total else 1.0", "/ total if total else 0.0"),
    ("metrics.py", "return values, reference", "return reference, values"),
)  # fmt: skip

MACRO = (
    *_of(
        "macro/test_text_from_outside.py",
        ("macro/scripts/lines.py",
         'f"./{path}" if path.startswith("-")', 'path if path.startswith("-")',
         "identifiers"),
        ("macro/scripts/lines.py", 'if given.startswith("-") else (flag, given)',
         "if False else (flag, given)", "identifiers"),
        ("macro/scripts/lines.py",
         'Line(f"# {one_line(text)}", "comment")', 'Line(f"# {text}", "comment")',
         "identifiers"),
        ("macro/scripts/lines.py",
         "or keyword.iskeyword(word):\n        raise", "or False:\n        raise",
         "identifiers"),
        ("macro/scripts/lines.py", "    _check_plain(plain)\n    return Code", "    return Code",
         "identifiers"),
        ("macro/scripts/lines.py", "shlex.join([", '" ".join([', "shell"),
        ("text.py", r'_CONTROL.sub(" ",', r'_CONTROL.sub("",', "control_characters"),
    ),
    *_of(
        "macro/test_macro.py",
        ("macro/naming.py", "return names[0] if names", "return names[-1] if names",
         "command_line"),
        ("macro/actions/calibrate.py", "script.voxel[step.source.layer] = sizes",
         'script.voxel[step.source.layer] = ""', "command_line"),
        ("macro/actions/save.py", "or not existing or existing == path", "or not existing",
         "command_line"),
    ),
    *_of(
        "macro/test_registered_actions.py",
        ("macro/actions/open.py", "if name not in replay.images:", "if True:", "not_read_again"),
        ("macro/actions/fit.py", '**({} if step.seed is None else {"seed": step.seed})', "",
         "reads_back"),
    ),
    *_of(
        "macro/test_rendering.py",
        ("macro/actions/render.py", 'f"{axis}={start}:{stop}"', 'f"{axis}={start}:{start}"',
         "replay_script"),
        ("macro/actions/fit.py",
         "call = script.call(function, *start, given, keywords=step.settings)",
         "call = script.call(function, *start, given)", "replay_script"),
    ),
)  # fmt: skip

MUTANTS = (*CELLINR, *NSTM, *SPATIME, *FITTING, *OPTICS, *CLASSIC, *IO, *METRICS, *MACRO)
