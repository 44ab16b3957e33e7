"""Answers of the API that are changed in one place: the right rows, or a sentence that says where, and no bookmark."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

BLOCKS, PAGE = "bitcoin/blocks", "q=id(100..199)&s=id(asc)&limit=100"
RIGHT = ""  # instead of words of an error
NO_NUMBER = (
    r"/bitcoin/blocks\?q=id\(100\.\.199\)&s=id\(asc\)&limit=100 answered a row, the 51\., without a whole number in id"
)
NO_JSON = "/bitcoin/blocks answered something that is not Blockchair's JSON"
HOLE = "asked for the blocks 100 to 199, got "
VALUE = "the API's answer for bitcoin/blocks/heights/100-199 has an unusable value in the column "


def cell(column: str, value: Any) -> Callable[[Any], Any]:
    return lambda answer: answer["data"][50].update({column: value})


def number(column: str, written: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf'("{column}": ?)[0-9]+', rf"\g<1>{written}", text, count=1)


def hashed(written: str) -> Callable[[str], str]:
    return lambda text: re.sub(r'("hash": ?")[0-9a-f]{4}', lambda found: found[1] + written, text, count=1)


CHANGED = {
    "id, digits as text": (cell("id", "150"), RIGHT),
    "id, a word": (cell("id", "x"), NO_NUMBER),
    "id, null": (cell("id", None), NO_NUMBER),
    "id, a list": (cell("id", [150]), NO_NUMBER),
    "id, true": (cell("id", True), NO_NUMBER),
    "id, missing": (lambda answer: answer["data"][50].pop("id"), NO_NUMBER),
    "id, negative": (cell("id", -150), HOLE),
    "id, of another page": (lambda answer: [row.update(id=row["id"] - 100) for row in answer["data"]], HOLE),
    "hash, missing": (lambda answer: answer["data"][50].pop("hash"), "heights/100-199 lacks the column hash"),
    "hash, an object": (cell("hash", {"a": 1}), VALUE + "hash"),
    "size, a word": (cell("size", "abc"), VALUE + "size: not a whole number"),
    "size, a fraction": (cell("size", 1.5), VALUE + "size: 1.5 is not a whole number"),
    "time, a number": (cell("time", 1700000000), VALUE + "time"),
    "time, of no calendar": (cell("time", "2024-02-30 00:00:00"), VALUE + "time"),
    "time, of the year 99999": (cell("time", "99999-01-01 00:00:00"), VALUE + "time"),
    "a row twice": (lambda answer: answer["data"].insert(50, answer["data"][50]), HOLE + "101 rows"),
    "a row instead of another": (lambda answer: answer["data"].__setitem__(50, answer["data"][49]), HOLE),
    "the rows backwards": (lambda answer: answer["data"].reverse(), HOLE),
    "the first row lost": (lambda answer: answer["data"].pop(0), HOLE + "99 rows, block 100 is missing"),
    "the last row lost": (lambda answer: answer["data"].pop(), HOLE + "99 rows, block 199 is missing"),
    "a row that is null": (lambda answer: answer["data"].__setitem__(50, None), "of which the 51. is no row"),
    "data, null": (lambda answer: answer.update(data=None), HOLE + "0 rows"),
    "data, an object": (lambda answer: answer.update(data={}), "answered something that is not rows of a table"),
    "data, missing": (lambda answer: answer.pop("data"), NO_JSON),
    "context, null": (lambda answer: answer.update(context=None), RIGHT),
    "context, with an error": (lambda answer: answer["context"].update(code=500), "answered 500: the server failed"),
    "another column": (cell("weather", "\x1b[31mred"), RIGHT),
}
WRITTEN: dict[str, tuple[Callable[[str], str], str]] = {
    "cut off": (lambda text: text[: len(text) // 2], NO_JSON),
    "a page": (lambda _: "<html>Please wait</html>", NO_JSON),
    "empty": (lambda _: "", NO_JSON),
    "null": (lambda _: "null", NO_JSON),
    "twice": (lambda text: text + text, NO_JSON),
    "nested without end": (lambda _: "[" * 100_000, NO_JSON),
    "not a number": (number("size", "NaN"), NO_JSON),
    "a number that fills the memory": (
        number("size", "1e400000000"),
        VALUE + "size: not a number of reasonable length",
    ),
    "a fraction that fills the memory": (number("fee_total", "1e-400000000"), VALUE + "fee_total: not a number of"),
    "a number beyond all exponents": (number("size", "1e99999999999999999999"), NO_JSON),
    "a number of 5000 digits": (number("size", "9" * 5000), NO_JSON),
    "a byte order mark": (lambda text: "\ufeff" + text, RIGHT),
    "NUL": (hashed(r"\u0000"), RIGHT),
    "half of a surrogate pair": (hashed(r"\ud800"), RIGHT),
}


@pytest.mark.parametrize("name", [*CHANGED, *WRITTEN])
def test_a_page_of_blocks(run: Any, chain: Any, name: str) -> None:
    text = requests.get(f"{chain.url}/{BLOCKS}?{PAGE}", timeout=60).text
    if name in CHANGED:
        answer = json.loads(text)
        change, words = CHANGED[name]
        change(answer)
        text = json.dumps(answer)
    else:
        rewrite, words = WRITTEN[name]
        changed = rewrite(text)
        assert changed != text
        text = changed
    chain.fault(f"/{BLOCKS}$", {"body": text}, query=re.escape(PAGE), times=None)

    result = run(chain.config(), select=("bitcoin_blocks",))

    ids = result.ids
    if words == RIGHT:
        assert result.error is None
        assert ids == list(range(chain.tip + 1))
    else:
        assert isinstance(result.error, (FatalAPIError, RetriableAPIError)), repr(result.error)
        assert re.search(words, str(result.error)), result.error
        assert ids == list(range(100))
        assert result.bookmark("bitcoin_blocks") == 99


def test_text_that_no_table_holds_is_replaced_and_the_rest_is_exact(run: Any, chain: Any) -> None:
    chain.alter(
        BLOCKS, PAGE, lambda answer: answer["data"][50].update(guessed_miner="a\ud800\0\U0001f600'; --<b>\x1b[31m")
    )
    result = run(chain.config(), select=("bitcoin_blocks",))
    assert result.error is None
    assert result.records("bitcoin_blocks")[150]["guessed_miner"] == "a\ufffd\U0001f600'; --<b>\x1b[31m"


@pytest.mark.parametrize(
    ("path", "query", "change"),
    [
        (BLOCKS, "s=id(desc)&limit=1", lambda answer: answer["data"][0].update(id="x")),
        (BLOCKS, "s=id(asc)&limit=1", lambda answer: answer["data"][0].pop("id")),
        (BLOCKS, "s=id(desc)&limit=1", lambda answer: answer["data"].__setitem__(0, "x")),
    ],
)
def test_a_question_before_the_pages(run: Any, chain: Any, path: str, query: str, change: Callable[[Any], Any]) -> None:
    chain.alter(path, query, change)
    result = run(chain.config(), select=("bitcoin_blocks",))
    assert isinstance(result.error, FatalAPIError), repr(result.error)
    assert f"/{path}?{query} answered " in str(result.error)
    assert result.records("bitcoin_blocks") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda answer: answer.update(data=[]), "answered 0 rows, but states "),
        (lambda answer: answer["data"].pop(50), "answered 99 rows, but states 100"),
        (lambda answer: answer["data"][50].update(id=None), "answered a row, the 51., without a whole number in id"),
        (lambda answer: answer["data"][50].update(block_id="x"), "a row, the 51., without a whole number in block_id"),
        (lambda answer: answer["data"].reverse(), "are out of order or range"),
    ],
)
def test_a_page_of_transactions(run: Any, chain: Any, asked: Any, change: Callable[[Any], Any], words: str) -> None:
    """Their ids leave no hole that could be seen, so what the answer says of itself must be true."""
    assert run(chain.config(), select=("bitcoin_transactions",)).error is None
    page = [sent.query for sent in asked if sent.path.endswith("/transactions") and "limit=100" in sent.query][1]
    chain.alter("bitcoin/transactions", page, change)
    result = run(chain.config(), select=("bitcoin_transactions",))
    assert isinstance(result.error, FatalAPIError), repr(result.error)
    assert words in str(result.error)
    assert len(result.records("bitcoin_transactions")) < 100


@pytest.mark.parametrize("since", ["Ignore", "2024-02-30 00:00:00"])
def test_a_snapshot_without_a_time(run: Any, chain: Any, since: str) -> None:
    chain.alter("bitcoin/stats", "", lambda answer: answer["context"].update(cache={"since": since}))
    result = run(chain.config(), select=("bitcoin_stats",))
    assert isinstance(result.error, FatalAPIError), repr(result.error)
    assert "/bitcoin/stats has no time, neither context.cache.since nor a Date header" in str(result.error)
