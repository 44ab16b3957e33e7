"""Asks the live sources, at the addresses and with the keys that Meltano gives to the taps, whether they answer."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from console.finding import Finding
from console.project import Project

_TIMEOUT_SECONDS = 5
_MOST_TEXT = 200
_BLOCKCHAIR = "https://api.blockchair.com"
_DUMPS = "https://gz.blockchair.com"
_COINGECKO = "https://api.coingecko.com/api/v3"
_COINGECKO_PAID = "https://pro-api.coingecko.com/api/v3"
_WITHOUT = {
    "BLOCKCHAIR_API_KEY": "about 1,000 to 1,440 points a day: blocks, statistics and top addresses only",
    "BLOCKCHAIR_DUMPS_KEY": "dump files come at about 10 kB/s, one at a time",
}


def try_sources(project: Project, environment: str) -> Iterator[Finding]:
    """Try every address and key of the taps; that takes one call of CoinGecko's and no point of Blockchair's."""
    blockchair = _settings(project, environment, "tap-blockchair")
    api, dumps = blockchair.get("api_url") or _BLOCKCHAIR, blockchair.get("dumps_url") or _DUMPS
    reached = _reach(api, "TAP_BLOCKCHAIR_API_URL")
    yield reached
    yield _reach(dumps, "TAP_BLOCKCHAIR_DUMPS_URL")
    if key := blockchair.get("api_key"):
        if reached.state == "ok":
            yield _key("BLOCKCHAIR_API_KEY", key, f"{api}/premium/stats?key={quote(key, safe='')}", {})
    else:
        yield _absent("BLOCKCHAIR_API_KEY")
    if blockchair.get("dumps_key"):
        yield Finding("ok", "BLOCKCHAIR_DUMPS_KEY is set; a download shows whether it is right")
    else:
        yield _absent("BLOCKCHAIR_DUMPS_KEY")
    yield from _coingecko(_settings(project, environment, "tap-coingecko"))


def _coingecko(settings: Mapping[str, Any]) -> Iterator[Finding]:
    plan, key = settings.get("plan") or "keyless", settings.get("api_key")
    paid = plan not in {"keyless", "demo"}
    url = settings.get("api_url") or (_COINGECKO_PAID if paid else _COINGECKO)
    reached = _reach(url, "TAP_COINGECKO_API_URL")
    yield reached
    if plan == "keyless":
        yield Finding("ok", "CoinGecko plan keyless")
    elif not key:
        yield Finding("wrong", f"COINGECKO_PLAN is {plan} but COINGECKO_API_KEY is empty: set it in .env")
    elif reached.state == "ok":
        header = f"x-cg-{'pro' if paid else 'demo'}-api-key"
        yield _key("COINGECKO_API_KEY", key, f"{url}/ping", {header: key}, f", or COINGECKO_PLAN ({plan})")


def _settings(project: Project, environment: str, tap: str) -> dict[str, Any]:
    """A tap's settings as Meltano would hand them over; none where it cannot say."""
    words = [f"--environment={environment}", "config", "--unsafe", "print", "--format=json", tap]
    done = subprocess.run(
        [project.program("meltano"), *words],
        cwd=project.root,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _absent(name: str) -> Finding:
    return Finding("note", f"{name} is empty: {_WITHOUT[name]}")


def _reach(url: str, setting: str) -> Finding:
    """Ask whether anybody answers at an address, or whether a folder is there; any answer of a server is one."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(url2pathname(parts.path))
        if folder.is_dir():
            return Finding("ok", f"the folder {folder} ({setting}) is there")
        return Finding("wrong", f"{setting} names the folder {folder}, which does not exist: make it, or correct it")
    where = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
    try:
        _ask(f"{where}/", {})
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return Finding("wrong", f"{where} is out of reach ({reason}): check network, proxy, firewall and {setting}")
    return Finding("ok", f"{where} answers")


def _key(name: str, key: str, url: str, headers: Mapping[str, str], beside: str = "") -> Finding:
    try:
        code, said = _ask(url, headers)
    except (OSError, ValueError) as error:
        return Finding("note", f"{name} could not be tried ({type(error).__name__}); run again later")
    if code == HTTPStatus.OK:
        return Finding("ok", f"{name} is accepted")
    words = f"HTTP {code}{f': {said}' if said else ''}".replace(key, "***").replace(quote(key, safe=""), "***")
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Finding("note", f"{name} could not be tried ({words}); run again later")
    return Finding("wrong", f"{name} is refused ({words}): correct it{beside} in .env")


def _ask(url: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """Ask once; gives the status and, of an error in JSON, its text."""
    request = urllib.request.Request(url, headers={"User-Agent": "crypto-elt-doctor", **headers})  # noqa: S310 - http(s)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
            return answer.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _text_of(error.read(1 << 16))


def _text_of(body: bytes) -> str:
    """The text of Blockchair's or CoinGecko's error; empty where it is another page."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    for path in (("context", "error"), ("status", "error_message"), ("error", "status", "error_message"), ("error",)):
        value = found
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str):
            return " ".join(value.split())[:_MOST_TEXT]
    return ""
