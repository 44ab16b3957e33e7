"""Each tutorial, executed in a fresh clone: the files it shows are saved, its commands print what it shows."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkout import BASE_PYTHON, PROJECT, Checkout, lend
from tutorial import Step, matches, steps

FOLDER = PROJECT / "docs/getting-started"
TUTORIALS = {path.stem for path in FOLDER.glob("*.md")} - {"index"}


def follow(checkout: Checkout, page: str, edit: Callable[[Step], Step] = lambda step: step) -> None:
    """Do what a page says; what earlier commands have exported stays, as in one shell."""
    state = checkout.root / ".state-of-shell"
    state.touch()
    for step in map(edit, steps(page)):
        if step.file:
            with (checkout.root / step.file).open("a") as file:
                file.write(step.text)
            continue
        text = re.sub(r"^make ", f"make PYTHON={BASE_PYTHON} ", step.text, flags=re.MULTILINE)
        script = f"set -eu\n. ./{state.name}\n{text}\nexport -p >{state.name}"
        done = checkout.run("sh", "-c", script, check=False)
        assert done.returncode == 0, f"{step.text}\n{done.stdout}\n{done.stderr}"
        assert step.shown is None or matches(step.shown, done.stdout), f"{step.text}\nprinted\n{done.stdout}"


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout in which nothing is installed."""
    with lend(tmp_path / "crypto-elt", shutil.rmtree) as made:
        yield made


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n...\n", "a\nb\nc\n", True),
        ("...\nb\n", "a\nb\n", True),
        ("...\nb\n", "a\nb\nc\n", False),
        ("took ... s\n", "took 12 s\n", True),
        ("a.c\n", "abc\n", False),
    ],
)
def test_shown_output_is_compared_line_by_line(shown: str, output: str, *, same: bool) -> None:
    assert matches(shown, output) is same


def test_every_tutorial_shows_commands_and_output() -> None:
    assert {"first-question", "own-postgresql", "first-mart"} == TUTORIALS
    for name in TUTORIALS:
        found = list(steps((FOLDER / f"{name}.md").read_text()))
        assert sum(step.file is None for step in found) >= 3, name
        assert [step for step in found if step.shown and step.shown.strip() != "..."], name


@pytest.mark.long(part="tutorials")
@pytest.mark.parametrize("name", ["first-question", "first-mart"])
def test_a_tutorial_prints_what_it_shows(clone: Checkout, name: str) -> None:
    follow(clone, (FOLDER / f"{name}.md").read_text())


@pytest.mark.long(part="tutorials")
def test_the_tutorial_of_an_own_postgresql_prints_what_it_shows(clone: Checkout) -> None:
    """The server is the embedded one of the clone: what the page leaves open are its address and its passwords."""
    clone.run(BASE_PYTHON, "plugins/console/bootstrap.py")
    clone.run("warehouse", "start")
    named = clone.own_database("own")

    def fill_in(step: Step) -> Step:
        if step.file == ".env":
            assert {line.split("=")[0] for line in step.text.splitlines()} <= set(named)
            return Step("".join(f"{name}={value}\n" for name, value in named.items()), ".env")
        return step

    follow(clone, (FOLDER / "own-postgresql.md").read_text(), fill_in)
