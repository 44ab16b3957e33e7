"""Error pages as a web server writes them."""

from __future__ import annotations

from http import HTTPStatus


def error_page(code: int) -> str:
    """The page of a code, in HTML."""
    known = code in {status.value for status in HTTPStatus}
    title = f"{code} {HTTPStatus(code).phrase}" if known else str(code)
    return f"<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n</body>\n</html>\n"
