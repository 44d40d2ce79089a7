"""A bucket and a directory made alike: only differences travel, and nothing half replaces something whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio

from components.infrastructure.tables import BUCKETS
from operations.faults import OperationError
from operations.lake import BucketInfo, Direction, Step, Synced, buckets, sync
from operations.lake.store import PART, Digest, client_of, download, in_parallel
from tests.unit.operations.s3_server import PAGE, Server, Stored, serving

BUCKET = "silver"


@pytest.fixture
def server() -> Iterator[Server]:
    """A store with the lake's buckets."""
    with serving(*BUCKETS) as found:
        yield found


@pytest.fixture
def client(server: Server) -> Minio:
    """The operator's client of it."""
    return client_of(server.address, "secret")


def gets(server: Server) -> list[str]:
    """Which objects were read since the last call."""
    found = [asked.split()[1] for asked in server.asked if asked.startswith("GET") and "?" not in asked]
    server.asked.clear()
    return sorted(found)


def test_every_bucket_is_counted(server: Server, client: Minio) -> None:
    for number in range(3 * PAGE + 1):
        server.put("bronze", f"patient-vitals/{number:03}", b"x" * number)
    server.put("gold", "a", b"1234")
    found = {info.name: info for info in buckets(client)}
    assert list(found) == list(BUCKETS)
    assert found["bronze"] == BucketInfo("bronze", 22, sum(range(22)), True)
    assert found["gold"] == BucketInfo("gold", 1, 4, False) and found["silver"].objects == 0


def test_down_copies_what_differs_and_nothing_else(server: Server, client: Minio, tmp_path: Path) -> None:
    for number in range(20):
        server.put(BUCKET, f"labs/day={number:02}/a.parquet", f"{number}".encode())
    steps: list[Step] = []
    assert sync(client, BUCKET, tmp_path, "down", progress=steps.append) == Synced(copied=20, bytes=30)
    assert (steps[-1].done, steps[-1].bytes, len(steps)) == (20, 30, 20)
    gets(server)
    assert sync(client, BUCKET, tmp_path, "down") == Synced(alike=20)
    assert gets(server) == []
    server.put(BUCKET, "labs/day=03/a.parquet", b"9")  # the same size
    (tmp_path / "labs/day=05/a.parquet").write_bytes(b"changed")
    (tmp_path / "labs/day=07/a.parquet").unlink()
    assert sync(client, BUCKET, tmp_path, "down").copied == 3
    assert gets(server) == [f"{BUCKET}/labs/day={day}/a.parquet" for day in ("03", "05", "07")]
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")} == server.contents(BUCKET)


def test_a_download_that_breaks_off_leaves_the_old_file(server: Server, client: Minio, tmp_path: Path) -> None:
    server.put(BUCKET, "a", b"new content, longer")
    (tmp_path / "a").write_bytes(b"old")
    server.cut = lambda path: path.endswith("/a")
    with pytest.raises(OperationError, match="MinIO does not answer"):
        sync(client, BUCKET, tmp_path, "down")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}
    server.cut = lambda path: False
    sync(client, BUCKET, tmp_path, "down")
    assert (tmp_path / "a").read_bytes() == b"new content, longer"


def test_content_that_is_not_what_the_store_says_is_refused(server: Server, client: Minio, tmp_path: Path) -> None:
    server.buckets[BUCKET]["a"] = Stored(b"damaged", "0" * 32, {})
    with pytest.raises(OperationError, match=r"silver/a: what arrived is not what the store has"):
        sync(client, BUCKET, tmp_path, "down")
    assert list(tmp_path.iterdir()) == []


def test_up_copies_what_differs_and_no_unfinished_file(server: Server, client: Minio, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name, content in {"x/a": b"1", "x/b": b"2", "x/.partial-c": b"half", "d": b"4"}.items():
        (tmp_path / name).write_bytes(content)
    os.symlink("/etc/hostname", tmp_path / "link")
    server.put(BUCKET, "x/b", b"2")
    server.put(BUCKET, "elsewhere", b"stays")
    assert sync(client, BUCKET, tmp_path, "up") == Synced(copied=2, bytes=2, alike=1)
    assert server.contents(BUCKET) == {"x/a": b"1", "x/b": b"2", "d": b"4", "elsewhere": b"stays"}


@pytest.mark.parametrize("direction", ["down", "up"])
def test_the_other_side_keeps_its_own_unless_told(server: Server, client: Minio, tmp_path: Path, direction: str) -> None:
    server.put(BUCKET, "p/there", b"1")
    server.put(BUCKET, "q/there", b"1")
    (tmp_path / "p").mkdir()
    (tmp_path / "p/here").write_bytes(b"2")
    assert sync(client, BUCKET, tmp_path, direction, prefix="p/").removed == 0  # type: ignore[arg-type]
    assert "p/there" in server.contents(BUCKET) and (tmp_path / "p/here").exists()
    for path in tmp_path.rglob("there"):
        path.unlink()
    server.buckets[BUCKET].pop("p/here", None)
    assert sync(client, BUCKET, tmp_path, direction, prefix="p/", delete=True).removed == 1  # type: ignore[arg-type]
    assert "q/there" in server.contents(BUCKET), "what is outside of the prefix is nobody's business"
    assert ("p/there" in server.contents(BUCKET), (tmp_path / "p/here").exists()) == ((True, False) if direction == "down"
                                                                                   else (False, True))


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/etc/x", "a//b", "./a", "a/.partial-b"])
def test_a_key_never_leaves_the_directory(server: Server, client: Minio, tmp_path: Path, key: str) -> None:
    server.put(BUCKET, key, b"x")
    with pytest.raises(OperationError, match="cannot be the name of a file"):
        sync(client, BUCKET, tmp_path / "in", "down")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_marks_of_folders_are_no_files(server: Server, client: Minio, tmp_path: Path) -> None:
    server.put(BUCKET, "labs/", b"")
    server.put(BUCKET, "labs/a", b"1")
    assert sync(client, BUCKET, tmp_path, "down").copied == 1
    assert sync(client, BUCKET, tmp_path, "up", delete=True) == Synced(alike=1)
    assert set(server.contents(BUCKET)) == {"labs/", "labs/a"}


def test_an_object_of_many_parts_is_known_again(server: Server, client: Minio, tmp_path: Path) -> None:
    """Its ETag is none of its content alone; the sizes that clients use for parts are tried."""
    content = bytes(range(256)) * (70 * 1024 * 1024 // 256 // 10)  # 7 MiB
    digest = Digest(part=5 * 1024 * 1024)
    digest.update(content)
    server.buckets[BUCKET]["big"] = Stored(content, digest.parts_etag, {})
    assert digest.parts_etag.endswith("-2")
    assert sync(client, BUCKET, tmp_path, "down").copied == 1
    assert sync(client, BUCKET, tmp_path, "down") == Synced(alike=1)
    (tmp_path / "big").write_bytes(content[:-1] + b"!")
    assert sync(client, BUCKET, tmp_path, "down").copied == 1


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART])
def test_the_etag_is_known_before_the_upload(server: Server, client: Minio, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    sync(client, BUCKET, tmp_path, "up")
    digest = download(client, BUCKET, "file", tmp_path / "back").digest
    assert (digest.size, digest.etag) == (size, server.buckets[BUCKET]["file"].etag)


@pytest.mark.parametrize("code, words", [("AccessDenied", "rights again"), ("NoSuchBucket", "makes the buckets"),
                                         ("XMinioStorageFull", "free disk space")])
def test_an_error_of_the_store_says_what_to_do(server: Server, client: Minio, tmp_path: Path, code: str, words: str) -> None:
    server.fail = lambda method, path: (403, code)
    with pytest.raises(OperationError, match=f"the sync of silver failed: .*{code}.*{words}"):
        sync(client, BUCKET, tmp_path, "down")


def test_a_store_that_is_away_and_a_directory_that_is_none(client: Minio, tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="is no directory"):
        sync(client, BUCKET, tmp_path / "none", "up")
    with serving() as gone:
        away = client_of(gone.address, "secret")
    with pytest.raises(OperationError, match=r"MinIO does not answer .*infrastructure start"):
        sync(away, BUCKET, tmp_path, "down")


def test_work_side_by_side_keeps_its_order_and_takes_no_more_than_it_can_do() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = in_parallel(lambda number: number * 2, numbers())
    assert next(results) == 0 and len(taken) < 20
    assert list(results) == [number * 2 for number in range(1, 1000)]
    failing = in_parallel(lambda number: 1 // (5 - number), range(1000))
    with pytest.raises(ZeroDivisionError):
        list(failing)


@pytest.mark.parametrize("direction", ["down", "up"])
def test_a_dry_run_says_what_would_be_done_and_does_nothing(server: Server, client: Minio, tmp_path: Path,
                                                            direction: Direction) -> None:
    """In both directions: copies, what is alike, and what would go, as they come to be without it."""
    for name, body in (("alike", b"1"), ("other", b"22"), ("there", b"333")):
        server.put(BUCKET, name, body)
    for name, body in (("alike", b"1"), ("other", b"23"), ("here", b"4444")):
        (tmp_path / name).write_bytes(body)
    there, here = server.contents(BUCKET), {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    planned = sync(client, BUCKET, tmp_path, direction, delete=True, dry_run=True)
    assert (planned.copied, planned.alike, planned.removed) == (2, 1, 1)
    assert server.contents(BUCKET) == there and {path.name: path.read_bytes() for path in tmp_path.iterdir()} == here
    assert sync(client, BUCKET, tmp_path, direction, delete=True) == planned


def test_a_dry_run_makes_no_directory(server: Server, client: Minio, tmp_path: Path) -> None:
    """Not even the one that it would fill."""
    server.put(BUCKET, "one", b"1")
    assert sync(client, BUCKET, tmp_path / "new", "down", dry_run=True) == Synced(copied=1, bytes=1)
    assert not (tmp_path / "new").exists()
