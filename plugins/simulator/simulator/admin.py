"""The simulator's own endpoints, which the README describes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import JSONResponse

from simulator import __version__
from simulator.clock import parse_instant
from simulator.settings import SimulatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.blockchair.events import Events
    from simulator.clock import Clock
    from simulator.coingecko.anomalies import Anomalies
    from simulator.faults import Faults, Registry
    from simulator.middleware import RequestLog
    from simulator.settings import Settings

    Handler = Callable[[Any], dict[str, Any]]
    Endpoint = tuple[str, str, Handler, str]
    """Method, path, handler of the request's JSON, and what is answered to JSON that it cannot understand."""

_STEPS: Final = ("days", "hours", "minutes", "seconds")


@dataclass(frozen=True)
class Admin:
    """Status, clock, requests, and all that can be made to happen."""

    settings: Settings
    clock: Clock
    faults: Faults
    requests: RequestLog
    events: Events
    anomalies: Anomalies

    def router(self) -> APIRouter:
        """The routes below `/_simulator`."""
        router = APIRouter(prefix="/_simulator")
        endpoints: tuple[Endpoint, ...] = (
            ("GET", "/status", self._status, ""),
            ("POST", "/advance", self._advance, "Give `days`, `hours`, `minutes`, `seconds` or `to` as JSON."),
            ("GET", "/requests", lambda _: self.requests.shown(), ""),
            ("DELETE", "/requests", self._clear_requests, ""),
            ("POST", "/reorg", self._reorg, "Give `chain` and `depth` as JSON, and `shorter` if need be."),
            ("POST", "/replace", self._replace, "Give `chain`, `table` and `day` as JSON, and `change` if need be."),
            ("POST", "/delay", self._delay, "Give `chain` and `days` as JSON, and `table` if need be."),
            *_of_registry("faults", self.faults),
            *_of_registry("anomalies", self.anomalies),
            *_of_registry("oddities", self.anomalies),  # the earlier name, for one release
        )
        for method, path, handler, usage in endpoints:
            router.add_api_route(path, _endpoint(handler, usage), methods=[method], response_model=None)
        return router

    def _status(self, _: object = None) -> dict[str, Any]:
        return {
            "now": self.clock.now().isoformat(),
            "pid": os.getpid(),
            "version": __version__,
            "parameters": self.settings.parameters(),
        }

    def _advance(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        if "to" in wanted:
            step = parse_instant(wanted["to"]) - self.clock.now()
        else:
            step = timedelta(**{name: wanted[name] for name in wanted.keys() & _STEPS or _STEPS})
        self.clock.advance(step)
        return self._status()

    def _clear_requests(self, _: object) -> dict[str, Any]:
        self.requests.clear()
        return self.requests.shown()

    def _reorg(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401
        return self.events.reorg(wanted["chain"], wanted["depth"], self.clock.now(), wanted.get("shorter", 0))

    def _replace(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            day = None if wanted.get("day") is None else date.fromisoformat(wanted["day"])
        except ValueError:
            raise ValueError(f"{wanted['day']!r} is no ISO date, such as 2025-01-02.") from None
        change = wanted.get("change", "restated")
        return self.events.replace(wanted["chain"], wanted["table"], day, change, self.clock.now())

    def _delay(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401
        return self.events.delay(wanted["chain"], wanted.get("table"), wanted["days"])


def _of_registry(name: str, registry: Registry[Any]) -> Iterator[Endpoint]:
    """What shows, adds and removes what tests put in."""

    def show(_: object) -> dict[str, Any]:
        return {name: registry.shown()}

    def add(given: object) -> dict[str, Any]:
        registry.add(given)
        return show(None)

    def clear(_: object) -> dict[str, Any]:
        registry.clear()
        return show(None)

    yield "GET", f"/{name}", show, ""
    yield "POST", f"/{name}", add, f"Give a list of {name} as JSON."
    yield "DELETE", f"/{name}", clear, ""


def _endpoint(handler: Handler, usage: str) -> Callable[[Request], Any]:
    """What runs a handler on a request's JSON, and answers its refusals with 400 and a sentence."""

    async def answer(request: Request) -> JSONResponse:
        refusal = _refuse_page(request.headers.get("host", ""), request.headers.get("origin"))
        if refusal is not None:
            return JSONResponse({"error": refusal}, 403)
        content = await request.body()
        try:
            return JSONResponse(await run_in_threadpool(handler, json.loads(content) if usage else None))
        except SimulatorError as error:
            return JSONResponse({"error": str(error)}, 400)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            own = type(error) is ValueError
            return JSONResponse({"error": str(error) if own else usage}, 400)

    return answer


def _refuse_page(host: str, origin: str | None) -> str | None:
    """Why a request is not obeyed that a web page made a browser send; None for any other.

    A browser names the page that asks in `Origin`. A page whose own name was made to resolve to the loopback address
    comes with that name in `Host`; a name with a dot is none that this server goes by.
    """
    name = urlsplit(f"//{host}").hostname or ""
    if "." in name and not _is_address(name):
        return f"The simulator obeys no request for the host {name}; use 127.0.0.1 or localhost."
    if origin is not None and urlsplit(origin).netloc != host:
        return f"The simulator obeys no page of {origin}."
    return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
