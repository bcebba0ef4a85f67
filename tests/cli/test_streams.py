"""Standard output that is closed, full or not read, and signals: exit status, sentence, files."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_cellinr import cli, read
from napari_cellinr.cli.shared.progress import Interruption, until_signal
from napari_cellinr.errors import ConfigError, FitError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="streams and signals of POSIX")

PROGRAM = f"{sys.executable} -c 'import sys; from napari_cellinr.cli import main; sys.exit(main())'"
FAKE = Path(__file__).with_name("fake.py")
LOST = "warning: standard output cannot be written ({}); the command continues without messages.\n"


def shell(words, ending):
    """Run a command in a shell that does something to its streams; return status and error."""
    command = f"set -o pipefail; {PROGRAM} {words} {ending}"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return found.returncode, found.stderr


@pytest.mark.parametrize(
    ("ending", "why"),
    [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")],
)
def test_files_are_written_without_standard_output(raw_file, tmp_path, ending, why):
    out = tmp_path / "out.tif"
    assert shell(f"convert {raw_file} {out}", ending) == (0, LOST.format(why))
    assert read(out).shape == (8, 16, 20)


@pytest.mark.parametrize("words", ["optics dpc", "info {}", "--help", "convert --help"])
def test_an_answer_that_is_lost_is_an_error(raw_file, words):
    words = words.format(raw_file)
    said = "error: standard output cannot be written (No space left on device).\n"
    assert shell(words, ">/dev/full") == (1, said)


def test_a_reader_that_has_seen_enough_gets_no_message(raw_file):
    assert shell(f"info {raw_file}", "| true") in {(141, ""), (0, "")}
    closed = f"bash -c 'exec {{fd}}> >(exit 0); sleep 0.3; {PROGRAM} info {raw_file} >&$fd'"
    closed = closed.replace(PROGRAM, PROGRAM.replace("'", '"'))
    found = subprocess.run(["bash", "-c", closed], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (141, "")


@pytest.mark.parametrize("ending", ["2>&-", "2>/dev/full", ">&- 2>&- <&-"])
def test_errors_keep_their_status_without_standard_error(tmp_path, ending):
    assert shell(f"info {tmp_path}/none.tif", ending)[0] == 2
    assert shell("convert only-one-word", ending)[0] == 2


@pytest.fixture
def begun(raw_file, tmp_path):
    """Return a function that begins a slow fit, and sends it a signal."""

    def begin(number, **options):
        command = [sys.executable, str(FAKE), "0.02", "denoise", raw_file]
        command += [str(tmp_path / "out.tif"), "--steps", "1000", "--checkpoint-seconds", "0"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        return process

    return begin


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_save_the_partial_result_as_ctrl_c_does(begun, tmp_path, name):
    number = getattr(signal, name)
    process = begun(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert error.startswith(f"warning: stopped by {name}; the partial result is in ")
    assert read(tmp_path / "out.tif").shape == (8, 16, 20)


def test_a_command_under_nohup_outlives_its_terminal(begun):
    process = begun(signal.SIGHUP, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_signal_outside_of_a_fit_is_one_sentence(run, raw_file, tmp_path, monkeypatch):
    def killed(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("napari_cellinr.io.write", killed)
    status, out, error = run("convert", raw_file, tmp_path / "out.tif")
    said = "error: stopped by SIGTERM before the end; unfinished files were not written.\n"
    assert (status, out, error) == (143, "", said)


@pytest.mark.parametrize("error", [RuntimeError, OSError, ConfigError, FitError, SystemExit])
def test_another_exception_after_a_signal_changes_nothing(
    run, raw_file, tmp_path, monkeypatch, error
):
    """Libraries replace exceptions that they do not know, and tidying up may fail."""

    def replaced(*_, **__):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise error("something else") from None

    monkeypatch.setattr("napari_cellinr.io.write", replaced)
    status, out, said = run("convert", raw_file, tmp_path / "out.tif")
    sentence = "error: stopped by SIGTERM before the end; unfinished files were not written.\n"
    assert (status, out, said) == (143, "", sentence)


@pytest.fixture
def quick_command(monkeypatch):
    """Replace all commands by one that does nothing, and return a list to which it adds an item."""
    done = []

    def work(options):
        done.append(options)
        return 0

    parser = SimpleNamespace(parse_args=lambda _: SimpleNamespace(run=work))
    monkeypatch.setattr("napari_cellinr.cli.make_parser", lambda: parser)
    return done


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_at_any_line_is_one_sentence(run, quick_command, name):
    """Also while handlers are set and put back, and when the command has just begun or ended."""
    number, line, places = getattr(signal, name), 0, 0
    called = "Ctrl-C" if name == "SIGINT" else name
    sentence = f"error: stopped by {called} before the end; unfinished files were not written.\n"
    stopped = (128 + number, "", sentence)
    while (found := signalled(run, number, line)) is not None:
        before_or_after, answer = found
        if not before_or_after:
            assert answer == stopped or (answer == (0, "", "") and quick_command), line
            places += answer == stopped
        quick_command.clear()
        line += 1
    assert places > 20


def signalled(run, number, line):
    """Run a command that gets a signal when it executes that many lines of Python.

    Returns whether the signal came to the handler of the caller, and what `run` returns; None if
    the command has fewer lines.
    """
    count, outside, old, tracer = -1, [], signal.getsignal(number), sys.gettrace()

    def trace(frame, event, _):
        nonlocal count
        if Path(frame.f_code.co_filename).name == "enum.py":  # hundreds of lines to name a signal
            return None
        count += event == "line"
        if event == "line" and count == line:
            signal.raise_signal(number)
        return trace

    def main(words):
        sys.settrace(trace)
        try:
            return cli.main(words)
        finally:
            sys.settrace(tracer)

    signal.signal(number, lambda *_: outside.append(True))
    try:
        answer = run(main=main)
    finally:
        signal.signal(number, old)
    return (bool(outside), answer) if count >= line else None


def test_a_signal_waits_for_what_must_not_be_interrupted():
    done = []

    def before():
        signal.raise_signal(signal.SIGTERM)
        done.append("before")

    status = until_signal(lambda: done.append("command"), lambda error: 128 + error.number, before)
    assert (status, done) == (143, ["before"])


def test_ctrl_c_while_its_sentence_is_printed_changes_nothing():
    def command():
        signal.raise_signal(signal.SIGINT)

    def explained(error):
        signal.raise_signal(signal.SIGINT)
        return 128 + error.number

    assert until_signal(command, explained) == 130


@pytest.mark.parametrize("is_over", [False, True])
def test_ctrl_c_while_handlers_are_set_or_put_back(monkeypatch, is_over):
    """Then Python's own handler gets it; a command that is over keeps its status."""
    stopped = []

    def put(number, handler, real=signal.signal):
        if number == signal.SIGTERM and bool(done) == is_over and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt
        return real(number, handler)

    done, before = [], signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(signal, "signal", put)
    status = until_signal(lambda: done.append(True) or 3, lambda error: 130)
    monkeypatch.undo()
    signal.signal(signal.SIGINT, before)
    assert (stopped, status) == ([True], 3 if is_over else 130)


def test_a_second_ctrl_c_is_not_replaced_by_another_exception():
    """As a library would that a fit has called."""

    def command():
        interruption = Interruption()
        with interruption.caught():
            signal.raise_signal(signal.SIGTERM)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise RuntimeError from None

    assert until_signal(command, lambda error: error.number) == signal.SIGINT


def test_a_library_that_a_signal_interrupts_does_not_warn():
    """As Zarr does, whose calls wait for coroutines that have not begun."""

    async def work():
        raise AssertionError

    def interrupted(coroutine):
        signal.raise_signal(signal.SIGTERM)

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert until_signal(lambda: interrupted(work()), lambda error: error.number) == 15
        warnings.warn("coroutine 'work' was never awaited", RuntimeWarning, stacklevel=1)
    assert len(found) == 1


def test_only_a_second_ctrl_c_is_impatience():
    interruption = Interruption()
    with interruption.caught():
        for name in ("SIGHUP", "SIGHUP", "SIGTERM"):
            signal.raise_signal(getattr(signal, name))
        assert (interruption.name, interruption.status) == ("SIGHUP", 129)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    within = []

    def command():
        within.append(signal.getsignal(signal.SIGTERM))
        return 3

    assert until_signal(command, lambda error: 1) == 3
    assert within[0] != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_folder_that_is_read_only(raw_file, tmp_path, run, monkeypatch):
    """Whoever runs the tests as root may write everywhere, so the system is asked in vain."""
    monkeypatch.setattr(Path, "touch", refused)
    status, _, error = run("convert", raw_file, tmp_path / "out.tif")
    assert (status, error.count("\n")) == (2, 1)
    assert "Read-only file system" in error


def refused(*_, **__):
    raise OSError(30, "Read-only file system")
