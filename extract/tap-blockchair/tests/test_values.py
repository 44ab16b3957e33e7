"""Single values: what is taken and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tap_blockchair.columns import Kind
from tap_blockchair.dumpfile import FROM_TEXT
from tap_blockchair.values import as_text, from_json


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.INTEGER, "-7", -7),
        (Kind.INTEGER, "4294967295", 4294967295),
        (Kind.NUMBER, "0.50", Decimal("0.50")),
        (Kind.NUMBER, "-1250000000", Decimal(-1250000000)),
        (Kind.NUMBER, "2.86102294921875e-6", Decimal("0.00000286102294921875")),
        (Kind.TIME, "2009-01-03 18:15:05", "2009-01-03T18:15:05+00:00"),
        (Kind.BOOLEAN, "1", True),
        (Kind.BOOLEAN, "0", False),
        (Kind.SPENDABLE, "-1", -1),
        (Kind.SPENDABLE, "0", 0),
        (Kind.SPENDABLE, "1", 1),
    ],
)
def test_text_is_read_exactly(kind: Kind, text: str, value: object) -> None:
    read = FROM_TEXT[kind](text)
    assert (read, type(read)) == (value, type(value))
    if isinstance(value, Decimal):
        assert str(read) == str(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((Kind.INTEGER, text) for text in ("1.0", "1e3", " 1", "+1", "1_0", "--1", "-", "٣", "0x1")),
        *((Kind.NUMBER, text) for text in ("NaN", "Infinity", f"1e{'9' * 20}", "1_0", " 1", "1.", ".5", "1,5", "٣")),
        *(
            (Kind.TIME, text)
            for text in ("2009-01-03", "2009-01-03T18:15:05", "0000-00-00 00:00:00", "2009-W01-5 02:54:25")
        ),
        *((Kind.BOOLEAN, text) for text in ("true", "2", "-1")),
        *((Kind.SPENDABLE, text) for text in ("2", "null")),
    ],
)
def test_anything_else_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        FROM_TEXT[kind](text)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.INTEGER, "9092", 9092),  # an Ethereum nonce was text until 2.0.65
        (Kind.INTEGER, Decimal("5.0"), 5),
        (Kind.NUMBER, "12439420564755992111056", Decimal(12439420564755992111056)),
        (Kind.NUMBER, 15144237638370525001, 15144237638370525001),
        (Kind.NUMBER, Decimal("1.337E+21"), Decimal(1337000000000000000000)),
        (Kind.TEXT, 7, "7"),
        (Kind.BOOLEAN, True, True),
        (Kind.OBJECT, [], {}),
        (Kind.ARRAY, [], []),
        (Kind.NUMBER, None, None),
        (Kind.INTEGER, Decimal("1E+3"), 1000),
        (Kind.TEXT, Decimal("2.50"), "2.50"),
        (Kind.TEXT, "0xAB\0cd", "0xABcd"),
        (Kind.BOOLEAN, False, False),
        (Kind.BOOLEAN, 1, True),
        (Kind.OBJECT, {"a": 1}, {"a": 1}),
        (Kind.SPENDABLE, None, -1),
        (Kind.SPENDABLE, True, 1),
        (Kind.SPENDABLE, False, 0),
        (Kind.SPENDABLE, -1, -1),
        (Kind.TIME, "2009-01-03 18:15:05", "2009-01-03T18:15:05+00:00"),
    ],
)
def test_json_takes_the_dump_form(kind: Kind, value: Any, expected: object) -> None:
    read = from_json(value, kind)
    assert (read, type(read)) == (expected, type(expected))


@pytest.mark.parametrize(("text", "bare"), [("0xAB", "ab"), ("AB", "AB"), ("x0xAB", "x0xAB"), ("0x", "")])
def test_hexadecimal_text_of_a_chain_whose_dumps_have_it_bare(text: str, bare: str) -> None:
    assert from_json(text, Kind.TEXT, bare_hex=True) == bare
    assert from_json(text, Kind.TEXT) == text


def test_values_of_unknown_columns_are_carried_as_text() -> None:
    assert as_text(None) is None
    assert [as_text(value) for value in ("a", 1, True, Decimal("0.10"), [1], {})] == [
        "a",
        "1",
        "true",
        "0.10",
        "[1]",
        "{}",
    ]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.INTEGER, Decimal("5.5")),
        (Kind.INTEGER, True),
        (Kind.NUMBER, float("nan")),
        (Kind.NUMBER, [1]),
        (Kind.TEXT, {}),
        (Kind.OBJECT, [1]),
        (Kind.TIME, 1700000000),
        (Kind.BOOLEAN, "yes"),
        (Kind.SPENDABLE, 2),
        (Kind.TEXT, True),
        (Kind.ARRAY, {}),
        (Kind.INTEGER, "5.0"),
    ],
)
def test_json_that_does_not_fit(kind: Kind, value: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_json(value, kind)
