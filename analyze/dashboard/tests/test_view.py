"""What is in view, by the address."""

import datetime as dt

import pytest

from dashboard.errors import DashboardError
from dashboard.view import read_view

DAY = dt.date


def option(coin: str, first: DAY | None, last: DAY | None, blocks: tuple[DAY, DAY] | None = None) -> dict[str, object]:
    """A coin that can be chosen."""
    first_block, last_block = blocks or (None, None)
    return {
        "coin": coin,
        "asset_name": coin.title(),
        "first_day": first,
        "last_day": last,
        "first_block_day": first_block,
        "last_block_day": last_block,
    }


OPTIONS = [
    option("bitcoin", DAY(2024, 1, 1), DAY(2025, 1, 31), (DAY(2025, 1, 1), DAY(2025, 1, 30))),
    option("ethereum", DAY(2024, 6, 1), DAY(2025, 1, 31), (DAY(2025, 1, 5), DAY(2025, 1, 30))),
    option("solana", DAY(2024, 6, 1), DAY(2025, 1, 31)),
]


def test_nothing_chosen_is_everything_of_the_newest_92_days() -> None:
    view = read_view(OPTIONS, [], only_chains=False)
    assert view.coins == ("bitcoin", "ethereum", "solana")
    assert (view.first, view.last) == (DAY(2024, 11, 1), DAY(2025, 1, 31))
    assert view.query == ""


def test_a_page_of_chains_has_their_coins_and_days() -> None:
    view = read_view(OPTIONS, [("coin", "solana")], only_chains=True)
    assert view.coins == ("bitcoin", "ethereum")
    assert (view.first, view.last) == (DAY(2025, 1, 1), DAY(2025, 1, 30))


@pytest.mark.parametrize(
    "asked",
    [
        [("coin", "ethereum"), ("coin", "bitcoin"), ("days", "7")],
        [("coin", "bitcoin"), ("from", "2025-01-02"), ("to", "2025-01-09")],
        [("days", "all")],
    ],
)
def test_the_query_of_a_view_leads_to_it(asked: list[tuple[str, str]]) -> None:
    view = read_view(OPTIONS, asked, only_chains=False)
    again = [tuple(pair.split("=", 1)) for pair in view.query.split("&")]
    assert read_view(OPTIONS, again, only_chains=False) == view  # type: ignore[arg-type]
    assert view != read_view(OPTIONS, [], only_chains=False)


@pytest.mark.parametrize(
    ("options", "asked", "status", "words"),
    [
        (OPTIONS, [("coin", "pebble")], 400, "no coin is called 'pebble' here; there are bitcoin"),
        (OPTIONS, [("days", "8")], 400, "it is one of 7, 30, 92, 365, all"),
        (OPTIONS, [("from", "x")], 400, "'x' is no day"),
        (OPTIONS, [("from", "2025-01-02"), ("to", "2025-01-01")], 400, "exchange them"),
        ([], [], 200, "the warehouse is empty"),
    ],
)
def test_a_view_that_is_none(
    options: list[dict[str, object]], asked: list[tuple[str, str]], status: int, words: str
) -> None:
    with pytest.raises(DashboardError, match=words) as caught:
        read_view(options, asked, only_chains=False)
    assert caught.value.status == status


def test_prices_alone_have_no_page_of_chains() -> None:
    with pytest.raises(DashboardError, match="no blocks are loaded"):
        read_view(OPTIONS[2:], [], only_chains=True)
