"""Singer tap for Blockchair's database dumps and API."""
