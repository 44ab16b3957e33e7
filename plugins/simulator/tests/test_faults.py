"""Faults, over a real connection: what a client receives, and when."""

import gzip
import json
import threading
import time
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any

import pytest

from simulator.daemon import HOST, bind
from simulator.server import create_app, server_of
from simulator.settings import Settings

BLOCKS = "/blockchair/bitcoin/blocks"
FILE = "/dumps/bitcoin/blocks/blockchair_bitcoin_blocks_20250101.tsv.gz"
PING = "/coingecko/api/v3/ping"


class Server:
    """A server on a port of its own, asked over one new connection a request."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection(HOST, self._port, timeout=60)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"User-Agent": "a test", **headers})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def own(self, path: str, method: str = "GET", body: object = None) -> Any:
        response, content = self.ask(f"/_simulator{path}", method, body)
        assert response.status == 200, content
        return json.loads(content)

    def rule(self, match: str, action: dict[str, Any], **more: Any) -> None:
        self.own("/faults", "POST", [{"match": match, "action": action, **more}])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = Settings(state_dir=tmp_path_factory.mktemp("state"), days=2, blocks_per_day=6)
    with bind(0) as listener:
        server = server_of(create_app(settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Server(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(60)
        assert not thread.is_alive(), "the server does not end"


@pytest.fixture
def server(running: Server) -> Server:
    running.own("/faults", "DELETE")
    running.own("/requests", "DELETE")
    return running


@pytest.mark.parametrize("code", [400, 402, 404, 429, 430, 434, 435, 436, 437, 500, 503])
def test_every_code_comes_with_the_apis_body(server: Server, code: int) -> None:
    server.rule("^/blockchair/", {"status": code})
    response, body = server.ask(BLOCKS)
    assert (response.status, response.headers["content-type"]) == (code, "application/json")
    answer = json.loads(body)
    assert answer["data"] is None
    assert list(answer["context"])[:3] == ["code", "error", "market_price_usd"]
    assert answer["context"]["code"] == code
    assert "state" not in answer["context"]
    assert response.headers["x-data-origin"] == "simulator"
    assert server.ask(BLOCKS)[0].status == 200


@pytest.mark.parametrize(
    ("path", "action", "code"),
    [
        (BLOCKS, {"html_402": True}, 402),
        (BLOCKS, {"status": 503, "html": True}, 503),
        (FILE, {"status": 402}, 402),
        (FILE, {"html_402": True}, 402),
        (FILE, {"status": 500}, 500),
        (PING, {"status": 502, "html": True}, 502),
    ],
)
def test_pages_in_place_of_answers(server: Server, path: str, action: dict[str, Any], code: int) -> None:
    server.rule(f"^{path}$", action)
    response, body = server.ask(path)
    assert response.status == code
    assert response.headers["content-type"].startswith("text/html")
    assert body.startswith(b"<html>")
    assert f"{code} ".encode() in body


def test_coingeckos_own_error_body(server: Server) -> None:
    server.rule(PING, {"status": 429})
    response, body = server.ask(PING)
    assert response.status == 429
    assert json.loads(body)["status"]["error_code"] == 429


def test_a_good_answer_without_data(server: Server) -> None:
    server.rule(BLOCKS, {"data": []})
    server.rule(BLOCKS, {"data": None})
    for expected in ([], None):
        answer = json.loads(server.ask(BLOCKS)[1])
        assert answer["data"] == expected
        assert (answer["context"]["code"], answer["context"]["rows"]) == (200, 0)
    assert len(json.loads(server.ask(BLOCKS)[1])["data"]) == 10
    for path in ("/blockchair/bitcoin/stats", "/blockchair/range"):
        server.rule(path, {"data": []})
        context = json.loads(server.ask(path)[1])["context"]
        assert "source" in context
        assert "rows" not in context


def test_after_times_method_query_and_order(server: Server) -> None:
    server.rule("blocks$", {"status": 500}, after=1, times=2, method="GET", query="limit=1$")
    server.rule("blocks$", {"status": 429}, method="GET", query="limit=1$")
    statuses = [server.ask(f"{BLOCKS}?limit=1")[0].status for _ in range(5)]
    assert statuses == [429, 500, 500, 200, 200]
    assert server.ask(f"{BLOCKS}?limit=2")[0].status == 200
    shown = server.own("/faults")["faults"]
    assert [(rule["seen"], rule["done"]) for rule in shown] == [(1, 2), (0, 1)]
    server.rule("ping", {"status": 500}, times=None)
    assert {server.ask(PING)[0].status for _ in range(3)} == {500}
    assert server.own("/faults", "DELETE") == {"faults": []}
    assert server.ask(PING)[0].status == 200


@pytest.mark.parametrize("path", [BLOCKS, FILE, PING])
def test_a_reset_before_anything(server: Server, path: str) -> None:
    server.rule(path, {"reset": True})
    with pytest.raises(ConnectionResetError):
        server.ask(path)
    assert server.ask(path)[0].status == 200


def test_a_reset_within_the_body(server: Server) -> None:
    server.rule(FILE, {"reset": 200})
    with pytest.raises(ConnectionResetError):
        server.ask(FILE)


@pytest.mark.parametrize("path", [BLOCKS, FILE])
def test_a_truncated_body_states_its_whole_length(server: Server, path: str) -> None:
    whole = server.ask(path)[1]
    server.rule(path, {"truncate": 100})
    with pytest.raises(IncompleteRead) as caught:
        server.ask(path)
    assert caught.value.partial == whole[:100]
    assert caught.value.expected == len(whole) - 100
    server.rule(path, {"truncate": 10**9})
    assert server.ask(path)[1] == whole


def test_a_part_can_be_truncated_and_asked_for_again(server: Server) -> None:
    whole = server.ask(FILE)[1]
    server.rule(FILE, {"truncate": 50})
    with pytest.raises(IncompleteRead) as caught:
        server.ask(FILE, Range="bytes=100-")
    assert caught.value.partial == whole[100:150]
    assert server.ask(FILE, Range="bytes=150-")[1] == whole[150:]


def test_one_byte_of_a_file_is_flipped(server: Server) -> None:
    whole = server.ask(FILE)[1]
    server.rule(FILE, {"corrupt": len(whole) - 6})  # within the checksum
    server.rule(FILE, {"corrupt": True})
    for place in (len(whole) - 6, len(whole) // 2):
        body = server.ask(FILE)[1]
        assert [at for at in range(len(whole)) if body[at] != whole[at]] == [place]
        with pytest.raises((OSError, EOFError, zlib.error)):
            gzip.decompress(body)


def test_wrong_lengths(server: Server) -> None:
    whole = server.ask(FILE)[1]
    server.rule(FILE, {"length": -7}, times=2)
    head, _ = server.ask(FILE, "HEAD")
    response, body = server.ask(FILE)
    assert head.headers["content-length"] == response.headers["content-length"] == str(len(whole) - 7)
    assert body == whole[:-7]
    server.rule(FILE, {"length": 7})
    with pytest.raises(IncompleteRead) as caught:
        server.ask(FILE)
    assert caught.value.partial == whole


def test_a_slow_body_comes_whole_and_a_stall_only_waits(server: Server) -> None:
    whole = server.ask(FILE)[1]
    server.rule(FILE, {"slow": len(whole) * 10})
    server.rule(FILE, {"stall": 0.01})
    assert [server.ask(FILE)[1] for _ in range(2)] == [whole, whole]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        [{"match": "(", "action": {"status": 402}}],
        [{"match": r"(a)\1", "action": {"status": 402}}],  # takes a search that tries everything
        [{"match": "x"}],
        [{"match": "x", "action": {}}],
        [{"match": "x", "action": {"burn": 1}}],
        [{"match": "x", "action": {"status": 200}}],
        [{"match": "x", "action": {"slow": 0}}],
        [{"match": "x", "action": {"truncate": -1}}],
        [{"match": "x", "action": {"length": "5"}}],
        [{"match": "x", "action": {"data": [1]}}],
        [{"match": "x", "action": {"reset": True}, "often": 1}],
        [{"match": "x", "action": {"reset": True}}, {"match": "y"}],
    ],
)
def test_a_rule_that_is_not_understood_is_refused_whole(server: Server, rules: object) -> None:
    response, body = server.ask("/_simulator/faults", "POST", rules)
    assert response.status == 400
    assert json.loads(body)["error"].endswith(".")
    assert server.own("/faults") == {"faults": []}


def test_requests_are_counted_without_keys_or_queries(server: Server) -> None:
    server.rule("stats", {"status": 430})
    server.ask(f"{BLOCKS}?limit=100&key=hidden")
    server.ask(f"{BLOCKS}?q=id(1)&limit=1")
    server.ask("/blockchair/bitcoin/stats")
    server.ask(FILE, Range="bytes=0-9")
    shown = server.own("/requests")
    assert shown["total"] == 4
    assert shown["paths"] == {BLOCKS: 2, "/blockchair/bitcoin/stats": 1, FILE: 1}
    assert shown["statuses"] == {"200": 2, "430": 1, "206": 1}
    assert shown["points"] == 3.8 + 3 + 1
    assert shown["most_at_once"] == 1
    assert [entry["points"] for entry in shown["log"]] == [3.8, 3, 1, 0]
    assert [entry["keyed"] for entry in shown["log"]] == [True, False, False, False]
    assert [entry["fault"] for entry in shown["log"]] == [False, False, True, False]
    assert shown["log"][3]["range"] == "bytes=0-9"
    assert "hidden" not in json.dumps(shown)
    assert server.own("/requests", "DELETE")["total"] == 0


def test_what_an_answer_cost_is_no_header(server: Server) -> None:
    assert not [name for name in server.ask(BLOCKS)[0].headers if "points" in name.lower()]


def test_a_stall_keeps_an_answer_waiting(server: Server) -> None:
    server.rule(FILE, {"stall": 0.5})
    before = time.monotonic()
    response, content = server.ask(FILE)
    assert time.monotonic() - before >= 0.5
    assert (response.status, content[:2]) == (200, b"\x1f\x8b")


def test_no_pattern_takes_longer_than_its_path_is_long(server: Server) -> None:
    """One that tries every way to cut thirty letters takes minutes, and holds all other answers up."""
    rule = {"match": "^/dumps/(a+)+$", "action": {"status": 402}}
    assert server.ask("/_simulator/faults", "POST", [rule])[0].status == 200
    response, _ = server.ask(f"/dumps/{'a' * 30}!")
    assert response.status == 404
