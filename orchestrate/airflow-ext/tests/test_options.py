"""The options of a schedule: each is read, defaulted, and refused with the words that a person needs."""

from datetime import date, timedelta
from typing import Any

import pytest

from airflow_ext.errors import AirflowExtError
from airflow_ext.options import Options, plugin_pool, read_options

RIGHT: list[tuple[str, Any, Any]] = [
    ("retries", 0, 0),
    ("retries", 7, 7),
    ("retry_delay", 90, timedelta(seconds=90)),
    ("retry_delay", 0.5, timedelta(seconds=0.5)),
    ("retry_delay", "90s", timedelta(seconds=90)),
    ("retry_delay", " 5m ", timedelta(minutes=5)),
    ("retry_delay", "2h", timedelta(hours=2)),
    ("retry_delay", "1d", timedelta(days=1)),
    ("timeout", None, None),
    ("timeout", "2h", timedelta(hours=2)),
    ("pool", "api", "api"),
    ("timezone", "Europe/Zurich", "Europe/Zurich"),
    ("start_date", "2025-03-01", date(2025, 3, 1)),
    ("start_date", date(2025, 3, 1), date(2025, 3, 1)),
    ("catchup", True, True),
    ("follow", ["raw_data", "marts"], ("raw_data", "marts")),
    ("tags", [], ()),
    ("owner", "me", "me"),
]
WRONG: list[tuple[str, Any, str]] = [
    *(("retries", value, "a whole number from 0") for value in (-1, True, 1.5, "1", None)),
    *(
        ("retry_delay", value, "seconds, or a text such as 90s, 5m, 2h, 1d")
        for value in (0, -1, True, "0s", "5", "5w", "m5", "5m5", "", None, [])
    ),
    *(("timeout", value, "seconds, or a text") for value in (0, "0h", "soon", True)),
    *(("pool", value, "a text") for value in ("", "  ", 1, None)),
    *(("owner", value, "a text") for value in ("", None)),
    *(("timezone", value, "the name of a time zone") for value in ("Mars/Olympus", "", "../x", "/etc/passwd", 1)),
    *(("start_date", value, "a day such as 2024-01-31") for value in ("soon", "2025-13-01", None)),
    *(("catchup", value, "true or false") for value in ("true", 1, 0, None)),
    *((name, value, "a list of texts") for name in ("follow", "tags") for value in ("raw", [""], [1], ["x", 1], None)),
]


@pytest.mark.parametrize(("name", "stated", "read"), RIGHT)
def test_an_option_is_read(name: str, stated: object, read: object) -> None:
    assert getattr(read_options({name: stated}), name) == read


@pytest.mark.parametrize(("name", "stated", "said"), WRONG)
def test_an_option_of_no_use_is_refused(name: str, stated: object, said: str) -> None:
    with pytest.raises(AirflowExtError) as error:
        read_options({name: stated})
    assert str(error.value).startswith(f"annotations.airflow.{name} is {stated!r}; it has to be {said}")


def test_what_counts_where_nothing_is_said() -> None:
    found = read_options()
    assert found == Options()
    assert (found.retries, found.retry_delay, found.timeout) == (2, timedelta(minutes=1), timedelta(hours=6))
    assert (found.pool, found.timezone, found.catchup, found.owner) == (None, "UTC", False, "meltano")
    assert (found.follow, found.tags) == ((), ())
    assert found.start.isoformat() == "2024-01-01T00:00:00+00:00"


def test_a_later_mapping_wins_and_the_rest_stays() -> None:
    found = read_options({"retries": 5, "owner": "a"}, {"retries": 1}, {"tags": ["x"]})
    assert (found.retries, found.owner, found.tags) == (1, "a", ("x",))
    assert read_options({"start_date": "2025-07-09", "timezone": "Europe/Zurich"}).start.isoformat() == (
        "2025-07-09T00:00:00+02:00"
    )


def test_an_unknown_option_is_reported_with_those_that_are_known() -> None:
    with pytest.raises(AirflowExtError, match=r"unknown option retry; known are catchup, follow, .*timezone\.$"):
        read_options({"retry": 1})
    with pytest.raises(AirflowExtError, match=r"annotations\.airflow is 'fast'; it has to be an object"):
        read_options({"": "fast"})


def test_a_plugin_has_a_pool_and_nothing_else() -> None:
    assert plugin_pool({}, "tap-a") is None
    assert plugin_pool({"pool": "api"}, "tap-a") == "api"
    with pytest.raises(AirflowExtError, match=r"annotations\.airflow of tap-a may hold pool only"):
        plugin_pool({"pool": "api", "retries": 1}, "tap-a")
    with pytest.raises(AirflowExtError, match=r"annotations\.airflow\.pool is ''"):
        plugin_pool({"pool": ""}, "tap-a")
