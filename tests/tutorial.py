"""What a page shows: files to save, commands to type, and the output that follows them.

In shown output a line `...` stands for any lines, and `...` within a line for any text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


@dataclass
class Step:
    """A block of a page.

    Attributes:
        text: What is typed, or what the file holds.
        file: The file to save it in; none for commands.
        shown: The output that the page shows of the commands; none where it shows none.
    """

    text: str
    file: str | None = None
    shown: str | None = None


def steps(page: str) -> Iterator[Step]:
    """The files and commands of a page, in their order, each command with the output that follows it."""
    current: Step | None = None
    for language, file, text in _BLOCK.findall(page):
        if language == "text" and current and not current.file:
            current.shown = text
        elif language == "sh" or file:
            if current:
                yield current
            current = Step(text, file or None)
    if current:
        yield current


def matches(shown: str, output: str) -> bool:
    """Whether the output is what is shown; blanks at the ends of lines do not count."""
    lines = [re.escape(line.rstrip()).replace(r"\.\.\.", ".*") for line in shown.rstrip().splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if line == ".*" else f"{line}\\n" for line in lines)
    text = "".join(f"{line.rstrip()}\n" for line in output.rstrip().splitlines())
    return re.fullmatch(pattern, text) is not None
