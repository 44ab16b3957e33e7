"""What is wrong with an expression of DAX, found without evaluating it."""

from __future__ import annotations

import pytest

from powerbi_project.dax import problems

COLUMNS = {"Network": {"Fee", "Fee Rate"}, "Age Band": {"Age"}, "Miner's": {"Name"}}
MEASURES = {"Fees USD", "Blocks"}

RIGHT = [
    "1",
    "1.5",
    "-1",
    "+ 1",
    "2 - -1",
    "2 * -[Blocks]",
    '"a ""quoted"" text"',
    '""',
    "TRUE",
    "[Blocks] + [Fees USD]",
    "SUM(Network[Fee])",
    "sum(Network[Fee Rate])",
    "COUNTROWS(Network)",
    "MAX('Age Band'[Age])",
    "COUNTROWS('Miner''s')",
    "MAX('Miner''s'[Name])",
    "BLANK()",
    "[Blocks] // the blocks\n + 1",
    "[Blocks] -- the blocks\n + 1",
    "{1, 2}",
    "[Blocks] IN {1, 2}",
    "NOT ISBLANK([Blocks])",
    "not isblank([Blocks])",
    "IF(NOT [Blocks] = 1 && NOT ISBLANK([Blocks]), 1)",
    "1 = 1 && 2 <> 1 || 1 <= 2 && 2 >= 1 && 1 < 2 && 2 > 1",
    "2 ^ 2 / 3 & 1",
    "(1 + 2) * 3",
    *(f"DATEADD(Network[Fee], -1, {unit})" for unit in ("day", "MONTH", "QUARTER", "YEAR")),
    *(f"TOPN(1, Network, [Blocks], {order})" for order in ("ASC", "DESC")),
    *(f"CONVERT([Blocks], {kind})" for kind in ("DOUBLE", "INTEGER")),
    "IF(FALSE, TRUE)",
    "VAR total = SUM(Network[Fee]) RETURN total",
    "VAR a = 1 VAR b = A + 1 RETURN B",
    "IF(TRUE, VAR a = 1 RETURN a, 2)",
    "VAR Total = 1 RETURN total",
    "VAR a = (VAR b = 1 RETURN b) RETURN a",
    "var a = 1 return a",
]

WRONG = [
    ("1 $ 2", ["'$' has no place in DAX"]),
    ("SUM(Network[Fee]) ;", ["';' has no place in DAX"]),
    ("1 +", ["it ends where a value should stand"]),
    ("", ["it ends where a value should stand"]),
    ("* 1", ["nothing stands before *"]),
    ("1 + * 2", ["nothing stands before *"]),
    ("1 2", ["no operator before 2"]),
    ("[Blocks] [Blocks]", ["no operator before [Blocks]"]),
    (
        "[Blocks] NOT [Blocks]",
        ["no operator before NOT", "no table is named NOT"],
    ),
    ("1 [Blocks]", ["no operator before [Blocks]"]),
    (
        ")(",
        [
            *("unbalanced )", "nothing stands before )"),
            *("no operator before (", "unclosed (", "it ends where a value should stand"),
        ],
    ),
    ("1 (2)", ["no operator before ("]),
    ("1 {2}", ["no operator before {"]),
    ("IN {1}", ["nothing stands before IN"]),
    ("(1", ["unclosed ("]),
    ("({1", ["unclosed ({"]),
    ("1)", ["unbalanced )"]),
    ("1}", ["unbalanced }"]),
    ("(1}", ["unbalanced }"]),
    ("{1)", ["unbalanced )"]),
    ("(1 +)", ["nothing stands before )"]),
    ("SUM(1,)", ["nothing stands before )"]),
    ("{1,}", ["nothing stands before }"]),
    ("SUM(,1)", ["nothing stands before ,"]),
    ("SUM(1,,2)", ["nothing stands before ,"]),
    ("1, 2", [", outside a call"]),
    (")", ["unbalanced )", "nothing stands before )"]),
    ("[Burn USD]", ["no measure is named [Burn USD]"]),
    ("[blocks]", ["no measure is named [blocks]"]),
    ("SUMM(Network[Fee])", ["no function is named SUMM"]),
    ("SUM(Net[Fee])", ["no table is named Net"]),
    ("SUM('Age'[Fee])", ["no table is named Age"]),
    ("SUM(Network[Fees])", ["Network has no column [Fees]"]),
    ("MAX('Miner''s'[Fee])", ["Miner's has no column [Fee]"]),
    ("COUNTROWS(Net)", ["no table or variable is named Net"]),
    ("COUNTROWS('Net')", ["no table or variable is named Net"]),
    ("total", ["no table or variable is named total"]),
    ("VAR a = 1", ["VAR without RETURN"]),
    ("IF(TRUE, VAR a = 1)", ["VAR without RETURN"]),
    ("VAR a = 1 + 1", ["VAR without RETURN"]),
    ("VAR a = 1 RETURN", ["it ends where a value should stand"]),
    ("VAR a = RETURN 1", ["nothing stands before RETURN"]),
    ("VAR a 1 RETURN a", ["VAR needs a name and =", "nothing stands before RETURN"]),
    ("VAR 1 = 1 RETURN 1", ["VAR needs a name and ="]),
    ("VAR", ["VAR needs a name and =", "VAR without RETURN", "it ends where a value should stand"]),
    ("VAR a = 1 RETURN b", ["no table or variable is named b"]),
    ("VAR a = IF(TRUE, VAR b = 1, 2) RETURN a", ["VAR without RETURN"]),
]


@pytest.mark.parametrize("expression", RIGHT)
def test_what_is_right_has_no_problem(expression: str) -> None:
    assert problems(expression, COLUMNS, MEASURES) == []


@pytest.mark.parametrize(("expression", "expected"), WRONG)
def test_what_is_wrong_is_reported(expression: str, expected: list[str]) -> None:
    assert problems(expression, COLUMNS, MEASURES) == expected
