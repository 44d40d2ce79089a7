"""From the containers' logs to the log store: nothing lost, nothing twice, whatever is killed or away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from applications.observability.shipper import reading, service
from applications.observability.shipper.reading import Reader
from applications.observability.shipper.sending import PAUSES, Sender
from applications.observability.shipper.spool import Spool
from tests.unit.observability.logs_world import STACK, DockerLog, Store

LIMIT = 1_000_000


Shipper = Callable[[], tuple[Reader, Spool]]


class Killed(Exception):
    """What a test raises where the process is killed."""


@pytest.fixture
def docker(tmp_path: Path) -> DockerLog:
    """A container of this stack, in a folder of containers."""
    (tmp_path / "containers").mkdir()
    return DockerLog(tmp_path / "containers")


@pytest.fixture
def shipper(tmp_path: Path, docker: DockerLog) -> Shipper:
    """A new process on the same state."""

    def made() -> tuple[Reader, Spool]:
        spool = Spool(tmp_path / "queue", LIMIT)
        return Reader(docker.containers, tmp_path / "positions.json", STACK, spool), spool

    return made


def send(spool: Spool, store: Store, tries: int = 50) -> list[float]:
    """Sends until the spool is empty, or so many pauses; the pauses between tries."""
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        if seconds:
            pauses.append(seconds)
        return not spool.size or len(pauses) >= tries

    Sender(spool, store.url, STACK, wait).run()
    return pauses


def read(reader: Reader) -> None:
    """Reads all that is there."""
    while reader.step():
        pass


def test_lines_arrive_in_order_with_their_template_first(shipper: Shipper, docker: DockerLog, store: Store) -> None:
    reader, spool = shipper()
    docker.write(*(f"line {number}\n" for number in range(5_000)))
    read(reader)
    assert send(spool, store) == []
    assert store.messages == [f"line {number}" for number in range(5_000)]
    assert [path for path, _ in store.templates] == [f"/_index_template/logs-{STACK}"]
    assert {place for place, _ in store.documents} == {f"logs-{STACK}-2026.11.26"}


def test_a_store_that_is_away_costs_no_line_and_few_questions(shipper: Shipper, docker: DockerLog, store: Store) -> None:
    reader, spool = shipper()
    docker.write("before\n")
    read(reader)
    store.status = 503
    assert send(spool, store, tries=6) == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    for number in range(10):
        docker.write(f"while away {number}\n")
        read(reader)
    store.status = 200
    assert send(spool, store) == []
    assert store.messages == ["before", *(f"while away {number}" for number in range(10))]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_lines_that_are_refused_for_now_come_again(shipper: Shipper, docker: DockerLog, store: Store,
                                                  status: int) -> None:
    """A full disk blocks the writing of single lines; what was taken of the same batch is not doubled."""
    reader, spool = shipper()
    docker.write("a\n", "full\n", "b\n")
    read(reader)
    store.refused = {"full": status}
    assert len(send(spool, store, tries=2)) == 2
    store.refused = {}
    send(spool, store)
    assert sorted(store.messages) == ["a", "b", "full"]


def test_a_line_that_will_never_be_taken_holds_no_other_up(shipper: Shipper, docker: DockerLog, store: Store) -> None:
    reader, spool = shipper()
    docker.write("a\n", "wrong\n", "b\n")
    read(reader)
    store.refused = {"wrong": 400}
    assert send(spool, store) == []
    assert store.messages == ["a", "b"]


def test_a_kill_between_the_queue_and_the_position_doubles_nothing(shipper: Shipper, docker: DockerLog, store: Store,
    monkeypatch: pytest.MonkeyPatch) -> None:
    docker.write("a\n", "b\n")
    reader, spool = shipper()

    def killed(path: Path, content: bytes) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(reading, "write_durably", killed)
        read(reader)
    assert spool.size
    docker.write("c\n")
    reader, spool = shipper()
    read(reader)
    send(spool, store)
    assert store.messages == ["a", "b", "c"]


def test_a_kill_while_the_queue_is_written_loses_nothing(shipper: Shipper, docker: DockerLog, store: Store,
                                                        tmp_path: Path) -> None:
    docker.write("a\n")
    shipper()
    (tmp_path / "queue" / "000000000001.half").write_text('{"cre')
    reader, spool = shipper()
    read(reader)
    send(spool, store)
    assert store.messages == ["a"]


def test_what_waits_is_sent_after_a_restart_and_read_once(shipper: Shipper, docker: DockerLog, store: Store) -> None:
    docker.write("a\n")
    read(shipper()[0])
    docker.write("b\n")
    reader, spool = shipper()
    read(reader)
    send(spool, store)
    assert store.messages == ["a", "b"]
    size = spool.size
    read(shipper()[0])
    assert spool.size == size == 0


def test_a_full_queue_pauses_reading_and_loses_nothing(tmp_path: Path, docker: DockerLog, store: Store) -> None:
    spool = Spool(tmp_path / "queue", 1)
    reader = Reader(docker.containers, tmp_path / "positions.json", STACK, spool)
    docker.write("a\n")
    reader.step()
    docker.write("b\n")
    assert not reader.step() and spool.full
    send(spool, store)
    reader.step()
    send(spool, store)
    assert store.messages == ["a", "b"]


def test_containers_come_and_go(shipper: Shipper, docker: DockerLog, store: Store, tmp_path: Path) -> None:
    reader, spool = shipper()
    docker.write("a\n")
    other = DockerLog(docker.containers, name="d" * 64)
    other.write("of the other\n")
    read(reader)
    for path in (*other.folder.iterdir(), other.folder):
        path.unlink() if path.is_file() else path.rmdir()
    read(reader)
    send(spool, store)
    assert store.messages == ["a", "of the other"]
    assert "d" * 64 not in (tmp_path / "positions.json").read_text()


def test_health_is_that_of_reading_sending_and_the_queue(shipper: Shipper, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    reader, spool = shipper()
    asleep = threading.Event()
    sender = threading.Thread(target=asleep.wait)
    sender.start()
    found = service.checks(reader, sender, spool)
    assert {name: check() for name, check in found.items()} == {"reading": None, "sending": None, "queue": None}
    asleep.set()
    sender.join()
    assert found["sending"]() is not None
    spool.put(b"x" * LIMIT)
    assert found["queue"]() is not None
    monkeypatch.setattr(reader, "last_step", reader.last_step - service.STUCK_SECONDS)
    assert found["reading"]() is not None
