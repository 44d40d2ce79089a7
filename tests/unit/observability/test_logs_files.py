"""Docker's log files are read once and wholly, however they are rotated, removed or torn."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from applications.observability.shipper.files import CHUNK, SPLIT, ContainerLog, Position
from tests.unit.observability.logs_world import STACK, DockerLog

PIECE = "x" * SPLIT


def texts(log: ContainerLog) -> list[str]:
    """All that can be read now."""
    found: list[str] = []
    while True:
        read = log.read()
        log.position = read.position
        found += [entry.text.rstrip("\n") for entry in read.entries]
        if not read.more:
            return found


@pytest.fixture
def docker(tmp_path: Path) -> DockerLog:
    """A container of this stack."""
    return DockerLog(tmp_path)


@pytest.fixture
def log(docker: DockerLog) -> ContainerLog:
    """Its log, not read yet."""
    return ContainerLog(docker.folder, STACK)


def test_lines_come_once_and_in_order(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n", "b\n")
    assert texts(log) == ["a", "b"]
    assert texts(log) == []
    docker.write("c\n")
    assert texts(log) == ["c"]


def test_a_line_has_its_origin_time_and_stream(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n", stream="stderr")
    [entry] = log.read().entries
    assert (entry.origin.stack, entry.origin.layer, entry.origin.service) == (STACK, "ingestion", "gateway")
    assert entry.origin.container == docker.name
    assert (entry.stream, entry.time) == ("stderr", "2026-11-26T10:00:00.000000001Z")


def test_reading_goes_on_where_it_stopped_after_a_restart(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n")
    texts(log)
    docker.write("b\n")
    assert texts(ContainerLog(docker.folder, STACK, log.position)) == ["b"]


def test_a_line_that_is_read_again_has_the_same_place(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n", "b\n")
    first = [entry.place for entry in log.read().entries]
    docker.rotate()
    docker.write("c\n")
    again = [entry.place for entry in ContainerLog(docker.folder, STACK).read().entries]
    assert again[:2] == first and len(set(again)) == 3


@pytest.mark.parametrize("restarted", [True, False])
def test_rotated_files_are_read_to_their_end_first(docker: DockerLog, log: ContainerLog, restarted: bool) -> None:
    docker.write("a\n")
    assert texts(log) == ["a"]
    docker.write("b\n")
    docker.rotate()
    docker.write("c\n")
    docker.rotate()
    docker.write("d\n")
    later = ContainerLog(docker.folder, STACK, log.position) if restarted else log
    assert texts(later) == ["b", "c", "d"]


def test_a_file_that_was_just_rotated_and_has_no_line_yet_stops_nothing(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n")
    docker.rotate()
    assert texts(log) == ["a"]
    docker.write("b\n")
    assert texts(log) == ["b"]


def test_files_that_went_unread_are_a_gap(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n")
    texts(log)
    for text in "bcd":
        docker.rotate()
        docker.write(f"{text}\n")
    read = log.read()
    assert read.gap and [entry.text for entry in read.entries] == ["b\n", "c\n", "d\n"]
    log.position = read.position
    docker.write("e\n")
    assert not log.read().gap


def test_the_last_lines_of_a_removed_container_are_read(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n")
    texts(log)
    docker.write("last\n")
    shutil.rmtree(docker.folder)
    assert texts(log) == ["last"]


def test_a_line_that_is_only_half_written_is_waited_for(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n", "b\n")
    whole = docker.current.read_bytes()
    docker.current.write_bytes(whole[:-10])
    assert texts(log) == ["a"]
    docker.current.write_bytes(whole)
    assert texts(log) == ["b"]


def test_a_line_that_a_crash_tore_is_kept_as_text(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n")
    with docker.current.open("a") as target:
        target.write('{"log":"torn {"log":"next\\n"}\n')
    docker.write("b\n")
    found = log.read().entries
    assert [entry.text.strip() for entry in found] == ["a", '{"log":"torn {"log":"next\\n"}', "b"]
    assert found[1].time == found[0].time


@pytest.mark.parametrize("labels", [{}, {"clinical.stack": STACK}, {
    "clinical.stack": "other", "clinical.layer": "ingestion", "clinical.service": "gateway"}])
def test_containers_of_others_are_not_read(tmp_path: Path, labels: dict[str, str]) -> None:
    docker = DockerLog(tmp_path, labels=labels)
    docker.write("a\n")
    log = ContainerLog(docker.folder, STACK)
    assert texts(log) == [] and log.position is None


# Docker writes a long line as several entries, of which only the last ends with a newline.
def test_cut_lines_are_put_together(docker: DockerLog, log: ContainerLog) -> None:
    docker.write(PIECE, PIECE, "end\n", "next\n")
    assert texts(log) == [PIECE * 2 + "end", "next"]


def test_cut_lines_are_waited_for_over_a_restart(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("a\n", PIECE)
    assert texts(log) == ["a"]
    docker.write("end\n")
    assert texts(ContainerLog(docker.folder, STACK, log.position)) == [PIECE + "end"]


def test_cut_lines_do_not_mix_with_the_other_stream(docker: DockerLog, log: ContainerLog) -> None:
    docker.write(PIECE)
    docker.write("error\n", stream="stderr")
    docker.write("end\n")
    assert sorted(texts(log)) == ["error", PIECE + "end"]


def test_cut_lines_end_with_their_file_and_with_their_limit(docker: DockerLog, log: ContainerLog) -> None:
    docker.write(*[PIECE] * 20)
    docker.rotate()
    docker.write("next\n")
    found = texts(log)
    assert "".join(found) == PIECE * 20 + "next" and found[-1] == "next"
    assert all(len(text) <= 8 * SPLIT for text in found)


def test_cut_lines_hold_nothing_up_for_ever(docker: DockerLog, log: ContainerLog) -> None:
    docker.write(PIECE)
    flood = [f"{number} {'y' * 100}\n" for number in range(2 * CHUNK // 100)]
    docker.write(*flood, stream="stderr")
    assert set(texts(log)) >= {text.rstrip("\n") for text in flood}


def test_cut_lines_a_last_line_without_newline_is_a_line(docker: DockerLog, log: ContainerLog) -> None:
    docker.write("no newline")
    assert texts(log) == ["no newline"]


def test_a_long_log_comes_in_pieces_with_every_line_once(docker: DockerLog, log: ContainerLog) -> None:
    expected = [f"line {number} {'z' * 200}" for number in range(3 * CHUNK // 200)]
    docker.write(*(f"{text}\n" for text in expected))
    assert log.read().more
    assert texts(log) == expected


def test_an_unknown_position_begins_with_the_oldest_file(docker: DockerLog) -> None:
    docker.write("a\n")
    docker.rotate()
    docker.write("b\n")
    assert texts(ContainerLog(docker.folder, STACK, Position("of-another-time", 7))) == ["a", "b"]
