"""CoinGecko's API v3: the price series and the routes that serve them."""
