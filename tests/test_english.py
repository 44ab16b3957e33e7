"""The linter of the pages finds what the rules of English forbid, and nothing in a page that keeps to them."""

import subprocess
from pathlib import Path

import pytest

from checkout import PROJECT

GOOD = "# A page\nUse this page to see the linter.\n\n{}\n\n## Read next\n[Another](another.md).\n"
WORDS = ["word"] * 41
LONG = "\n".join(" ".join(WORDS[start : start + 10]) for start in range(0, 41, 10)) + "."


def findings(page: str, folder: Path) -> list[str]:
    """What `make lint` says of a page of docs/."""
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs/page.md").write_text(page)
    words = ["--config", PROJECT / ".pymarkdown.json", "scan", folder / "docs/page.md"]
    done = subprocess.run(
        [PROJECT / ".venv-dev/bin/pymarkdown", *words], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == (1 if done.stdout else 0), done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "Short. And plain.",
        f"`{LONG}`",
        f"| {' '.join(['word'] * 20)} |",
        f"```\n{'code ' * 20}\nsimply utilize\n```",
        "Justice is done; justified.",
    ],
)
def test_a_page_that_keeps_to_the_rules_is_let_through(tmp_path: Path, text: str) -> None:
    assert findings(GOOD.format(text), tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LONG, "41 words in a sentence"),
        ("- an item\n- " + "\n  ".join(["one two three four five six"] * 7) + ".", "42 words in a sentence"),
        ("It simply works.", "'simply': leave it out"),
        ("Utilise it.", "'Utilise': write use"),
        ("line " * 25, "Line length"),
    ],
)
def test_what_the_rules_forbid_is_found(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in line for line in findings(GOOD.format(text), tmp_path))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("# A page\n## A part\nText.\n\n## Read next\nx\n", "does not begin with what it is for"),
        ("# A page\nIt is for this.\n\n## A part\nText.\n", "does not end with a section"),
    ],
)
def test_a_page_says_what_it_is_for_and_what_to_read_next(tmp_path: Path, page: str, said: str) -> None:
    assert any(said in line for line in findings(page, tmp_path))
