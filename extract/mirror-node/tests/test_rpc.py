"""What a node may answer beside an answer: each is one sentence, and no secret stands in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Request, Response

from mirror_node.amounts import base_units
from mirror_node.errors import MirrorError
from mirror_node.rpc import Login, Node, RpcError, login


@pytest.fixture
def node(httpserver: Any) -> Callable[..., Node]:
    def make(answer: Callable[[Any], Response], **more: Any) -> Node:
        httpserver.expect_request("/").respond_with_handler(answer)
        return Node(Login(httpserver.url_for("/"), **more), pause=lambda _seconds: None)

    return make


def says(**answer: Any) -> Callable[[Request], Response]:
    return lambda request: Response(json.dumps({"id": json.loads(request.data)["id"], **answer}))


def test_an_answer_of_the_wanted_form_comes_through(node: Any) -> None:
    assert node(says(result=7, error=None)).call("getblockcount", [], int) == 7


def test_a_refusal_says_what_the_node_says(node: Any) -> None:
    with pytest.raises(RpcError, match=r"refused getblock: Block not found \(-5\)\. What is written is kept") as caught:
        node(says(result=None, error={"code": -5, "message": "Block not found"})).call("getblock", ["00"], str)
    assert caught.value.code == -5


def test_another_form_is_refused(node: Any) -> None:
    with pytest.raises(RpcError, match="in a form that is not known"):
        node(says(result="seven")).call("getblockcount", [], int)


def test_a_busy_node_is_asked_again_and_a_warming_one_too(node: Any) -> None:
    tries: list[int] = []

    def answer(_request: Request) -> Response:
        tries.append(1)
        if len(tries) == 1:
            return Response("Work queue depth exceeded", status=503)
        if len(tries) == 2:
            return Response(json.dumps({"error": {"code": -28, "message": "Loading"}, "id": 0}), status=500)
        return Response(json.dumps({"result": 3, "id": 0}))

    assert node(answer).call("getblockcount", [], int) == 3
    assert len(tries) == 3


def test_a_wrong_password_is_not_tried_again(node: Any) -> None:
    tries: list[str] = []

    def answer(request: Request) -> Response:
        tries.append(request.headers["Authorization"])
        return Response(status=401)

    with pytest.raises(MirrorError, match=r"does not let this user in \(401\)") as caught:
        node(answer, user="u", password="wrong-word").call("getblockcount", [], int)
    assert tries == ["Basic dTp3cm9uZy13b3Jk"]
    assert "wrong-word" not in str(caught.value)


def test_a_batch_is_put_in_order_and_its_gaps_are_told(node: Any) -> None:
    def backwards(request: Request) -> Response:
        calls = json.loads(request.data)
        return Response(json.dumps([{"id": call["id"], "result": call["params"][0] * 2} for call in reversed(calls)]))

    assert node(backwards).many("double", [[number] for number in range(1200)], int) == [2 * n for n in range(1200)]


def test_an_answer_that_a_batch_lacks_is_told(node: Any) -> None:
    with pytest.raises(RpcError, match="left out answers of double"):
        node(lambda _request: Response("[]")).many("double", [[1]], int)


def test_the_cookie_is_read_at_each_request(node: Any, tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers["Authorization"])
        return Response(json.dumps({"result": 1, "id": 0}))

    cookie = tmp_path / ".cookie"
    asked = node(answer, cookie_file=str(cookie))
    for word in ("a:b", "c:d"):
        cookie.write_text(word + "\n")
        asked.call("getblockcount", [], int)
    assert seen == ["Basic YTpi", "Basic Yzpk"]
    cookie.unlink()
    with pytest.raises(MirrorError, match=r"the cookie file .*\.cookie cannot be read"):
        asked.call("getblockcount", [], int)


def test_a_node_that_is_not_there_is_told_without_its_secrets() -> None:
    where = login("http://user:pass-word@127.0.0.1:9/with-a-key?token=secret", "", "", "")
    with pytest.raises(MirrorError, match="did not answer getblockcount in 5 tries") as caught:
        Node(where, pause=lambda _seconds: None).call("getblockcount", [], int)
    assert not {"pass-word", "secret", "with-a-key"} & set(str(caught.value).replace("/", " ").split())
    assert "pass-word" not in repr(where)
    assert (where.user, where.password) == ("user", "pass-word")


@pytest.mark.parametrize("url", ["localhost:8332", "ftp://127.0.0.1", "", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(MirrorError, match="rpc_url must be an address"):
        login(url, "", "", "")


def test_amounts_are_whole_base_units() -> None:
    assert base_units(Decimal("20999999.97690000")) == 2_099_999_997_690_000
    assert base_units(Decimal("5.46e-6")) == 546
    with pytest.raises(ValueError, match="no whole number of base units"):
        base_units(Decimal("0.000000001"))
