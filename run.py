"""Set up this repository and run its demonstration or its tests; Linux, macOS and Windows.

`./run` on Linux and macOS, and `run.cmd` on Windows, find a Python and call this script, which
needs nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
PROGRAMS = VENV / ("Scripts" if os.name == "nt" else "bin")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS_BETWEEN_LINES = 10.0

USAGE = """\
./run demo [--gui] [FOLDER]            denoise a simulated embryo and measure the result
./run test [--quick] [PYTEST OPTIONS]  all checks: lint, and every test on the built wheel;
                                       --quick: those that take less than two minutes
On Windows: run.cmd demo, run.cmd test"""

QUICK = ("tests/config", "tests/fields", "tests/optics", "tests/test_documents.py")


def say(text: str) -> None:
    """Print a line of this script at once."""
    print(f"run: {text}", flush=True)


def has_nvidia() -> bool:
    """Return whether the computer has a card that the CUDA libraries are for."""
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None


def answers(address: str, seconds: float = 5.0) -> bool:
    """Return whether a server answers in time."""
    request = urllib.request.Request(f"{address}/torch/", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def indexes() -> dict[str, str]:
    """Return the variables that make pip take the CPU build of PyTorch where that is enough.

    A local version such as 2.13.0+cpu is newer than 2.13.0 for pip, which therefore prefers it.
    The builds of the default index for macOS and Windows have no CUDA libraries.
    """
    if platform.system() != "Linux" or has_nvidia():
        return {}
    if answers(CPU_INDEX):
        say("no NVIDIA card: taking the CPU build of PyTorch")
        others = os.environ.get("PIP_EXTRA_INDEX_URL", "")
        return {"PIP_EXTRA_INDEX_URL": f"{others} {CPU_INDEX}".strip()}
    say(f"no NVIDIA card, but {CPU_INDEX} does not answer: pip takes the usual build of PyTorch")
    return {}


def download_size(extra: str) -> int:
    """Return how many bytes pip would download for the package, 0 if that cannot be found."""
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    command = [
        *(str(PROGRAMS / "python"), "-m", "pip", "install", "--dry-run", "--quiet"),
        *("--report", "-", "-c", str(ROOT / "constraints.txt"), target),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        return 0
    plan = json.loads(result.stdout[result.stdout.index("{") :])["install"]
    addresses = [item["download_info"]["url"] for item in plan]
    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(size_of, addresses))


def size_of(address: str) -> int:
    """Return the length of a file on a server, 0 if it does not say."""
    if not address.startswith("https://"):
        return 0
    request = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.headers.get("Content-Length", 0))
    except (OSError, ValueError):
        return 0


def with_progress(command: list[str], environment: dict[str, str]) -> int:
    """Run a silent command, and print a line every few seconds until it ends."""
    start, free, done = time.monotonic(), shutil.disk_usage(ROOT).free, threading.Event()

    def report() -> None:
        while not done.wait(SECONDS_BETWEEN_LINES):
            written = max(0, free - shutil.disk_usage(ROOT).free) / 1e9
            say(f"installing: {time.monotonic() - start:.0f} s, {written:.1f} GB on disk")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        done.set()
        thread.join()


def works(command: list[str]) -> bool:
    """Return whether a program is there and runs; one of a moved folder does not."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def written_by_tox(file: Path) -> bool:
    """Return whether a file holds what newer versions of tox write: the path of one of theirs."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    if len(lines) != 1 or not lines[0].strip():
        return False
    place = Path(os.path.normpath(ROOT / lines[0]))
    return place.parent == ROOT / ".tox" or (place / ".tox-info.json").is_file()


def set_up(name: str, extra: str) -> dict[str, str]:
    """Make .venv with tox, and tox's environment of that name; return the variables for tox."""
    if not works([str(PROGRAMS / "tox"), "--version"]):
        say("making the virtual environment .venv")
        if VENV.is_file():
            if not written_by_tox(VENV):
                say(f"{VENV} is a file that tox has not written; move it, a folder is needed.")
                sys.exit(1)
            VENV.unlink()
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        pip = [str(PROGRAMS / "python"), "-m", "pip", "install", "--quiet"]
        silent = "--disable-pip-version-check"
        subprocess.run([*pip, silent, "-c", str(ROOT / "constraints.txt"), "tox"], check=True)
    environment = dict(os.environ)
    if not any((ROOT / ".tox" / name).glob("**/site-packages/torch")):
        found = indexes()
        environment.update(found)
        # The lookup takes a minute, and is for somebody who can stop here.
        if platform.system() == "Linux" and sys.stdin.isatty() and not has_nvidia() and not found:
            size = download_size(extra)
            told = f"{size / 1e9:.1f} GB" if size else "an unknown amount, up to 5 GB,"
            say(f"{told} will be downloaded; Ctrl-C stops here")
        say("installing the packages, once; this takes a minute or two on a fast connection")
    tox = [str(PROGRAMS / "tox"), "run", "-q", "--notest", "-e", name]
    status = with_progress(tox, environment)
    if status:
        sys.exit(status)
    return environment


def main(arguments: list[str]) -> int:
    """Run a command of this script and return its exit status."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        say(f"Python 3.11 to 3.14 is needed; this is {platform.python_version()}.")
        return 1
    os.chdir(ROOT)
    command, *rest = arguments or [""]
    if command == "demo":
        name = "demo-gui" if "--gui" in rest else "demo"
        extra = "gui" if "--gui" in rest else ""
    elif command == "test":
        name, extra = "check", "all"
        if "--quick" in rest:
            name, extra = "quick", "gui"
            rest = [*QUICK, *(option for option in rest if option != "--quick")]
    else:
        print(USAGE)
        return 0 if command in ("-h", "--help") else 2
    environment = set_up(name, extra)
    # -qq: pytest's summary is to be the last thing that is printed
    tox = [str(PROGRAMS / "tox"), "run", "-qq", "--skip-pkg-install", "-e", name, "--", *rest]
    return subprocess.run(tox, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
