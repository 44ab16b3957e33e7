"""JSON-RPC over HTTP: kept connections, a few retries, and no password in any message."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
import urllib3

from mirror_node.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_Result = TypeVar("_Result")
_KEPT = "What is written is kept."
_WARMING_UP = -28
_TRIES = 5
_FIRST_PAUSE = 0.5
_DENIED = frozenset({401, 403})
_BUSY = frozenset({429, 500, 502, 503, 504})
_MOST_IN_A_BATCH = 500


class Fault(msgspec.Struct):
    """An error as JSON-RPC gives it."""

    code: int = 0
    message: str = ""


class _Answer(msgspec.Struct, Generic[_Result]):
    result: _Result | None = None
    error: Fault | None = None
    id: int | None = None


class RpcError(MirrorError):
    """The node answered with an error."""

    def __init__(self, sentence: str, code: int = 0) -> None:
        super().__init__(sentence, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownError(RpcError):
    """The node has no such thing: its answer is null."""


@dataclass(frozen=True)
class Login:
    """Where a node listens, and how one logs in.

    Attributes:
        url: Without credentials.
        cookie_file: Read at every request, since a node writes a new one when it starts.
        timeout: Seconds without an answer.
    """

    url: str
    user: str = ""
    password: str = ""
    cookie_file: str = ""
    timeout: float = 120.0

    def __repr__(self) -> str:
        return f"Login({self.url!r})"

    @property
    def credentials(self) -> str:
        """User and password, joined by a colon; empty where none is needed.

        Raises:
            MirrorError: The cookie file cannot be read.
        """
        if not self.cookie_file:
            return f"{self.user}:{self.password}" if self.user or self.password else ""
        try:
            return Path(self.cookie_file).expanduser().read_text("utf-8").strip()
        except OSError as error:
            raise MirrorError(
                f"the cookie file {self.cookie_file} cannot be read ({error.strerror}). {_KEPT} Is the node running, "
                "and may this user read its data folder? Else set rpc_user and rpc_password."
            ) from None


def login(url: str, user: str, password: str, cookie_file: str) -> Login:
    """Read where a node listens; credentials in the URL are taken out of it.

    Raises:
        MirrorError: The URL is none of HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise MirrorError("rpc_url must be an address such as http://127.0.0.1:8332. Nothing was asked.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    plain = urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, parts.query, ""))
    return Login(plain, user or parts.username or "", password or parts.password or "", cookie_file)


class Node:
    """A node's JSON-RPC server."""

    def __init__(self, where: Login, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._where = where
        self._pause = pause
        parts = urlsplit(where.url)
        # A path may hold a key, as hosted nodes have it.
        self.name = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        timeout = urllib3.Timeout(connect=10, read=where.timeout)
        self._pool = urllib3.PoolManager(maxsize=1, timeout=timeout, retries=False)

    def call(self, method: str, parameters: Sequence[object], form: type[_Result]) -> _Result:
        """Call a method; the answer must have the form of a type.

        Raises:
            RpcError: The node refuses, or answers in another form.
            MirrorError: It cannot be reached.
        """
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 0, "method": method, "params": parameters})
        answer: _Answer[_Result] = self._decoded(method, self._post(method, body), _Answer[form])  # type: ignore[valid-type]
        return self._result(method, answer)

    def many(self, method: str, each: Iterable[Sequence[object]], form: type[_Result]) -> list[_Result]:
        """Call a method with several lists of parameters; the answers are in their order."""
        lists, answers = list(each), []
        for start in range(0, len(lists), _MOST_IN_A_BATCH):
            calls = [
                {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
                for number, parameters in enumerate(lists[start : start + _MOST_IN_A_BATCH])
            ]
            data = self._post(method, msgspec.json.encode(calls))
            found: list[Any] = self._decoded(method, data, list[_Answer[form]])  # type: ignore[valid-type]
            by_id = {answer.id: answer for answer in found}
            if by_id.keys() != set(range(len(calls))):
                raise RpcError(f"the node at {self.name} left out answers of {method}. {_KEPT} Run again later.")
            answers += [self._result(method, by_id[number]) for number in range(len(calls))]
        return answers

    def _decoded(self, method: str, data: bytes, form: Any) -> Any:  # noqa: ANN401 (of the caller's type)
        try:
            return msgspec.json.decode(data, type=form)
        except msgspec.DecodeError as error:
            raise RpcError(
                f"the node at {self.name} answered {method} in a form that is not known ({error}). {_KEPT} "
                "Check that chain and client fit the node."
            ) from None

    def _result(self, method: str, answer: _Answer[_Result]) -> _Result:
        if answer.error is not None:
            fault = answer.error
            raise RpcError(
                f"the node at {self.name} refused {method}: {fault.message} ({fault.code}). {_KEPT}", fault.code
            )
        if answer.result is None:
            raise UnknownError(f"the node at {self.name} knows no answer to {method}. {_KEPT} Run again later.")
        return answer.result

    def _post(self, method: str, body: bytes) -> bytes:
        reason = ""
        for attempt in range(_TRIES):
            if attempt:
                self._pause(_FIRST_PAUSE * 2 ** (attempt - 1))
            credentials = self._where.credentials
            headers = {"Content-Type": "application/json"}
            headers |= urllib3.make_headers(basic_auth=credentials) if credentials else {}
            try:
                answer = self._pool.request("POST", self._where.url, body=body, headers=headers)
            except urllib3.exceptions.HTTPError as error:
                reason = type(error).__name__  # its text may hold the URL
                continue
            if answer.status in _DENIED:
                raise MirrorError(
                    f"the node at {self.name} does not let this user in ({answer.status}). {_KEPT} "
                    "Check rpc_user and rpc_password, or rpc_cookie_file."
                )
            if answer.status in _BUSY and not _is_refusal(answer.data):
                reason = f"status {answer.status}"
                continue
            return answer.data
        raise MirrorError(
            f"the node at {self.name} did not answer {method} in {_TRIES} tries ({reason}). {_KEPT} "
            "Check that it runs and that rpc_url is its address, then run again."
        )


def _is_refusal(data: bytes) -> bool:
    """Whether an answer with a status of failure holds an error of JSON-RPC's that a second try does not change."""
    try:
        answer = msgspec.json.decode(data, type=_Answer[msgspec.Raw])
    except msgspec.DecodeError:
        return data.startswith(b"[")
    return answer.error is not None and answer.error.code != _WARMING_UP
