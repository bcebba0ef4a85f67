"""Every public function or method with two or more parameters documents each of them."""

import ast
import re
from pathlib import Path

import napari_cellinr

PACKAGE = Path(napari_cellinr.__file__).parent


def methods_of(tree):
    """Yield (bases, prefix, function) of the public functions and methods of a module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (), "", node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = tuple(base.id for base in node.bases if isinstance(base, ast.Name))
            for _, prefix, function in methods_of(node):
                yield bases, f"{node.name}.{prefix}", function


def parameters(function):
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [a.arg for a in (given.vararg, given.kwarg) if a]
    return [name for name in names if name not in {"self", "cls"}]


def documented(function):
    """Return the names under Parameters: `a, b`, `**settings`, each on a line of its own."""
    docstring = ast.get_docstring(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", docstring, re.M | re.S)
    lines = section.group(1).splitlines() if section else []
    names = [line.split(" : ")[0] for line in lines if line and not line.startswith(" ")]
    return {name.strip().lstrip("*") for line in names for name in line.split(",")}


def undocumented(module, documented_in_bases=frozenset()):
    """Return `name: parameters` of what lacks documentation.

    A method that overrides one of a base class, by name, is documented there.
    """
    lacking = []
    for bases, prefix, function in methods_of(ast.parse(module)):
        names = parameters(function)
        inherited = any(f"{base}.{function.name}" in documented_in_bases for base in bases)
        is_overload = any(ast.unparse(one) == "overload" for one in function.decorator_list)
        if function.name.startswith("_") or len(names) < 2 or inherited or is_overload:
            continue
        missing = [name for name in names if name not in documented(function)]
        if missing:
            lacking.append(f"{prefix}{function.name}: {', '.join(missing)}")
    return lacking


MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
DOCUMENTED = {
    prefix + function.name
    for path in MODULES.values()
    for _, prefix, function in methods_of(ast.parse(path.read_text(encoding="utf-8")))
    if prefix and set(parameters(function)) <= documented(function)
}


def test_every_parameter_is_documented():
    lacking = {
        module: found
        for module, path in MODULES.items()
        if (found := undocumented(path.read_text(encoding="utf-8"), DOCUMENTED))
    }
    assert not lacking


DOCUMENTED_FUNCTION = '''
def add(first, second, *, weight=1, **others):
    """Return a sum.

    Parameters
    ----------
    first, second
        Numbers.
    weight
        Factor: first.
    **others
        Ignored.

    Raises
    ------
    ValueError
        Never.
    """
'''


def test_the_rule_itself():
    assert undocumented(DOCUMENTED_FUNCTION) == []
    assert undocumented(DOCUMENTED_FUNCTION.replace("    weight\n", "    wait\n")) == [
        "add: weight"
    ]
    assert undocumented("def f(a, b): 'Return.'") == ["f: a, b"]
    assert undocumented("def _f(a, b): 'Return.'\ndef g(a): 'Return.'") == []
    method = "class A(Base):\n    def f(self, a, b): 'Return.'"
    assert undocumented(method) == ["A.f: a, b"]
    assert undocumented(method, {"Base.f"}) == []
    assert undocumented(method.replace("A(", "_A(")) == []
