"""Secrets: made once, private, and the environment's where it gives them."""

import fcntl
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_ext.errors import AirflowExtError
from airflow_ext.secrets import admin_password, ensure_secrets, held, read_secrets, write_private
from airflow_ext.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path)})


def test_they_are_made_once_and_nobody_else_reads_them(settings: Settings) -> None:
    assert ensure_secrets(settings, {})
    first = read_secrets(settings, {})
    assert not ensure_secrets(settings, {})
    assert read_secrets(settings, {}) == first
    assert stat.S_IMODE(settings.secrets_file.stat().st_mode) == 0o600
    Fernet(first["fernet_key"])
    assert len(set(first.values())) == 3


def test_the_environment_wins_and_needs_no_file(settings: Settings) -> None:
    stated = {"AIRFLOW_EXT_FERNET_KEY": "f", "AIRFLOW_EXT_JWT_SECRET": "j", "AIRFLOW_EXT_API_SECRET_KEY": "a"}
    assert not ensure_secrets(settings, stated)
    assert not settings.secrets_file.exists()
    assert read_secrets(settings, stated) == {"fernet_key": "f", "jwt_secret": "j", "api_secret_key": "a"}
    ensure_secrets(settings, {})
    assert read_secrets(settings, {"AIRFLOW_EXT_JWT_SECRET": "j"})["jwt_secret"] == "j"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"fernet_key": '])
def test_a_broken_file_is_named(settings: Settings, text: str) -> None:
    settings.secrets_file.parent.mkdir(parents=True)
    settings.secrets_file.write_text(text)
    with pytest.raises(AirflowExtError, match=r"secrets\.json cannot be read"):
        read_secrets(settings, {})


def test_before_initialize_it_says_so(settings: Settings) -> None:
    with pytest.raises(AirflowExtError, match="airflow:initialize"):
        read_secrets(settings, {})


def test_the_password_is_made_once_unless_it_is_a_setting(settings: Settings) -> None:
    made = admin_password(settings, {})
    assert admin_password(settings, {}) == made
    assert len(made) > 20
    assert stat.S_IMODE(settings.password_file.stat().st_mode) == 0o600
    assert admin_password(settings, {"AIRFLOW_EXT_ADMIN_PASSWORD": "mine"}) == "mine"


def test_what_the_environment_gives_is_kept_in_the_file_too(settings: Settings) -> None:
    stated = {"AIRFLOW_EXT_JWT_SECRET": "j", "AIRFLOW_EXT_API_SECRET_KEY": ""}
    assert ensure_secrets(settings, stated)
    found = read_secrets(settings, {})
    assert found["jwt_secret"] == "j"
    assert len(found["api_secret_key"]) > 20
    assert read_secrets(settings, stated) == found


def test_a_private_file_is_whole_and_its_folders_too(tmp_path: Path) -> None:
    path = tmp_path / "a/b"
    write_private(path, "long text")
    path.chmod(0o644)
    write_private(path, "short")
    assert path.read_text() == "short"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "up/initialize.lock"
    with held(path), path.open("r+") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
