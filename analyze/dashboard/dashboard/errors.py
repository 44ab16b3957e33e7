"""What a person is told."""


class DashboardError(Exception):
    """A sentence that says what failed and what to do.

    Attributes:
        status: The HTTP status that goes with it.
    """

    def __init__(self, sentence: str, status: int = 503) -> None:
        super().__init__(sentence)
        self.status = status
