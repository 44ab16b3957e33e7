"""The errors that a person sees as a sentence."""

from __future__ import annotations


class MirrorError(Exception):
    """An expected failure.

    Its text is a whole sentence for a person: what failed, where, what was kept, and what to do. It holds no secret.
    """


class RefusedBlockError(MirrorError):
    """A block that breaks a rule; the text names height, rule and both values."""

    def __init__(self, height: int, rule: str, found: object, expected: object) -> None:
        self.height, self.rule, self.found, self.expected = height, rule, found, expected
        super().__init__(height, rule, found, expected)

    def __str__(self) -> str:
        return (
            f"block {self.height} is refused: {self.rule} is {self.found}, expected {self.expected}. Nothing of it was "
            "written, days before it are kept. Let the node check its data (bitcoind: verifychain), then run again."
        )


class MovedError(MirrorError):
    """The node's chain was reorganised while it was read; the next look at it finds where."""
