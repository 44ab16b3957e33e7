"""Singer tap for the CoinGecko API v3."""
