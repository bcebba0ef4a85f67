"""What is handed to a function that deletes is never found by a pattern or by listing a folder.

`test_deletions.py` checks where files are deleted; here, what callers hand over is followed back
through names, loops and functions of the package.
"""

import ast
from pathlib import Path

import pytest
from test_deletions import MODULES, PACKAGE, name_of

REMOVERS = {"remove_files", "remove_empty_folder", "remove_temporary", "remove_zarr"}
LISTING = {
    "glob", "iglob", "rglob", "iterdir", "listdir", "scandir", "walk", "fwalk", "fnmatch", "filter",
}  # fmt: skip

ALLOWED = {
    # The identity of the checkpoint, 16 random digits, is in the name of each temporary file.
    ("io/safety/checkpoint_folder.py", "_leavings"),
    # Checkpoints of 0.1 had no manifest: name and header of each file are those of a part.
    ("io/safety/checkpoint_folder.py", "_files_of_0_1"),
    # The name of each file holds the process that wrote it, which has to be gone.
    ("io/safety/leftovers.py", "_left"),
    # Folders are walked to sort what is Zarr from all else, which stays.
    ("io/zarr/parts.py", "_sort"),
}
"""Functions that list a folder, each with its test in `test_foreign_files.py`."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Sources:
    """Follows expressions back to the calls that they come from.

    Parameters
    ----------
    trees
        Syntax tree by name of the module.
    """

    def __init__(self, trees):
        self.trees = trees
        self.functions = {}
        for module, tree in trees.items():
            for node in ast.walk(tree):
                if isinstance(node, FUNCTIONS):
                    self.functions.setdefault(node.name, []).append((module, node))

    def listed(self):
        """Return the functions that list a folder for one that deletes."""
        found = set()
        for module, tree in self.trees.items():
            for function in [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]:
                for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                    if name_of(call) in REMOVERS:
                        for given in [*call.args, *(word.value for word in call.keywords)]:
                            self._follow(given, module, function, found, set())
        return found

    def _follow(self, node, module, function, found, seen):
        """Add to `found` which functions list a folder for an expression in a function."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and (function, part.id) not in seen:
                seen.add((function, part.id))
                for value in bound(function, part.id):
                    self._follow(value, module, function, found, seen)
            owner = getattr(part, "value", None) if isinstance(part, ast.Attribute) else None
            if getattr(owner, "id", "") == "self":  # a property, or a method
                self._into(part.attr, module, found, seen, only=module)
            if isinstance(part, ast.Call):
                if name_of(part) in LISTING:
                    found.add((module, function.name))
                elif isinstance(part.func, ast.Name):
                    self._into(part.func.id, module, found, seen)

    def _into(self, name, module, found, seen, only=None):
        """Follow what functions of a name return: those of one module, or of all."""
        for place, function in self.functions.get(name, []):
            if only in (None, place) and function not in seen:
                seen.add(function)
                for node in ast.walk(function):
                    if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)) and node.value:
                        self._follow(node.value, place, function, found, seen)


def bound(function, name):
    """Return what a name is bound to in a function, by assignments, loops and `with`."""
    pairs = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            pairs += [(target, node.value) for target in node.targets]
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value:
            pairs.append((node.target, node.value))
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            pairs.append((node.target, node.iter))
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            pairs.append((node.optional_vars, node.context_expr))
        elif isinstance(node, ast.Call) and name_of(node) in {"append", "extend", "add", "update"}:
            owner = getattr(node.func, "value", None)
            pairs += [(owner, value) for value in node.args if owner is not None]
    names = ((value, ast.walk(target)) for target, value in pairs)
    return [v for v, nodes in names if any(getattr(one, "id", None) == name for one in nodes)]


def listed_in(code):
    return {function for _, function in Sources({"made_up.py": ast.parse(code)}).listed()}


@pytest.mark.parametrize(
    "code",
    [
        "def f(p):\n remove_files(p.glob('part-*.json'))",
        "def f(p):\n remove_files(sorted(p.iterdir()))",
        "def f(p):\n found = list(p.rglob('*'))\n remove_files(found)",
        "def f(p):\n for one in os.scandir(p):\n  remove_temporary(p / one.name)",
        "def f(p):\n with os.scandir(p) as some:\n  names = [s.name for s in some]\n"
        " remove_files([p / name for name in names])",
        "def f(p):\n found = []\n found.extend(p.glob('*'))\n remove_files(paths=found)",
        "def f(p):\n remove_files(x for x in everything(p))\n"
        "def everything(p):\n return [x for x in p.iterdir()]",
        "class A:\n def f(self):\n  remove_files([*self.lock, *self._notes()])\n"
        " def _notes(self):\n  return list(self._folder.glob('part-*.json'))",
        "class A:\n def f(self):\n  remove_files(self.notes)\n @property\n"
        " def notes(self):\n  yield from self._folder.glob('part-*.json')",
        "def f(p):\n if (found := next(p.glob('*'), None)):\n  remove_zarr(found)",
        "def f(p):\n return remove_empty_folder(p.parent / os.listdir(p)[0])",
    ],
)
def test_what_counts_as_found_by_a_pattern(code):
    assert listed_in(code)


@pytest.mark.parametrize(
    "code",
    [
        "def f(p):\n remove_files([p / 'plan.json'])",
        "def f(p):\n remove_files(p / name for name in NAMES)",
        "def f(p):\n shown = list(p.glob('*'))\n remove_files([p / 'job'])\n return shown",
        "class A:\n def f(self):\n  remove_files([self.find(n) for n in self.names])\n"
        " def find(self, n):\n  return self.p / n",
    ],
)
def test_what_counts_as_named(code):
    assert not listed_in(code)


def test_nothing_that_is_found_by_a_pattern_is_deleted():
    trees = {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in MODULES
    }
    assert Sources(trees).listed() == ALLOWED


def test_the_removers_are_all_that_delete():
    """Each function of the module that deletes is one of them, or gives names only."""
    tree = ast.parse(Path(PACKAGE, "io", "safety", "owned.py").read_text("utf-8"))
    deleting = {
        function.name
        for function in tree.body
        if isinstance(function, FUNCTIONS)
        and any(
            name_of(c) in {"unlink", "rmdir"} for c in ast.walk(function) if isinstance(c, ast.Call)
        )
    }
    assert deleting <= REMOVERS
