"""The one exception a person is meant to read."""


class ConsoleError(Exception):
    """An expected failure: its text is one sentence that says what failed and what to do."""
