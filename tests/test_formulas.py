"""The unit tests of the models: worked examples of each formula. No build repeats them."""

import json
import re
from collections.abc import Callable

from checkout import Checkout
from worlds import MONTHS_END, World


def test_every_worked_example_holds(filled: Callable[[World], Checkout]) -> None:
    checkout = filled(MONTHS_END)
    done = checkout.run("meltano", "invoke", "dbt-postgres:unit-test")
    manifest = json.loads((checkout.root / "transform/target/manifest.json").read_text())
    assert len(manifest["unit_tests"]) > 50
    (passed,) = re.findall(r"Done\. PASS=(\d+) WARN=0 ERROR=0 SKIP=0 ", done.stdout)
    assert int(passed) == len(manifest["unit_tests"])
