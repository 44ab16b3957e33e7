"""The pages, in the order of the menu: which rows each selects, and how it draws them."""

from dashboard.page import Page
from dashboard.pages import fees, market, miners, network, overview, quality, supply, whales

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    market.PAGE,
    network.PAGE,
    fees.PAGE,
    supply.PAGE,
    miners.PAGE,
    whales.PAGE,
    quality.PAGE,
)
