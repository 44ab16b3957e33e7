"""What a person is told."""


class DashboardError(Exception):
    """A sentence that says what failed and what to do.

    Attributes:
        status: The HTTP status that goes with it.
    """

    def __init__(self, sentence: str, status: int = 503) -> None:
        super().__init__(sentence)
        self.status = status

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong; else there is only nothing to show."""
        return self.status >= 400  # noqa: PLR2004 - from here on HTTP's statuses are of failures
