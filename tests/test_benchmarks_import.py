"""Every benchmark compiles, and all names that it imports exist; nothing is run."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(FOLDER.rglob("*.py"))


def imports_of(path):
    """Return (module, name) of all imports of a script, also of those inside functions."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


def names_in(path):
    """Return the names that a module defines or imports at its top level."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        for one in ast.walk(node) if isinstance(node, (ast.Assign, ast.AnnAssign)) else [node]:
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                names.add(one.id)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def local_module(script, module):
    """Return the file of another module of the benchmarks, or None."""
    place = module.replace(".", "/") + ".py"
    candidates = (script.parent / place, FOLDER / place, FOLDER.parent / place)
    return next((path for path in candidates if path.is_file()), None)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_imported_names_exist(script):
    compile(script.read_text("utf-8"), str(script), "exec")
    for module, name in imports_of(script):
        if module.partition(".")[0] == "napari_cellinr":
            found = import_module(module)
            if name is not None and not hasattr(found, name):
                import_module(f"{module}.{name}")
        elif name is not None and (path := local_module(script, module)):
            assert name in names_in(path), f"{path.relative_to(FOLDER)} has no {name}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_modules_beside_a_script_come_first(script):
    """`pictures` of a folder is not that of the folder above, which is added for `common`."""
    assert "sys.path.insert(0, str(Path(__file__).parents[1]))" not in script.read_text("utf-8")
