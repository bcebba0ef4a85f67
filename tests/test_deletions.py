"""Only one module deletes, renames or replaces files; files are written under new names."""

import ast
from pathlib import Path

import pytest

import napari_cellinr

PACKAGE = Path(napari_cellinr.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
OWNED = PACKAGE / "io" / "safety" / "owned.py"
MANIFEST = PACKAGE / "io" / "safety" / "manifest.py"

DELETING = {
    "rmtree", "unlink", "rmdir", "removedirs", "rename", "renames", "truncate", "ftruncate",
    "TemporaryDirectory", "NamedTemporaryFile", "mkdtemp", "mkstemp", "copytree", "copyfile",
    "copy2", "hardlink_to", "symlink_to",
}  # fmt: skip
WRITING = {"write_text", "write_bytes"}


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def name_of(call):
    function = call.func
    return getattr(function, "attr", getattr(function, "id", ""))


def is_of(call, *modules):
    """Return whether a call is one like `os.remove`."""
    value = getattr(call.func, "value", None)
    return isinstance(value, ast.Name) and value.id in modules


def deletes(call):
    name = name_of(call)
    if name in DELETING or (name in {"remove", "replace", "move"} and is_of(call, "os", "shutil")):
        return True
    # `path.replace(other)`; that of a text has two words, that of settings and images names
    is_path = name == "replace" and len(call.args) == 1 and not call.keywords
    return is_path and isinstance(call.func, ast.Attribute)


def opens_to_write(call):
    """Return whether a call is `open` with a mode that writes, or opens a Zarr in order to."""
    if "open" not in name_of(call):
        return False
    words = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    modes = [w.value for w in words if isinstance(w, ast.Constant) and isinstance(w.value, str)]
    # "x" alone creates a file that is new, or fails
    return any((set("wa") & set(mode) and len(mode) <= 3) or "x" in mode[1:] for mode in modes)


def overwrites(call):
    """Return whether a call lets a library overwrite; a macro's permission is checked by us."""
    if name_of(call) in {"iter_batch", "iter_replay", "Rules", "save_macro"}:
        return False
    if name_of(call) in {"run_plan", "begin", "PartsRequest", "parts_work"}:
        return False  # replace results of other plans as `io` allows: only Zarr, and own notes
    if name_of(call) == "bind_key":
        return False  # a key of the viewer
    owner = getattr(call.func, "value", None)
    if getattr(owner, "attr", getattr(owner, "id", "")) in {"written", "_dispatcher", "self"}:
        return False  # what may be replaced is asked in `ui/session/written.py`
    return any(
        word.arg == "overwrite" and getattr(word.value, "value", True) for word in call.keywords
    )


def found(path, is_wanted):
    tree = ast.parse(path.read_text("utf-8"))
    return [f"{path.name}:{call.lineno}" for call in calls(tree) if is_wanted(call)]


@pytest.mark.parametrize(
    "code",
    [
        "os.remove(a)", "shutil.rmtree(a)", "a.unlink()", "a.rmdir()", "os.replace(a, b)",
        "a.replace(b)", "a.rename(b)", "shutil.move(a, b)", "tempfile.TemporaryDirectory()",
    ],
)  # fmt: skip
def test_what_counts_as_a_deletion(code):
    assert deletes(ast.parse(code).body[0].value)


@pytest.mark.parametrize(
    "code",
    ["text.replace('a', 'b')", "config.replace(steps=3)", "replace(a, b=1)", "list.remove(a)"],
)
def test_what_counts_as_none(code):
    assert not deletes(ast.parse(code).body[0].value)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_one_module_deletes_and_renames(path):
    assert path == OWNED or found(path, deletes) == []
    assert found(path, overwrites) == []


def test_no_name_hides_a_deletion():
    """Such as `from os import remove as away`."""
    words = DELETING | {"remove", "replace", "move"}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in {"os", "shutil", "tempfile"}:
                assert not words & {alias.name for alias in node.names}, path


def test_the_module_itself_knows_no_pattern_and_empties_no_folder():
    words = {"rmtree", "glob", "rglob", "iterdir", "listdir", "scandir", "walk", "removedirs"}
    assert found(OWNED, lambda call: name_of(call) in words) == []
    assert found(OWNED, deletes)


def test_files_are_opened_for_writing_only_where_they_are_new():
    assert [place for path in MODULES for place in found(path, opens_to_write)] == []
    # The manifest only grows: it is made with "xb", and lines are appended with "ab".
    text = MANIFEST.read_text("utf-8")
    assert '"wb"' not in text
    assert text.count(".open(mode)") == 1


def test_what_is_written_at_once_is_written_to_a_temporary_file():
    for path in MODULES:
        tree = ast.parse(path.read_text("utf-8"))
        temporary = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.With) and name_of_context(node) == "replacing"
            for inner in ast.walk(node)
        }
        for call in calls(tree):
            assert name_of(call) not in WRITING or id(call) in temporary, (path, call.lineno)


def name_of_context(node):
    context = node.items[0].context_expr
    return name_of(context) if isinstance(context, ast.Call) else ""
