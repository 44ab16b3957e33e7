"""The README's commands, executed as they stand."""

import re

import pytest

from checkout import BASE_PYTHON, PROJECT, Checkout

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
# Runs this very test; CI runs it.
NOT_HERE = "make test"


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_command_works_as_it_stands(checkout: Checkout, number: int) -> None:
    lines = [line for line in BLOCKS[number].splitlines() if not line.startswith(NOT_HERE)]
    script = "set -eu\n" + "\n".join(re.sub(r"^make ", f"make PYTHON={BASE_PYTHON} ", line) for line in lines)
    done = checkout.run("sh", "-c", script)
    assert done.stdout


def test_the_readme_shows_both_commands() -> None:
    assert len(BLOCKS) == 2
    assert "make run" in BLOCKS[0]
    assert NOT_HERE in BLOCKS[0]


def test_every_folder_of_the_map_is_there() -> None:
    rows = re.findall(r"^\| (`[a-z].*?) \|", (PROJECT / "README.md").read_text(), re.MULTILINE)
    folders = [name for row in rows for name in re.findall(r"`([a-z]+/)`", row)]
    assert len(folders) >= 8
    assert [name for name in folders if not (PROJECT / name).is_dir()] == []


def test_every_linked_page_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", (PROJECT / "README.md").read_text())
    assert [link for link in links if not (PROJECT / link).exists()] == []
