"""Nothing leaves the machine: every process of a run is watched, and only loopback may be connected to."""

import re
import shutil
from pathlib import Path

import pytest

from checkout import Checkout

CALLS = "connect,sendto,sendmsg,sendmmsg"
# Of a call's arguments only an Internet address matters; sockets of the machine itself have none.
ADDRESS = re.compile(r'(?:inet_addr\("(?P<v4>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<v6>[^"]+)")')


def outside_addresses(trace: str) -> list[str]:
    """Addresses in a system call trace that are not this machine's loopback."""
    found = []
    for match in ADDRESS.finditer(trace):
        address = match["v4"] or match["v6"]
        if not address.startswith(("127.", "::ffff:127.")) and address != "::1":
            found.append(address)
    return found


def test_the_watch_would_see_a_connection() -> None:
    trace = (
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.7")}, 16) = -1\n'
        '7 sendto(3, "..", 2, 0, {sa_family=AF_INET6, sin6_port=htons(53), inet_pton(AF_INET6, "2001:db8::1", '
        "&sin6_addr)}, 28) = 2\n"
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(5432), sin_addr=inet_addr("127.0.0.1")}, 16) = 0\n'
    )
    assert outside_addresses(trace) == ["192.0.2.7", "2001:db8::1"]


@pytest.mark.long(part="other-projects")
def test_nothing_leaves_the_machine(checkout: Checkout, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.fail("strace is missing; install it (Debian: apt-get install strace), this test cannot do without")
    trace = tmp_path / "trace"
    # Stopping at the end lets the trace end: it covers the two servers too.
    checkout.run(
        *("strace", "-f", "-qq", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(trace)),
        *("sh", "-c", "crypto-elt run && meltano schedule list && crypto-elt stop"),
    )
    said = trace.read_text(errors="replace")
    assert said.count("127.0.0.1") > 10, "the trace saw no connection at all"
    assert outside_addresses(said) == []
