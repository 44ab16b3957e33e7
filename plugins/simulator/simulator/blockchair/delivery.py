"""The one place every answer of the simulated Blockchair passes: quotas and faults attach here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import Request, Response

Interceptor = Callable[[Request, Callable[[], Response]], Response]
"""Gets the request and what would answer it; may answer itself, or change what comes back."""


class Delivery:
    """Runs a request through all interceptors, the first one outermost.

    Args:
        interceptors: What stands between requests and answers.
    """

    def __init__(self, interceptors: Sequence[Interceptor] = ()) -> None:
        self._interceptors = tuple(interceptors)

    def answer(self, request: Request, produce: Callable[[], Response]) -> Response:
        """The response to a request.

        Args:
            request: The request.
            produce: Makes the undisturbed response.
        """
        for interceptor in reversed(self._interceptors):
            produce = _behind(interceptor, request, produce)
        return produce()


def _behind(interceptor: Interceptor, request: Request, produce: Callable[[], Response]) -> Callable[[], Response]:
    return lambda: interceptor(request, produce)
