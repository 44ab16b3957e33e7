"""The unit tests of the models: worked examples of each formula. No build repeats them."""

import json
from collections.abc import Callable

from checkout import Checkout
from worlds import MONTHS_END, World


def test_every_worked_example_holds(filled: Callable[[World], Checkout]) -> None:
    checkout = filled(MONTHS_END)
    checkout.run("meltano", "invoke", "dbt-postgres:unit-test")
    manifest, ran = (
        json.loads((checkout.root / f"transform/target/{name}.json").read_text())
        for name in ("manifest", "run_results")
    )
    assert len(manifest["unit_tests"]) > 50
    passed = {result["unique_id"] for result in ran["results"] if result["status"] == "pass"}
    assert manifest["unit_tests"].keys() <= passed
