"""The script that submits the parts of a plan to SLURM."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from napari_cellinr.runs.scale.plan import Plan

__all__ = ["slurm_script"]

MOST_TASKS: Final = 1000
"""Largest array that SLURM allows where its administrator has not changed that."""

_JOB: Final = """\
{name}=$(sbatch --parsable{after} --job-name={job} --array=0-{last} \\
  --cpus-per-task={cpus} --mem={memory}G --time={minutes} <<'END'
#!/bin/bash
first=$(({start} + SLURM_ARRAY_TASK_ID * {each}))
last=$((first + {each} - 1 < {end} ? first + {each} - 1 : {end}))
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
napari-cellinr run-part {plan} "$first-$last"
END
)
"""


def slurm_script(plan: Plan, path: str, cpus: int = 4) -> str:
    """Return a shell script with two arrays of jobs: parts first, then coarser levels.

    Parameters
    ----------
    plan
        The plan.
    path
        Its file.
    cpus
        Cores of each job.
    """
    n_main = len(plan.parts)
    seconds = plan.seconds / max(1.0, 0.7 * cpus)
    main = _job(plan, path, cpus, "parts", "", 0, n_main - 1, seconds)
    after = " --dependency=afterok:$parts"
    coarse = _job(plan, path, cpus, "levels", after, n_main, plan.n_parts - 1, 600.0)
    head = "#!/bin/bash\n# Run this on a login node of the cluster.\n"
    return f"{head}{main}{coarse}echo $parts $levels\n"


def _job(
    plan: Plan, path: str, cpus: int, name: str, after: str, start: int, end: int, seconds: float
) -> str:
    """Return the lines that submit one array of jobs."""
    each = math.ceil((end - start + 1) / MOST_TASKS)
    tasks = math.ceil((end - start + 1) / each)
    return _JOB.format(
        name=name,
        after=after,
        job=f"cellinr-{name}",
        last=tasks - 1,
        cpus=cpus,
        memory=math.ceil(1.3 * plan.memory / 1e9),
        minutes=max(10, math.ceil(3 * each * seconds / 60)),
        start=start,
        each=each,
        end=end,
        plan=shlex.quote(path),
    )
