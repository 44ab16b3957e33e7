"""The currencies that prices can be asked in, and how many units of each one US dollar buys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from simulator.coingecko.coins import Levels, levels

_FIAT: Final = 0.004  # a little every day, as real rates move
_METAL: Final = 0.01
_COIN: Final = 0.03


@dataclass(frozen=True)
class Currency:
    """A currency.

    Attributes:
        code: As requests name it.
        unit: Display sign.
        kind: crypto, fiat or commodity.
        levels: Units per US dollar around which the rate wanders.
        volatility: Standard deviation of one day's change of the logarithm of the rate; 0 for a pegged currency.
        inverse_of: The coin of this world that the currency is, so that the coin costs one of itself; else None.
        factor: Units of the currency that one such coin has.
        quoted: Whether prices can be asked in it; the exchange rates name a few more.
    """

    code: str
    name: str
    unit: str
    kind: str
    levels: Levels = ()
    volatility: float = 0.0
    inverse_of: str | None = None
    factor: Decimal = Decimal(1)
    quoted: bool = True


def _flat(units: str) -> Levels:
    return ((date(2013, 1, 1), Decimal(units)),)


_EURO: Final = levels(
    "2013-01-01 0.758, 2014-01-01 0.727, 2015-01-01 0.826, 2016-01-01 0.92, 2017-01-01 0.951",
    "2018-01-01 0.833, 2019-01-01 0.872, 2020-01-01 0.891, 2021-01-01 0.818, 2022-01-01 0.879",
    "2023-01-01 0.934, 2024-01-01 0.906, 2025-01-01 0.966, 2026-01-01 0.852",
)

_TABLE: Final = (
    Currency("btc", "Bitcoin", "BTC", "crypto", inverse_of="bitcoin"),
    Currency("eth", "Ether", "ETH", "crypto", inverse_of="ethereum"),
    Currency("ltc", "Litecoin", "LTC", "crypto", inverse_of="litecoin"),
    Currency("bch", "Bitcoin Cash", "BCH", "crypto", inverse_of="bitcoin-cash"),
    Currency("bnb", "Binance Coin", "BNB", "crypto", levels=_flat("0.0015299"), volatility=_COIN),
    Currency("eos", "EOS", "EOS", "crypto", levels=_flat("12.754"), volatility=_COIN),
    Currency("xrp", "XRP", "XRP", "crypto", levels=_flat("0.75321"), volatility=_COIN),
    Currency("xlm", "Lumens", "XLM", "crypto", levels=_flat("6.8059"), volatility=_COIN),
    Currency("link", "Chainlink", "LINK", "crypto", inverse_of="chainlink"),
    Currency("dot", "Polkadot", "DOT", "crypto", levels=_flat("0.80184"), volatility=_COIN),
    Currency("yfi", "Yearn.finance", "YFI", "crypto", levels=_flat("0.00040972"), volatility=_COIN),
    Currency("sol", "Solana", "SOL", "crypto", levels=_flat("0.012014"), volatility=_COIN),
    Currency("usd", "US Dollar", "$", "fiat", levels=_flat("1")),
    Currency("aed", "United Arab Emirates Dirham", "DH", "fiat", levels=_flat("3.6731")),
    Currency("ars", "Argentine Peso", "$", "fiat", levels=_flat("1408.5"), volatility=_FIAT),
    Currency("aud", "Australian Dollar", "A$", "fiat", levels=_flat("1.396"), volatility=_FIAT),
    Currency("bdt", "Bangladeshi Taka", "৳", "fiat", levels=_flat("122.77"), volatility=_FIAT),
    Currency("bhd", "Bahraini Dinar", "BD", "fiat", levels=_flat("0.37723")),
    Currency("bmd", "Bermudian Dollar", "$", "fiat", levels=_flat("1")),
    Currency("brl", "Brazil Real", "R$", "fiat", levels=_flat("5.0422"), volatility=_FIAT),
    Currency("cad", "Canadian Dollar", "CA$", "fiat", levels=_flat("1.3812"), volatility=_FIAT),
    Currency("chf", "Swiss Franc", "Fr.", "fiat", levels=_flat("0.78577"), volatility=_FIAT),
    Currency("clp", "Chilean Peso", "CLP$", "fiat", levels=_flat("896.11"), volatility=_FIAT),
    Currency("cny", "Chinese Yuan", "¥", "fiat", levels=_flat("6.7937"), volatility=_FIAT),
    Currency("czk", "Czech Koruna", "Kč", "fiat", levels=_flat("20.875"), volatility=_FIAT),
    Currency("dkk", "Danish Krone", "kr.", "fiat", levels=_flat("6.4286"), volatility=_FIAT),
    Currency("eur", "Euro", "€", "fiat", levels=_EURO, volatility=_FIAT),
    Currency("gbp", "British Pound Sterling", "£", "fiat", levels=_flat("0.74388"), volatility=_FIAT),
    Currency("gel", "Georgian Lari", "₾", "fiat", levels=_flat("2.6642"), volatility=_FIAT),
    Currency("hkd", "Hong Kong Dollar", "HK$", "fiat", levels=_flat("7.8364"), volatility=_FIAT),
    Currency("huf", "Hungarian Forint", "Ft", "fiat", levels=_flat("306.22"), volatility=_FIAT),
    Currency("idr", "Indonesian Rupiah", "Rp", "fiat", levels=_flat("17811"), volatility=_FIAT),
    Currency("ils", "Israeli New Shekel", "₪", "fiat", levels=_flat("2.8417"), volatility=_FIAT),
    Currency("inr", "Indian Rupee", "₹", "fiat", levels=_flat("95.698"), volatility=_FIAT),
    Currency("jpy", "Japanese Yen", "¥", "fiat", levels=_flat("159.32"), volatility=_FIAT),
    Currency("krw", "South Korean Won", "₩", "fiat", levels=_flat("1507.5"), volatility=_FIAT),
    Currency("kwd", "Kuwaiti Dinar", "KD", "fiat", levels=_flat("0.30951"), volatility=_FIAT),
    Currency("lkr", "Sri Lankan Rupee", "Rs", "fiat", levels=_flat("325.23"), volatility=_FIAT),
    Currency("mmk", "Burmese Kyat", "K", "fiat", levels=_flat("2099.8"), volatility=_FIAT),
    Currency("mxn", "Mexican Peso", "MX$", "fiat", levels=_flat("17.317"), volatility=_FIAT),
    Currency("myr", "Malaysian Ringgit", "RM", "fiat", levels=_flat("3.9663"), volatility=_FIAT),
    Currency("ngn", "Nigerian Naira", "₦", "fiat", levels=_flat("1372.8"), volatility=_FIAT),
    Currency("nok", "Norwegian Krone", "kr", "fiat", levels=_flat("9.2748"), volatility=_FIAT),
    Currency("nzd", "New Zealand Dollar", "NZ$", "fiat", levels=_flat("1.7139"), volatility=_FIAT),
    Currency("php", "Philippine Peso", "₱", "fiat", levels=_flat("61.594"), volatility=_FIAT),
    Currency("pkr", "Pakistani Rupee", "₨", "fiat", levels=_flat("278.4"), volatility=_FIAT),
    Currency("pln", "Polish Zloty", "zł", "fiat", levels=_flat("3.6455"), volatility=_FIAT),
    Currency("rub", "Russian Ruble", "₽", "fiat", levels=_flat("72.002"), volatility=_FIAT),
    Currency("sar", "Saudi Riyal", "SR", "fiat", levels=_flat("3.74")),
    Currency("sek", "Swedish Krona", "kr", "fiat", levels=_flat("9.3196"), volatility=_FIAT),
    Currency("sgd", "Singapore Dollar", "S$", "fiat", levels=_flat("1.2777"), volatility=_FIAT),
    Currency("thb", "Thai Baht", "฿", "fiat", levels=_flat("32.676"), volatility=_FIAT),
    Currency("try", "Turkish Lira", "₺", "fiat", levels=_flat("45.904"), volatility=_FIAT),
    Currency("twd", "New Taiwan Dollar", "NT$", "fiat", levels=_flat("31.447"), volatility=_FIAT),
    Currency("uah", "Ukrainian hryvnia", "₴", "fiat", levels=_flat("44.276"), volatility=_FIAT),
    Currency("vef", "Venezuelan bolívar fuerte", "Bs.F", "fiat", levels=_flat("0.10013")),
    Currency("vnd", "Vietnamese đồng", "₫", "fiat", levels=_flat("26344"), volatility=_FIAT),
    Currency("zar", "South African Rand", "R", "fiat", levels=_flat("16.389"), volatility=_FIAT),
    Currency("xdr", "IMF Special Drawing Rights", "XDR", "fiat", levels=_flat("0.70086"), volatility=_FIAT),
    Currency("xag", "Silver - Troy Ounce", "XAG", "commodity", levels=_flat("0.013125"), volatility=_METAL),
    Currency("xau", "Gold - Troy Ounce", "XAU", "commodity", levels=_flat("0.00022215"), volatility=_METAL),
    Currency("bits", "Bits", "μBTC", "crypto", inverse_of="bitcoin", factor=Decimal(1_000_000)),
    Currency("sats", "Satoshi", "sats", "crypto", inverse_of="bitcoin", factor=Decimal(100_000_000)),
    Currency("cop", "Colombian Peso", "$", "fiat", levels=_flat("3681.5"), volatility=_FIAT, quoted=False),
    Currency("ron", "Romanian Leu", "lei", "fiat", levels=_flat("4.5073"), volatility=_FIAT, quoted=False),
)

RATES: Final = {currency.code: currency for currency in _TABLE}
"""Every currency of the exchange rates by its code, in the vendor's order."""
QUOTED: Final = tuple(currency.code for currency in _TABLE if currency.quoted)
"""The currencies that prices can be asked in."""
