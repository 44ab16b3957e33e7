"""What a person sees: colour and a live line on a terminal, plain lines in a pipe."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from console.remaining import Remaining

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)
# Control characters but tabs and ends of lines, and those that hide text or turn its direction.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Write out, as `\x1b` and so on, what a terminal would obey or hide."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def plain(text: str) -> str:
    """Give text that is shown as it is, whatever of it looks like markup, for a line that has markup around it."""
    return escape(visible(text))


class Step:
    """One step of a run, with a line that can be updated while it works."""

    def __init__(self, title: str, status: Status | None) -> None:
        self._title = title
        self._status = status
        self._remaining = Remaining()
        self.outcome = ""

    def progress(self, text: str, is_new_part: bool) -> None:  # noqa: FBT001 - a callback
        """Say what the step is doing now: always on a terminal, in a pipe only when a new part of the work begins."""
        text = self._remaining.words(text)
        if self._status is not None:
            self._status.update(f"{self._title} [dim]{plain(text)}[/dim]")
        elif is_new_part:
            out.print(f"    {plain(text)}")


@contextmanager
def step(doing: str, done: str) -> Iterator[Step]:
    """Show what is being done, then that it is done and how long it took."""
    started = time.monotonic()
    if out.is_terminal:
        with out.status(doing) as status:
            current = Step(doing, status)
            yield current
    else:
        out.print(f"... {doing}")
        current = Step(doing, None)
        yield current
    took = f"{time.monotonic() - started:.0f} s"
    out.print(f"[green]✓[/green] {done} [dim]{', '.join(filter(None, (current.outcome, took)))}[/dim]")
