"""The servers of the chains that a serving database unites, as `.env` names them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warehouse.errors import WarehouseError
from warehouse.server import Login, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

READER = "bi_reader"
CHAINS = "WAREHOUSE_CHAINS"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class ChainServer:
    """A chain's warehouse, as the serving database and this program reach it.

    Attributes:
        chain: Blockchair's name of the chain, as in the column `chain`.
        server: Where it is; only its reader can log in.
        root_certificate: File, on the serving server's machine, of the certificates that it trusts; empty for libpq's.
        variables: What of `.env` says so, for messages.
    """

    chain: str
    server: Server = field(repr=False)
    root_certificate: str = ""
    variables: str = ""

    @property
    def name(self) -> str:
        """The name of its foreign server in the serving database, and of the schema of its foreign tables."""
        return f"chain_{self.chain.replace('-', '_')}"

    @property
    def address(self) -> str:
        """Where it is, for messages."""
        return f"{self.server.database} at {self.server.host}:{self.server.port}"


def read_chains(variables: Mapping[str, str]) -> list[ChainServer]:
    """The servers that `WAREHOUSE_CHAINS` names, the one that serves prices first.

    Raises:
        WarehouseError: Nothing is named, or something of a chain is missing or impossible; the text names the variable.
    """
    names = [name.strip() for name in variables.get(CHAINS, "").split(",") if name.strip()]
    if not names:
        raise WarehouseError(
            f"Set {CHAINS} in .env to the chains that have a warehouse each, such as bitcoin,ethereum,dogecoin, and "
            "WAREHOUSE_BITCOIN_HOST and so on to where they are (docs/concepts/beyond-one-machine.md)."
        )
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            raise WarehouseError(f"{CHAINS} holds {name!r}: it needs Blockchair's names of chains, each once.")
    return [_read_chain(variables, name) for name in names]


def _read_chain(variables: Mapping[str, str], chain: str) -> ChainServer:
    prefix = f"WAREHOUSE_{chain.replace('-', '_').upper()}_"

    def said(name: str, default: str = "") -> str:
        return variables.get(prefix + name) or default

    host = said("HOST")
    password = said("BI_READER_PASSWORD") or variables.get("WAREHOUSE_BI_READER_PASSWORD", "")
    needed = {f"{prefix}HOST": host, f"{prefix}BI_READER_PASSWORD": password}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise WarehouseError(f"Set {' and '.join(missing)} in .env: {CHAINS} names {chain}.")
    port = said("PORT", "5432")
    if not (port.isdecimal() and 0 < int(port) < 2**16):
        raise WarehouseError(f"{prefix}PORT is {port!r}, which is no TCP port; set a number from 1 to 65535.")
    sslmode = said("SSLMODE", variables.get("WAREHOUSE_SSLMODE") or "prefer")
    if sslmode not in _SSLMODES:
        raise WarehouseError(f"{prefix}SSLMODE is {sslmode!r}; set one of {', '.join(_SSLMODES)}.")
    login = Login(said("USER", READER), password)
    server = Server(chain, host, int(port), said("DB", "crypto"), sslmode, {READER: login})
    return ChainServer(chain, server, said("SSLROOTCERT"), f"{prefix}HOST, _PORT, _DB and _BI_READER_PASSWORD")
