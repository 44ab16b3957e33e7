"""The simulator's own endpoints, which the README describes."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import JSONResponse

from simulator import __version__
from simulator.failures import SimulatorError
from simulator.faults import FaultError, Faults
from simulator.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.blockchair.events import Events
    from simulator.clock import Clock
    from simulator.coingecko.oddities import Oddities
    from simulator.journal import Journal
    from simulator.settings import Settings

    Handler = Callable[[Any], dict[str, Any]]

_UNITS: Final = ("days", "hours", "minutes", "seconds")


class Worlds(NamedTuple):
    """What can be made to happen.

    Attributes:
        events: To Blockchair's world.
        oddities: To CoinGecko's prices.
    """

    events: Events
    oddities: Oddities


class Admin:
    """Status, clock, faults, counts and events.

    Args:
        settings: What the world was made with.
        clock: The simulated clock.
        faults: The rules.
        journal: The counts.
        worlds: What can be made to happen to the vendors' worlds.
    """

    def __init__(self, settings: Settings, clock: Clock, faults: Faults, journal: Journal, worlds: Worlds) -> None:
        self._settings = settings
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._events = worlds.events
        self._oddities = worlds.oddities

    def router(self) -> APIRouter:
        """The routes below `/_simulator`."""
        router = APIRouter(prefix="/_simulator")
        handlers: tuple[tuple[str, str, Handler, str], ...] = (
            ("GET", "/status", self._status, ""),
            ("POST", "/advance", self._advance, "Give `days`, `hours`, `minutes`, `seconds` or `to` as JSON."),
            ("GET", "/faults", self._show_faults, ""),
            ("POST", "/faults", self._add_faults, "Give a list of rules as JSON."),
            ("DELETE", "/faults", self._clear_faults, ""),
            ("GET", "/requests", lambda _: self._journal.shown(), ""),
            ("DELETE", "/requests", self._clear_requests, ""),
            ("POST", "/reorg", self._reorg, "Give `chain` and `depth` as JSON, and `shorter` if need be."),
            ("POST", "/replace", self._replace, "Give `chain`, `table` and `day` as JSON, and `change` if need be."),
            ("GET", "/oddities", self._show_oddities, ""),
            ("POST", "/oddities", self._add_oddities, "Give a list of oddities as JSON."),
            ("DELETE", "/oddities", self._clear_oddities, ""),
            ("POST", "/delay", self._delay, "Give `chain` and `days` as JSON, and `table` if need be."),
        )
        for method, path, handler, usage in handlers:
            router.add_api_route(path, _endpoint(handler, usage), methods=[method], response_model=None)
        return router

    def _status(self, _: object = None) -> dict[str, Any]:
        return {
            "now": self._clock.now().isoformat(),
            "pid": os.getpid(),
            "version": __version__,
            "parameters": self._settings.parameters(),
        }

    def _advance(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        if "to" in wanted:
            step = parse_instant(wanted["to"]) - self._clock.now()
        else:
            step = timedelta(**{unit: wanted[unit] for unit in wanted.keys() & _UNITS or _UNITS})
        self._clock.advance(step)
        return self._status()

    def _show_faults(self, _: object = None) -> dict[str, Any]:
        return {"faults": self._faults.shown()}

    def _add_faults(self, wanted: object) -> dict[str, Any]:
        self._faults.add(wanted)
        return self._show_faults()

    def _clear_faults(self, _: object) -> dict[str, Any]:
        self._faults.clear()
        return self._show_faults()

    def _show_oddities(self, _: object = None) -> dict[str, Any]:
        return {"oddities": self._oddities.shown()}

    def _add_oddities(self, wanted: object) -> dict[str, Any]:
        self._oddities.add(wanted)
        return self._show_oddities()

    def _clear_oddities(self, _: object) -> dict[str, Any]:
        self._oddities.clear()
        return self._show_oddities()

    def _clear_requests(self, _: object) -> dict[str, Any]:
        self._journal.clear()
        return self._journal.shown()

    def _reorg(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401
        return self._events.reorg(wanted["chain"], wanted["depth"], self._clock.now(), wanted.get("shorter", 0))

    def _replace(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            day = None if wanted.get("day") is None else date.fromisoformat(wanted["day"])
        except ValueError:
            raise ValueError(f"{wanted['day']!r} is no ISO date, such as 2025-01-02.") from None
        change = wanted.get("change", "restated")
        return self._events.replace(wanted["chain"], wanted["table"], day, change, self._clock.now())

    def _delay(self, wanted: Any) -> dict[str, Any]:  # noqa: ANN401
        return self._events.delay(wanted["chain"], wanted.get("table"), wanted["days"])


def _endpoint(handler: Handler, usage: str) -> Callable[[Request], Any]:
    """What runs a handler on a request's JSON, and answers its refusals with 400 and a sentence."""

    async def answer(request: Request) -> JSONResponse:
        refusal = _refuse_page(request.headers.get("host", ""), request.headers.get("origin"))
        if refusal is not None:
            return JSONResponse({"error": refusal}, 403)
        content = await request.body()
        try:
            return JSONResponse(await run_in_threadpool(handler, json.loads(content) if usage else None))
        except (SimulatorError, FaultError) as error:
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
