"""What the log store and its pages are given agrees with itself, and with what the images and the template know."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Mapping
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from applications.monitoring.logs import MAPPINGS, index_of
from components.context import IMAGES_FOLDER
from components.files import render
from components.observability import opensearch, opensearch_dashboards
from components.service import CONFIG_FOLDER

FOLDER = Path(opensearch.__file__).parent
STORE = opensearch.files("clinical")
PAGES = opensearch_dashboards.files("http://opensearch:9200", "Dev")


def test_the_configuration_is_yaml_with_the_watermarks_in_order() -> None:
    found = yaml.safe_load(STORE[f"{CONFIG_FOLDER}/opensearch.yml"])
    marks = [found[f"cluster.routing.allocation.disk.watermark.{name}"] for name in ("low", "high", "flood_stage")]
    assert marks == sorted(marks, reverse=True) and all(mark.endswith("gb") for mark in marks)
    assert yaml.safe_load(PAGES[f"{CONFIG_FOLDER}/opensearch-dashboards.yml"])["opensearch.hosts"] == ["http://opensearch:9200"]


@pytest.mark.parametrize("given", [STORE, PAGES])
def test_every_file_that_a_script_takes_is_given(given: Mapping[str, str]) -> None:
    scripts = [text for name, text in given.items() if name.endswith(".sh")]
    asked = {name for text in scripts for name in re.findall(rf"{CONFIG_FOLDER}/[\w.-]+", text)}
    assert asked and asked <= set(given)


def test_each_module_that_another_one_extends_is_in_the_image() -> None:
    modules = [line.split() for line in (IMAGES_FOLDER / "opensearch" / "modules.txt").read_text().splitlines()]
    names = {name for name, *_ in modules}
    assert {extended for *_, extended in modules} - {"-"} <= names
    assert {path.name for path in (IMAGES_FOLDER / "opensearch" / "policies").iterdir()} <= names


def test_the_saved_objects_look_at_what_the_store_has() -> None:
    pattern, *searches = opensearch_dashboards.objects("Dev")
    title = pattern["attributes"]["title"]
    assert index_of("Dev", date(2026, 11, 26)).startswith(title.rstrip("*"))
    for search in searches:
        source = json.loads(search["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        assert {reference["name"]: reference["id"] for reference in search["references"]}[source["indexRefName"]] == pattern["id"]
        assert set(search["attributes"]["columns"]) <= set(MAPPINGS["properties"])
        assert set(re.findall(r"(\w+):", source["query"]["query"])) <= set(MAPPINGS["properties"])


@pytest.mark.parametrize("refused", [False, True])
def test_the_saved_objects_are_created_once_the_server_is_ready(tmp_path: Path, refused: bool) -> None:
    """And a refusal is said."""
    asked: list[tuple[str, Any]] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, None))
            self._answer(200 if len(asked) > 1 else 503)

        def do_POST(self) -> None:
            assert self.headers["osd-xsrf"] == "true" and self.headers["Content-Type"] == "application/json"
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self._answer(400 if refused else 200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script, given = tmp_path / "objects.sh", tmp_path / "objects.json"
        script.write_text(render(FOLDER, "opensearch-dashboards-objects.sh", port=server.server_port))
        given.write_text(PAGES[f"{CONFIG_FOLDER}/opensearch-dashboards-objects.json"])
        done = subprocess.run(["bash", str(script), str(given)], capture_output=True, text=True, timeout=60, check=True)
        server.shutdown()
    assert [path for path, _ in asked] == ["/api/status", "/api/status", "/api/saved_objects/_bulk_create?overwrite=true"]
    assert asked[-1][1] == opensearch_dashboards.objects("Dev")
    assert ("refused (status 400)" in done.stderr) is refused
