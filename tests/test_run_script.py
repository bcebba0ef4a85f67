"""run.py chooses the build of PyTorch, and says what it will do."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("run", Path(__file__).parents[1] / "run.py")
run = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run)


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr(run.platform, "system", lambda: "Linux")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setattr(run, "has_nvidia", lambda: False)


@pytest.mark.parametrize(
    ("card", "answers", "expected"),
    [(False, True, run.CPU_INDEX), (False, False, None), (True, True, None)],
)
def test_the_cpu_build_is_taken_without_a_card(linux, monkeypatch, card, answers, expected):
    monkeypatch.setattr(run, "has_nvidia", lambda: card)
    monkeypatch.setattr(run, "answers", lambda address: answers)
    assert run.indexes().get("PIP_EXTRA_INDEX_URL") == expected


def test_other_indexes_are_kept(linux, monkeypatch):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://e.org/simple")
    monkeypatch.setattr(run, "answers", lambda address: True)
    assert run.indexes() == {"PIP_EXTRA_INDEX_URL": f"https://e.org/simple {run.CPU_INDEX}"}


def test_macos_and_windows_take_the_usual_build(monkeypatch):
    monkeypatch.setattr(run.platform, "system", lambda: "Darwin")
    assert run.indexes() == {}


def test_a_server_that_is_not_there_does_not_answer():
    assert not run.answers("http://127.0.0.1:9")


def test_the_status_of_a_command_is_that_of_the_script(capsys):
    python = run.sys.executable
    assert run.with_progress([python, "-c", "raise SystemExit(3)"], dict(run.os.environ)) == 3


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 15, 0)])
def test_other_versions_of_python_are_refused(monkeypatch, capsys, version):
    monkeypatch.setattr(run.sys, "version_info", version)
    assert run.main(["demo"]) == 1
    assert "Python 3.11 to 3.14" in capsys.readouterr().out


def test_the_quick_tests_are_folders_that_exist():
    assert all((run.ROOT / place).exists() for place in run.QUICK)


@pytest.fixture
def venv(monkeypatch, tmp_path):
    """Return the place of the environment, and what is there whenever a program is run."""
    place, made = tmp_path / ".venv", []
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "VENV", place)
    monkeypatch.setattr(run, "PROGRAMS", place / "bin")
    monkeypatch.setattr(run, "indexes", dict)
    monkeypatch.setattr(run, "works", lambda command: False)
    monkeypatch.setattr(run, "with_progress", lambda *_: 0)
    monkeypatch.setattr(run.subprocess, "run", lambda command, **_: made.append(place.exists()))
    return place, made


@pytest.mark.parametrize("text", [".tox/check\n", "{root}/.tox/gone\n", "{root}/work/check\n"])
def test_a_file_that_tox_has_written_is_replaced(venv, tmp_path, text):
    """Newer versions write a file `.venv` with the path of one of their environments."""
    place, made = venv
    other = tmp_path / "work" / "check"
    other.mkdir(parents=True)
    (other / ".tox-info.json").write_text("{}")
    place.write_text(text.format(root=tmp_path))
    run.set_up("demo", "")
    assert made == [False, False]


@pytest.mark.parametrize("content", [b"/elsewhere\n", b"", b"\n", b"\xff", b".tox/check\nnotes\n"])
def test_another_file_in_its_place_is_kept(venv, capsys, content):
    place, made = venv
    place.write_bytes(content)
    with pytest.raises(SystemExit) as end:
        run.set_up("demo", "")
    assert (end.value.code, place.read_bytes(), made) == (1, content, [])
    assert "tox has not written; move it" in capsys.readouterr().out


@pytest.mark.parametrize(("given", "status"), [([], 2), (["deno"], 2), (["--help"], 0)])
def test_what_can_be_run_is_said(monkeypatch, tmp_path, capsys, given, status):
    monkeypatch.chdir(tmp_path)
    assert run.main(given) == status
    assert "demo [--gui]" in capsys.readouterr().out
