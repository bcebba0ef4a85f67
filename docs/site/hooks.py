"""What MkDocs does besides: generated pages, pages of the root folder, links out of the site."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

OF_ROOT = {
    "about/changelog.md": "CHANGELOG.md",
    "about/contributing.md": "CONTRIBUTING.md",
    "about/architecture.md": "ARCHITECTURE.md",
    "about/security.md": "SECURITY.md",
    "about/conduct.md": "CODE_OF_CONDUCT.md",
}
"""Pages of the site that are files of the root folder of the repository."""

_COMMANDS = re.compile(r'<div class="language-sh .*?</div>', re.DOTALL)
_OPTION = re.compile(r"(<[^>]*>)|(?<![\w-])(--?[A-Za-z][\w-]*)")
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")


def with_links(markdown: str, source: str, page: str, repository: str) -> str:
    """Return a page with links that are right in the site.

    Parameters
    ----------
    markdown
        The text of the page.
    source
        Its file in the repository, such as `docs/guide/start.md`.
    page
        Its file in the site, such as `guide/start.md`.
    repository
        Address of the repository, for files that are not in the site.
    """
    in_site = {file: name for name, file in OF_ROOT.items()}

    def new(match: re.Match[str]) -> str:
        before, target, anchor = match[1], match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if file in in_site:
            place = in_site[file]
        elif file.startswith("docs/"):
            place = file.removeprefix("docs/")
        else:
            kind = "tree" if (ROOT / file).is_dir() else "blob"
            return f"{before}{repository}/{kind}/main/{file}{anchor}"
        return f"{before}{posixpath.relpath(place, posixpath.dirname(page) or '.')}{anchor}"

    return _LINK.sub(new, markdown)


def with_whole_options(html: str) -> str:
    """Return a page whose options, such as `--max-seconds`, can be kept from breaking at a hyphen.

    Parameters
    ----------
    html
        The page, with commands in blocks of the language `sh`.
    """

    def marked(match: re.Match[str]) -> str:
        return match[1] or f'<span class="option">{match[2]}</span>'

    return _COMMANDS.sub(lambda block: _OPTION.sub(marked, block[0]), html)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Return the content of a page with marked options."""
    return with_whole_options(html)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages and those of the root folder."""
    from mkdocs.structure.files import File

    sys.path.insert(0, str(HERE))
    from reference import pages

    texts = pages()
    for name, file in OF_ROOT.items():
        texts[name] = (ROOT / file).read_text("utf-8")
    for name, text in texts.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Return the text of a page with links that are right in the site."""
    name = page.file.src_uri
    source = OF_ROOT.get(name, f"docs/{name}")
    return with_links(markdown, source, name, config["repo_url"])
