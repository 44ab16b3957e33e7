"""The folder of dump files: which names count, and that nothing but the very bytes does."""

import hashlib
from datetime import date
from pathlib import Path

from warehouse.archive import Archive, File, published

NAME = "blockchair_bitcoin_outputs_20240131.tsv.gz"


def file_of(content: bytes) -> File:
    return File(date(2024, 1, 31), NAME, hashlib.sha256(content).hexdigest(), 3)


def test_a_name_may_have_the_first_digits_of_its_digest() -> None:
    assert published("blockchair_bitcoin_outputs_20240131.0123456789ab.tsv.gz") == NAME
    assert published(NAME) == NAME


def test_of_many_files_of_a_name_the_one_with_the_bytes_is_found(tmp_path: Path) -> None:
    places = [
        tmp_path / NAME,
        tmp_path / "bitcoin" / "outputs" / NAME,
        tmp_path / NAME.replace(".", ".0123456789ab.", 1),
    ]
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"%d" % number)
    archive = Archive(tmp_path)
    assert [archive.find(file_of(b"%d" % number)) for number in range(3)] == places
    assert archive.fault(file_of(b"1")) is None


def test_a_fault_says_whether_a_file_is_gone_or_another(tmp_path: Path) -> None:
    assert Archive(tmp_path).fault(file_of(b"1")) == f"{NAME} is not in {tmp_path}"
    (tmp_path / NAME).write_bytes(b"2")
    wanted = file_of(b"1")
    words = f"{tmp_path / NAME} is another file than the one that was loaded (sha256 {wanted.sha256[:12]}...)"
    assert Archive(tmp_path).fault(wanted) == words
