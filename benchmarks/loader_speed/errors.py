"""What stops a benchmark, in a sentence."""


class BenchError(Exception):
    """The benchmark cannot go on; the text says why and what to do."""


class WrongLoadError(BenchError):
    """A contender ended well, but the table does not hold what the file holds."""
