"""The README shows what is there; its commands are executed in test_run.py."""

import re

from checkout import PROJECT


def test_every_folder_of_the_map_is_there() -> None:
    rows = re.findall(r"^\| (`[a-z].*?) \|", (PROJECT / "README.md").read_text(), re.MULTILINE)
    folders = [name for row in rows for name in re.findall(r"`([a-z]+/)`", row)]
    assert len(folders) >= 8
    assert [name for name in folders if not (PROJECT / name).is_dir()] == []


def test_it_is_short_enough_to_be_read() -> None:
    lines = (PROJECT / "README.md").read_text().splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120


def test_every_linked_page_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", (PROJECT / "README.md").read_text())
    assert [link for link in links if not (PROJECT / link).exists()] == []
