"""READMEs of packages, changelog and the contributors' page, as pages of the site."""

from links import PROJECT

# By file of the tree, the page that it becomes.
PAGES = {
    path.relative_to(PROJECT).as_posix(): f"reference/packages/{path.parent.name}.md"
    for folder in ("analyze", "extract", "load", "orchestrate", "plugins")
    for path in sorted((PROJECT / folder).glob("*/README.md"))
} | {
    "transform/README.md": "reference/packages/transform.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}
SOURCES = {page: source for source, page in PAGES.items() if page != "index.md"}


def pages() -> dict[str, str]:
    """By page of the site, its text."""
    return {page: (PROJECT / source).read_text() for page, source in SOURCES.items()}
