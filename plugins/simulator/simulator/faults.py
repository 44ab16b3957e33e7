"""Rules that say which answers of the vendors are distorted, and how. They are described in the README."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import re2

if TYPE_CHECKING:
    from collections.abc import Callable

_CODES: Final = range(400, 600)
_GOOD: Final = 200
_ENVELOPES: Final = ("A", "A-old", "B", "C", "D", "E", "F", "F-page")
_RULE_KEYS: Final = frozenset({"match", "method", "query", "after", "times", "action"})


class FaultError(ValueError):
    """A rule that cannot be understood; its text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """What becomes of an answer.

    Attributes:
        status: Answer with this code instead; None leaves the answer.
        html: Whether that answer is a page.
        code: CoinGecko: the error's own code; the usual status of that code where none is given.
        envelope: CoinGecko: the form of the error, of the contract's A to F; None for the usual one.
        message: CoinGecko: the error's text; None for the usual one.
        body: Answer with this text instead, as JSON by its content type; None leaves the answer.
        headers: Set on the answer; a value of None takes the header away.
        data: What stands in place of an answer's data, as a tuple of one value (`[]` or None); None leaves it.
        reset: Bytes of the body after which the connection is reset, -1 for before anything; None never.
        truncate: Bytes after which the body ends; None sends it whole.
        slow: Bytes a second; None as fast as can be.
        stall: Seconds before anything comes.
        corrupt: Place of the byte that is flipped, -1 for the middle; None flips none.
        length: What is added to Content-Length.
    """

    status: int | None = None
    html: bool = False
    code: int | None = None
    envelope: str | None = None
    message: str | None = None
    body: str | None = None
    headers: tuple[tuple[str, str | None], ...] = ()
    data: tuple[object] | None = None
    reset: int | None = None
    truncate: int | None = None
    slow: float | None = None
    stall: float = 0
    corrupt: int | None = None
    length: int = 0

    @property
    def refuses(self) -> bool:
        """Whether the vendor's answer gives way to another one of the vendor's."""
        return any(part is not None for part in (self.status, self.code, self.envelope, self.data))


@dataclass
class Rule:
    """An action and when it happens.

    Attributes:
        given: The rule as JSON gave it.
        path: Whether a path matches: not None.
        query: Whether a decoded query string matches: not None.
        method: Such as GET; None for any.
        after: Requests that are let through first.
        times: Requests that are acted upon after them; None for all.
        action: What becomes of their answers.
        seen: Requests let through.
        done: Requests acted upon.
    """

    given: dict[str, Any]
    path: Callable[[str], object]
    query: Callable[[str], object]
    method: str | None
    after: int
    times: int | None
    action: Action
    seen: int = 0
    done: int = 0

    def matches(self, method: str, path: str, query: str) -> bool:
        """Whether the rule looks at a request."""
        return self.method in (None, method) and self.path(path) is not None and self.query(query) is not None


class Faults:
    """The rules of a server, in the order they came in."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def add(self, given: object) -> None:
        """Add rules.

        Args:
            given: A list of rules as JSON gives them, or one rule.

        Raises:
            FaultError: One of them cannot be understood; none is added then.
        """
        rules = [_rule(one) for one in (given if isinstance(given, list) else [given])]
        with self._lock:
            self._rules += rules

    def clear(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def shown(self) -> list[dict[str, Any]]:
        """The rules as they were given, with their counts."""
        return [{**rule.given, "seen": rule.seen, "done": rule.done} for rule in self._rules]

    def due(self, method: str, path: str, query: str) -> Action | None:
        """What happens to a request; counts it.

        Args:
            method: Such as GET.
            path: Its path.
            query: Its query string, decoded.
        """
        with self._lock:
            for rule in self._rules:
                if not rule.matches(method, path, query):
                    continue
                if rule.seen < rule.after:
                    rule.seen += 1
                elif rule.times is None or rule.done < rule.times:
                    rule.done += 1
                    return rule.action
        return None


def _rule(given: object) -> Rule:
    if not isinstance(given, dict) or not isinstance(given.get("match"), str):
        raise FaultError('A rule is an object with "match", a regular expression, and "action".')
    unknown = given.keys() - _RULE_KEYS
    if unknown:
        raise FaultError(f"A rule has no {', '.join(sorted(unknown))}; it knows {', '.join(sorted(_RULE_KEYS))}.")
    times = given.get("times", 1)
    return Rule(
        given=given,
        path=_search(given["match"]),
        query=_search(str(given.get("query", ""))),
        method=given.get("method"),
        after=int(_number("after", given.get("after", 0))),
        times=None if times is None else int(_number("times", times)),
        action=_action(given.get("action")),
    )


def _search(pattern: str) -> Callable[[str], object]:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled: Callable[[str], object] = re2.compile(pattern, options).search
    except re2.error as error:
        raise FaultError(f"{pattern!r} is no regular expression: {error.args[0].decode()}.") from None
    return compiled


def _action(given: object) -> Action:
    if not isinstance(given, dict) or not given:
        raise FaultError('An action is an object such as {"status": 402}.')
    fields: dict[str, Any] = {}
    for name, value in given.items():
        if name == "html_402":
            fields |= {"status": 402, "html": True}
        elif name in _READERS:
            fields[name] = _READERS[name](name, value)
        else:
            raise FaultError(f"There is no action {name}; there are html_402, {', '.join(sorted(_READERS))}.")
    if fields.get("status") == _GOOD and not fields.keys() & {"code", "envelope", "body"}:
        raise FaultError("status is 200, which is a fault only with code, envelope or body.")
    return Action(**fields)


def _status(name: str, value: object) -> int:
    if not isinstance(value, int) or (value not in _CODES and value != _GOOD):
        raise FaultError(f"{name} is {value!r}, but must be 200 or a code from 400 to 599.")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise FaultError(f"{name} is {value!r}, but must be a text.")
    return value


def _envelope(name: str, value: object) -> str:
    if value not in _ENVELOPES:
        raise FaultError(f"{name} is {value!r}, but must be one of {', '.join(_ENVELOPES)}.")
    return str(value)


def _headers(name: str, value: object) -> tuple[tuple[str, str | None], ...]:
    if not isinstance(value, dict):
        raise FaultError(f'{name} is {value!r}, but must be an object such as {{"Retry-After": 7}}.')
    return tuple((key.lower(), None if one is None else str(one)) for key, one in value.items())


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise FaultError(f"{name} is {value!r}, but must be a number, 0 or more.")
    return value


def _positive(name: str, value: object) -> float:
    if not _number(name, value):
        raise FaultError(f"{name} is 0, but must be more.")
    return _number(name, value)


def _place(name: str, value: object) -> int:
    return -1 if value is True else int(_number(name, value))


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FaultError(f"{name} is {value!r}, but must be a whole number.")
    return value


def _nothing(name: str, value: object) -> tuple[object]:
    if value is not None and value != []:
        raise FaultError(f"{name} is {value!r}, but must be [] or null.")
    return (value,)


_READERS: Final[dict[str, Callable[[str, object], object]]] = {
    "status": _status,
    "code": lambda name, value: int(_number(name, value)),
    "envelope": _envelope,
    "message": _text,
    "body": _text,
    "headers": _headers,
    "html": lambda _, value: bool(value),
    "data": _nothing,
    "reset": _place,
    "truncate": lambda name, value: int(_number(name, value)),
    "slow": _positive,
    "stall": _number,
    "corrupt": _place,
    "length": _whole,
}
