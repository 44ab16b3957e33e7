"""Look at DAX without evaluating it: words, brackets, operands, and whether every name leads somewhere.

A DAX engine in Python passes over much that Power BI refuses: an operator without an operand, an unknown table, a `VAR`
without `RETURN`. Types and the number of arguments are not looked at; the tests evaluate every measure.

No library does it: pbi_parsers 0.9.5 ends in an assertion at `NOT ISBLANK([Blocks])` and at names such as `'Miner''s'`,
and takes an empty argument as in `SUM(1,)` (test_dax.py holds all three); sqlglot 30 reads of DAX a query's `EVALUATE`
alone. Neither knows which tables, columns and measures a model has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pbix_mcp.dax.function_catalog import FUNCTION_CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FUNCTIONS = {name.upper() for name, _ in FUNCTION_CATALOG}
# Words that stand as arguments.
_ENUMERATIONS = {"ASC", "DESC", "DAY", "MONTH", "QUARTER", "YEAR", "DOUBLE", "INTEGER", "TRUE", "FALSE"}
_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|--[^\n]*)
    |(?P<string>"(?:[^"]|"")*")
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<table>'(?:[^']|'')+')
    |(?P<bracket>\[(?:[^\]]|\]\])+\])
    |(?P<word>[A-Za-z_]\w*)
    |(?P<operator>&&|\|\||<>|<=|>=|[-+*/^&=<>])
    |(?P<mark>[(){},])
    """,
    re.VERBOSE,
)
_PAIRS = {")": "(", "}": "{"}


class _Reader:
    """Goes over the tokens once, knowing whether an operand has to come next."""

    def __init__(self, tokens: list[tuple[str, str]], columns: Mapping[str, set[str]], measures: set[str]) -> None:
        self.tokens = tokens
        self.columns, self.measures = columns, measures
        self.variables: set[str] = set()
        self.waiting: set[int] = set()  # depths of brackets at which variables wait for their RETURN
        self.open: list[str] = []
        self.wants_operand = True

    def problems(self) -> Iterator[str]:
        """What is wrong, in the order of the text."""
        place = 0
        while place < len(self.tokens):
            kind, text = self.tokens[place]
            taken = 1
            if kind == "word" and text.upper() == "VAR":
                yield from self._begin_variable(place)
                taken, self.wants_operand = 3, True
            elif kind == "operator" or text.upper() in {"RETURN", "IN"}:
                yield from self._between(text)
            elif kind == "mark":
                yield from self._mark(place)
            elif not (text.upper() == "NOT" and self.wants_operand):
                if not self.wants_operand:
                    yield f"no operator before {text}"
                self.wants_operand = False
                more, complaints = self._operand(place)
                yield from complaints
                taken += more
            place += taken
        if self.waiting:
            yield "VAR without RETURN"
        if self.open:
            yield f"unclosed {''.join(self.open)}"
        if self.wants_operand:
            yield "it ends where a value should stand"

    def _between(self, text: str) -> Iterator[str]:
        """An operator, or a word like one; a sign needs nothing before it."""
        if self.wants_operand and text not in "+-":
            yield f"nothing stands before {text}"
        if text.upper() == "RETURN":
            self.waiting.discard(len(self.open))
        self.wants_operand = True

    def _next(self, place: int) -> tuple[str, str]:
        return self.tokens[place + 1] if place + 1 < len(self.tokens) else ("", "")

    def _begin_variable(self, place: int) -> Iterator[str]:
        kind, name = self._next(place)
        if kind != "word" or self._next(place + 1)[1] != "=":
            yield "VAR needs a name and ="
        self.variables.add(name.lower())
        self.waiting.add(len(self.open))

    def _mark(self, place: int) -> Iterator[str]:
        text = self.tokens[place][1]
        if text in "({":
            if not self.wants_operand:
                yield f"no operator before {text}"
            self.open.append(text)
            self.wants_operand = True
            return
        if text == ",":
            if self.wants_operand:
                yield "nothing stands before ,"
            if not self.open:
                yield ", outside a call"
            self.wants_operand = True
            return
        if not self.open or self.open.pop() != _PAIRS[text]:
            yield f"unbalanced {text}"
        before = self.tokens[place - 1][1] if place else ""
        if self.wants_operand and before != _PAIRS[text]:
            yield f"nothing stands before {text}"
        self.wants_operand = False

    def _operand(self, place: int) -> tuple[int, list[str]]:
        """A value, a call or a name: how many tokens more it takes, and what is wrong with it."""
        kind, text = self.tokens[place]
        following, after = self._next(place)
        name = text[1:-1].replace("''", "'") if kind == "table" else text
        if kind == "bracket":
            return 0, [] if text[1:-1] in self.measures else [f"no measure is named {text}"]
        if kind == "word" and after == "(":
            self.wants_operand = True
            return 0, [] if text.upper() in _FUNCTIONS else [f"no function is named {text}"]
        if kind in {"table", "word"} and following == "bracket":
            if name not in self.columns:
                return 1, [f"no table is named {name}"]
            return 1, [] if after[1:-1] in self.columns[name] else [f"{name} has no column {after}"]
        is_other = kind not in {"table", "word"} or name.lower() in self.variables or name.upper() in _ENUMERATIONS
        return 0, [] if is_other or name in self.columns else [f"no table or variable is named {name}"]


def problems(expression: str, columns: Mapping[str, set[str]], measures: set[str]) -> list[str]:
    """What is wrong with a DAX expression, as far as can be seen; `columns` are by table."""
    tokens, place = [], 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None:
            return [f"{expression[place]!r} has no place in DAX"]
        if match.lastgroup and match.lastgroup != "space":
            tokens.append((match.lastgroup, match.group()))
        place = match.end()
    return list(_Reader(tokens, columns, measures).problems())
