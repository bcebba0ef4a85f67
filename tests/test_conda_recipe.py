"""The conda recipe asks for what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
RECIPE = yaml.safe_load((ROOT / "packaging/conda/recipe.yaml").read_text("utf-8"))
NAMES = {"torch": "pytorch", "dask[array]": "dask-core"}


def as_conda(requirements):
    """Return requirements of pip as conda writes them."""
    split = [re.fullmatch(r"([\w\-\[\]]+)(>=[\w.]+)", one).groups() for one in requirements]
    return sorted(f"{NAMES.get(name, name)} {version}" for name, version in split)


def test_the_recipe_needs_what_the_package_needs():
    python, *others = RECIPE["requirements"]["run"]
    assert sorted(others) == as_conda(PROJECT["dependencies"])
    assert python == "python >=${{ python_min }}"
    assert f">={RECIPE['context']['python_min']}" == PROJECT["requires-python"]


def test_the_recipe_builds_with_what_the_package_is_built_with():
    host = RECIPE["requirements"]["host"]
    assert set(as_conda(PYPROJECT["build-system"]["requires"])) <= set(host)


def test_napari_is_optional_as_with_pip_but_not_older():
    expected = as_conda(PROJECT["optional-dependencies"]["napari"])
    assert sorted(RECIPE["requirements"]["run_constraints"]) == expected


def test_the_recipe_has_the_version_licence_and_addresses_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    about = RECIPE["about"]
    assert RECIPE["context"]["version"] == citation["version"]
    assert about["license"] == PROJECT["license"]
    assert about["repository"] == PROJECT["urls"]["Homepage"]
    assert about["documentation"] == PROJECT["urls"]["Documentation"]
