"""The failures that a person is told about in one sentence."""


class SimulatorError(Exception):
    """Something expected went wrong; the text says what, where and what to do next."""
