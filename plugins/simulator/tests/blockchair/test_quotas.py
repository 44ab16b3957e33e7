"""Points and requests: what is counted, when it is too much, and what the clock has to do with it."""

from datetime import timedelta
from typing import Any

import pytest

STATS = "bitcoin/stats"  # one point
BLOCKS = "bitcoin/blocks?limit=100"  # 3.8 points


@pytest.fixture
def limited(serve: Any) -> Any:
    """Makes a small world with quotas."""

    def make(**settings: Any) -> Any:
        return serve(days=1, blocks_per_day=2, chains=("bitcoin",), **settings)

    return make


def codes(world: Any, path: str, count: int) -> list[int]:
    return [world.get(f"/blockchair/{path}").status_code for _ in range(count)]


def test_no_limits_unless_asked_for(limited: Any) -> None:
    assert set(codes(limited(), STATS, 200)) == {200}


def test_points_of_a_day(limited: Any) -> None:
    world = limited(points_per_day=10)
    assert codes(world, BLOCKS, 3) == [200, 200, 402]  # 7.6 are spent, 3.8 more would be too many
    assert codes(world, STATS, 3) == [200, 200, 402]  # 9.6
    refused = world.api(STATS, 402)
    assert refused["data"] is None
    assert "today" in refused["context"]["error"]
    world.clock.advance(timedelta(hours=17, minutes=59, seconds=59))  # 23:59:59
    assert codes(world, STATS, 1) == [402]
    world.clock.advance(timedelta(seconds=1))
    assert codes(world, STATS, 10) == [200] * 10


def test_errors_cost_a_point_too(limited: Any) -> None:
    world = limited(points_per_day=2)
    assert codes(world, "bitcoin/none", 1) == [404]
    assert codes(world, "bitcoin/blocks?limit=0", 2) == [400, 402]


def test_requests_of_a_minute(limited: Any) -> None:
    world = limited(requests_per_minute=3)
    assert codes(world, STATS, 4) == [200, 200, 200, 402]
    world.clock.advance(timedelta(seconds=59))
    assert codes(world, STATS, 1) == [402]
    world.clock.advance(timedelta(seconds=1))
    assert codes(world, STATS, 3) == [200, 200, 200]


def test_who_does_not_listen_is_banned_for_an_hour(limited: Any) -> None:
    world = limited(requests_per_minute=1)
    assert codes(world, STATS, 8) == [200, 402, 402, 402, 402, 402, 429, 429]
    world.clock.advance(timedelta(minutes=59, seconds=59))
    assert codes(world, STATS, 1) == [429]
    assert codes(world, f"{STATS}?key=any", 2) == [200, 200]  # a key cannot be banned
    world.clock.advance(timedelta(seconds=1))
    assert codes(world, STATS, 2) == [200, 402]


def test_refusals_far_apart_ban_nobody(limited: Any) -> None:
    world = limited(requests_per_minute=1)
    for _ in range(4):
        assert codes(world, STATS, 3) == [200, 402, 402]
        world.clock.advance(timedelta(minutes=61))


def test_keys_have_quotas_of_their_own(limited: Any) -> None:
    world = limited(points_per_day=1, requests_per_minute=1, api_keys=("rich", "poor:2"))
    assert codes(world, f"{STATS}?key=rich", 50) == [200] * 50
    assert codes(world, f"{STATS}?key=poor", 20) == [200, 200, *[402] * 18]
    assert codes(world, STATS, 2) == [200, 402]
    assert "unknown" in world.api(f"{STATS}?key=other", 402)["context"]["error"]


def test_a_plan_states_what_is_used(limited: Any) -> None:
    world = limited(api_keys=("poor:20",))
    world.api(f"{BLOCKS}&key=poor")
    for _ in range(2):
        answer = world.api("premium/stats?key=poor")
        assert answer["context"]["request_cost"] == 0
        assert answer["data"]["max_requests_per_day"] == 20
        assert float(answer["data"]["requests_today"]) == 3.8
    assert world.api("premium/stats", 402)["data"] is None
    assert world.api("premium/stats?key=other", 402)["data"] is None
