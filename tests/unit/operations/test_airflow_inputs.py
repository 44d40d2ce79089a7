"""What airflow-init reads before it touches a database: wrong files are named, with every fault and without a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from applications.orchestration.init.errors import InitError
from applications.orchestration.init.inputs import extra_text, read

GOOD: dict[str, Any] = {"lake": {"conn_type": "generic", "host": "minio", "port": 9000, "schema": "http", "password": "canary",
                                 "extra": {"b": 1, "a": 2}}}


def files(folder: Path, **changed: str | None) -> Path:
    """The secret files, some changed or left out (None); names with underscores for hyphens."""
    texts = {"airflow_admin": "a" * 16, "airflow_monitoring": "m" * 16, "connections": json.dumps(GOOD), **changed}
    for name, text in texts.items():
        if text is not None:
            (folder / ("connections.json" if name == "connections" else name.replace("_", "-"))).write_text(text)
    return folder


def test_good_files_are_read(tmp_path: Path) -> None:
    """Passwords without the line's end, connections by their fields; the same `extra` is always the same text."""
    found = read(files(tmp_path, airflow_admin="a" * 16 + "\n"))
    lake = found.connections["lake"]
    assert (found.admin, lake.host, lake.port, lake.schema_, lake.login) == ("a" * 16, "minio", 9000, "http", None)
    assert extra_text(lake) == '{"a": 2, "b": 1}'
    assert "canary" not in repr(found) and "a" * 16 not in repr(found)


@pytest.mark.parametrize(("name", "text", "words"), [
    ("airflow_admin", None, "airflow-admin cannot be read (No such file or directory)"),
    ("airflow_monitoring", "canary", "airflow-monitoring has 6 characters and needs 16 or more"),
    ("connections", "[]", "connections.json is not an object of connections by id: the whole"),
    ("connections", '{"lake": {"host": "h", "port": 0, "pasword": "canary"}}', "lake.conn_type: Field required"),
    ("connections", '{"lake": {"conn_type": "http", "port": 0}}', "lake.port: Input should be greater than or equal to 1"),
    ("connections", '{"lake": {"conn_type": "http", "pasword": "canary"}}', "lake.pasword: Extra inputs are not permitted")])
def test_a_wrong_file_is_named(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    """With what writes it anew."""
    with pytest.raises(InitError) as raised:
        read(files(tmp_path, **{name: text}))
    message = str(raised.value)
    assert words in message and "./pipeline orchestration start-force" in message and "canary" not in message
