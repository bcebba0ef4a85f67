"""The documentation site, the README and the files of the repository agree with each other."""

import ast
import posixpath
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = SETTINGS["project"]
REPOSITORY = PROJECT["urls"]["Homepage"]

sys.path.insert(0, str(DOCS / "site"))
import hooks  # noqa: E402
import reference  # noqa: E402


@pytest.fixture(scope="module")
def pages():
    """The Markdown of all pages of the site, by their path in it, with links as in the site."""
    sources = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*.md")}
    texts = {name: path.read_text("utf-8") for name, path in sources.items()}
    texts |= {name: (ROOT / file).read_text("utf-8") for name, file in hooks.OF_ROOT.items()}
    texts |= reference.pages()
    return {
        name: hooks.with_links(text, hooks.OF_ROOT.get(name, f"docs/{name}"), name, REPOSITORY)
        for name, text in texts.items()
    }


def named(entry):
    """Yield the pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from named(part)


def test_the_navigation_names_every_page_once(pages):
    entries = list(named(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    assert len(entries) == len(set(entries))
    assert set(entries) == set(pages)
    assert len(entries) >= 30


def test_links_between_pages_lead_somewhere(pages):
    dead = []
    for name, text in pages.items():
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            if target.startswith(REPOSITORY):
                file = re.sub(r"^/(blob|tree)/main/", "", target.removeprefix(REPOSITORY))
                is_there = file[:1] in {"/", ""} or (ROOT / file).exists()
            else:
                is_there = "://" in target or place in pages or (DOCS / place).is_file()
            if not is_there:
                dead.append((name, target))
    assert dead == []


def test_links_of_the_root_folder_are_rewritten():
    text = "[a](docs/guide/start.md#x) [b](src) [c](tox.ini) [d](https://e.org) [f](SECURITY.md)"
    found = hooks.with_links(text, "CHANGELOG.md", "about/changelog.md", "R")
    places = ["../guide/start.md#x", "R/tree/main/src", "R/blob/main/tox.ini", "https://e.org"]
    assert re.findall(r"\((.*?)\)", found) == [*places, "security.md"]


def test_options_of_commands_are_not_broken_at_hyphens():
    line = '<span id="a-b">run<span class="w"> </span>a-b.tif --tile-size 8 -o --set x=-1</span>'
    page = f'<p>--left --alone</p><div class="language-sh highlight"><pre>{line}</pre></div>'
    found = hooks.with_whole_options(page)
    assert re.findall('<span class="option">(.*?)</span>', found) == ["--tile-size", "-o", "--set"]
    assert re.sub('<span class="option">(.*?)</span>', r"\1", found) == page
    style = (DOCS / "site" / "site.css").read_text("utf-8")
    assert re.search(r"\.language-sh pre > code \.option \{\s*white-space: nowrap;", style)


def test_links_of_the_readme_are_absolute_and_lead_to_files():
    text = (ROOT / "README.md").read_text("utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert [one for one in targets if not one.startswith(("https://", "#"))] == []
    raw = REPOSITORY.replace("https://github.com", "https://raw.githubusercontent.com")
    own = [re.sub(rf"^({REPOSITORY}/(blob|tree)|{raw})/main/", "", one) for one in targets]
    files = [one.partition("#")[0] for one in own if not one.startswith(("https://", "#"))]
    assert len(files) > 15
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_address_of_the_repository_is_the_same_everywhere():
    site = PROJECT["urls"]["Documentation"]
    owner = REPOSITORY.removeprefix("https://github.com/")
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    assert settings["repo_url"] == REPOSITORY
    assert settings["site_url"].rstrip("/") == site
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert (citation["repository-code"], citation["url"]) == (REPOSITORY, site)
    assert citation["version"] == SETTINGS["tool"]["hatch"]["version"]["fallback-version"]
    for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob(".github/**/*.yml")]:
        for found in re.findall(r"github\.com/([\w-]+/napari-cellinr)\b", path.read_text("utf-8")):
            assert found == owner, path


def spoken(text):
    """Return a text without layout."""
    return re.sub(r"\s+", " ", text)


def test_messages_that_are_explained_are_those_of_the_code():
    said = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                said += ["".join(getattr(part, "value", "…") for part in node.values
                                 if isinstance(getattr(part, "value", "…"), str))]  # fmt: skip
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.append(node.value)
    everything = spoken("\n".join(said))
    text = (DOCS / "about" / "troubleshooting.md").read_text("utf-8").partition("## In napari")[0]
    messages = re.findall(r"^\| \*([^*]+)\*", text, re.M)
    assert len(messages) > 15
    assert [one for one in messages if one not in everything] == []


def test_licences_of_all_dependencies_are_listed_below_what_needs_them():
    text = (DOCS / "about" / "licences.md").read_text("utf-8")
    groups = {"base": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    wanted = {}
    for group, lines in groups.items():
        for line in lines:
            wanted.setdefault(re.match(r"[\w.-]+", line)[0], group)
    del wanted[PROJECT["name"]]
    assert dict(re.findall(r"^\| ([\w.-]+) \| (\w+) \|.*\w \|$", text, re.M)) == wanted


def test_workflows_run_environments_that_exist():
    text = (ROOT / "tox.ini").read_text("utf-8")
    environments = set(re.findall(r"^\[testenv:([\w-]+)", text, re.M)) | {"test-pyqt6"}
    used = set()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        content = path.read_text("utf-8")
        assert "jobs" in yaml.safe_load(content)
        used |= set(re.findall(r"tox run -e ([\w-]+)$", content, re.M))
    assert used >= {"docs", "build", "lowest", "test-pre", "audit"}
    assert used <= environments
