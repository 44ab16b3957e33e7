"""A headless Chromium for tests and for pictures of the documentation; it reaches this machine and nothing else."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from checkout import needed

_WIDTH, _HEIGHT = 1400, 900
_PATIENCE_SECONDS = 120.0


@contextmanager
def browser() -> Iterator[Page]:
    """A tab of a browser with an empty profile, which ends with the block."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    needed(program, "no Chromium: install Debian's package chromium")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=program, args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        )
        page = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.set_default_timeout(_PATIENCE_SECONDS * 1000)
        try:
            yield page
        finally:
            chromium.close()
