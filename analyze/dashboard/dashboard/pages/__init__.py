"""The pages: which rows each selects, and how it draws them."""

from dashboard.page import Page
from dashboard.pages import market

PAGES: tuple[Page, ...] = (market.PAGE,)
