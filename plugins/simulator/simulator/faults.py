"""Rules that say which answers of the vendors are distorted, and how. They are described in the README."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import re2
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from simulator.settings import SimulatorError

if TYPE_CHECKING:
    from typing import Self


class Injected(BaseModel):
    """What a test puts into the server, as JSON gives it; an unknown key is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def counts(self) -> dict[str, int]:
        """What it did so far."""
        return {}


T = TypeVar("T", bound=Injected)


class Registry(Generic[T]):
    """What tests put in, in the order it came."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._given: list[tuple[dict[str, Any], T]] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Any:  # noqa: ANN401 - an iterator of T
        return iter([one for _, one in self._given])

    def add(self, given: Any) -> None:  # noqa: ANN401 - JSON
        """Add an object, or a list of them.

        Raises:
            SimulatorError: One of them cannot be understood; none is added then.
        """
        try:
            found = [(one, self._kind.model_validate(one)) for one in (given if isinstance(given, list) else [given])]
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or self._kind.__name__
            raise SimulatorError(f"{place}: {first['msg'].removeprefix('Value error, ')}.") from None
        with self._lock:
            self._given += found

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._given.clear()

    def shown(self) -> list[dict[str, Any]]:
        """They as they were given, with their counts."""
        return [{**given, **one.counts()} for given, one in self._given]


def _status(value: object) -> object:
    if isinstance(value, int) and value != 200 and not 400 <= value < 600:  # noqa: PLR2004 - what the sentence says
        raise ValueError(f"{value} must be 200 or a code from 400 to 599")
    return value


def _headers(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {name.lower(): None if text is None else str(text) for name, text in value.items()}


def _place(value: object) -> object:
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{value} must be true, or 0 or more")
    return -1 if value is True else value


def _search(pattern: object) -> object:
    """What searches a text; RE2's time is linear in the length of the text, whatever the pattern."""
    if not isinstance(pattern, str):
        return pattern
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search
    except re2.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error.args[0].decode()}") from None


Place = Annotated[int, BeforeValidator(_place)]
Search = Annotated[Callable[[str], object], BeforeValidator(_search)]


class Action(Injected):
    """What becomes of an answer.

    Attributes:
        status: Answer with this code instead.
        html: Whether that answer is a page.
        code: CoinGecko: the error's own code; the usual status of that code where none is given.
        envelope: CoinGecko: the form of the error, of the contract's A to F; None for the usual one.
        message: CoinGecko: the error's text; None for the usual one.
        body: Answer with this text instead, as JSON by its content type.
        headers: Set on the answer; None takes a header away.
        data: What stands in place of an answer's data, where it is given.
        reset: Bytes of the body after which the connection is reset, -1 for before anything.
        truncate: Bytes after which the body ends.
        slow: Bytes a second.
        stall: Seconds before anything comes.
        corrupt: Place of the byte that is flipped, -1 for the middle.
        length: What is added to Content-Length.
    """

    status: Annotated[int, BeforeValidator(_status)] | None = None
    html: bool = False
    code: NonNegativeInt | None = None
    envelope: Literal["A", "A-old", "B", "C", "D", "E", "F", "F-page"] | None = None
    message: str | None = None
    body: str | None = None
    headers: Annotated[dict[str, str | None], BeforeValidator(_headers)] = Field(default_factory=dict)
    data: Annotated[list[object], Field(max_length=0)] | None = None
    reset: Place | None = None
    truncate: NonNegativeInt | None = None
    slow: PositiveFloat | None = None
    stall: NonNegativeFloat = 0
    corrupt: Place | None = None
    length: int = 0

    @model_validator(mode="before")
    @classmethod
    def _long_form(cls, given: object) -> object:
        if given == {}:
            raise ValueError('An action is an object such as {"status": 402}')
        if isinstance(given, dict) and "html_402" in given:
            return {"status": 402, "html": True, **{name: given[name] for name in given.keys() - {"html_402"}}}
        return given

    @model_validator(mode="after")
    def _is_fault(self) -> Self:
        if self.status == 200 and not self.model_fields_set & {"code", "envelope", "body"}:  # noqa: PLR2004
            raise ValueError("Status 200 is a fault only with code, envelope or body")
        return self

    @property
    def empties(self) -> bool:
        """Whether the answer's data give way to nothing."""
        return "data" in self.model_fields_set

    @property
    def refuses(self) -> bool:
        """Whether the vendor's answer gives way to another one of the vendor's."""
        return self.empties or any(part is not None for part in (self.status, self.code, self.envelope))


class Rule(Injected):
    """An action and when it happens: to a request whose path and decoded query string match, and whose method is that.

    `after` of them are let through first, then `times` are acted upon; None for all.
    """

    match: Search
    query: Search = Field(default="", validate_default=True)
    method: str | None = None
    after: NonNegativeInt = 0
    times: NonNegativeInt | None = 1
    action: Action
    _seen: int = 0
    _done: int = 0

    def counts(self) -> dict[str, int]:
        """Requests let through, and requests acted upon."""
        return {"seen": self._seen, "done": self._done}

    def is_due(self, method: str, path: str, query: str) -> bool:
        """Whether the rule acts on a request; counts it where the rule looks at it."""
        if self.method not in (None, method) or self.match(path) is None or self.query(query) is None:
            return False
        if self._seen < self.after:
            self._seen += 1
            return False
        due = self.times is None or self._done < self.times
        self._done += due
        return due


class Faults(Registry[Rule]):
    """The rules of a server."""

    def __init__(self) -> None:
        super().__init__(Rule)

    def due(self, method: str, path: str, query: str) -> Action | None:
        """What happens to a request: the action of the first rule that is due; later ones do not count it."""
        with self._lock:
            return next((rule.action for rule in self if rule.is_due(method, path, query)), None)
