"""Pages, documents, the table of results, and the metrics that are made of them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from applications.monitoring import champion, exposition, pages, reports, results
from applications.monitoring.champion import RegistryError
from applications.monitoring.findings import Check, Report, Status, above
from applications.monitoring.lake import LakeAccess, LakeError
from applications.monitoring.reports import Bar, Link, Page, Section, Table, metric
from tests.unit.monitoring.monitoring_world import World
from tests.unit.operations.s3_server import Server

TIME = datetime(2026, 11, 25, 12, 15, tzinfo=UTC)
CHECKS = (Check("null-share", "silver/lab-results", Status.FAILURE, 0.5, 0, "5 of 10 rows have no value", "completeness", "value"),
          Check("age-minutes", "silver/lab-results", Status.SKIPPED, None, 60, "<script>alert(1)</script>", "freshness"))
REPORT = Report(CHECKS, TIME - timedelta(hours=4), TIME)


def test_a_page_stands_alone_and_escapes() -> None:
    """Nothing is fetched from elsewhere, no script runs, and texts are shown as they are; every value has its form."""
    rows = [(Status.WARNING, None, Bar(2.0), Link("a & b", "/x"), 1234567, 0.123456, True, TIME)]
    html = reports.render(Page("A <b>title</b>", "lead", Status.OK, TIME, {}, [
        Section("S", "t", [Table([str(number) for number in range(8)], rows), Table(["e"], [], folded="none")])]))
    html += reports.render(pages.page("Data quality", REPORT, TIME, {}))
    assert not re.search(r"""(src|href)=["']?(https?:|//)|@import|url\(|<script""", html)
    for part in ("A &lt;b&gt;title", "&lt;script&gt;alert", "a &amp; b", "1,234,567", "0.1235", ">yes<", "2026-11-25 12:15 UTC",
                 "width:100.0%", 'class="badge warning"', "prefers-color-scheme: dark"):
        assert part in html, part


def test_the_newest_report_stays_the_newest(lake: LakeAccess, server: Server) -> None:
    """A run of the past that is repeated has its page, and does not become the latest word."""
    for time, status in ((TIME, Status.OK), (TIME - timedelta(hours=4), Status.FAILURE)):
        reports.publish(lake, "data-quality", time, "<p>", {"status": status, "metrics": [metric("a", 1)]})
    found = reports.latest(lake, "data-quality")
    assert found is not None and found["status"] == "ok" and found["page"] == "reports/data-quality/2026-11-25T121500Z.html"
    assert {key for key in server.buckets["gold"] if key.endswith(".html")} == {
        "reports/data-quality/2026-11-25T121500Z.html", "reports/data-quality/2026-11-25T081500Z.html"}
    assert reports.kinds(lake) == ["data-quality"] and reports.latest(lake, "model") is None


def test_a_lake_that_is_away_is_named(lake: LakeAccess, server: Server) -> None:
    """With the object, the user and what to look at; the secret is in no words."""
    server.fail = lambda method, path: (403, "AccessDenied")
    with pytest.raises(LakeError, match=r"gold/x.*airflow.*AccessDenied.*may this user") as caught:
        lake.put("gold", "x", b"")
    assert lake.secret not in str(caught.value) + repr(lake)


def test_metrics_are_prometheus_text(lake: LakeAccess, server: Server) -> None:
    """Each report with its age and values, each open alert with its task; names of one kind stand together."""
    reports.publish(lake, "data-quality", TIME, "<p>", {"status": Status.FAILURE, "metrics": pages.metrics("data_quality", REPORT)})
    server.put("gold", "alerts/backup/verify.json", b"{}")
    text = exposition.text(exposition.collect(lake, TIME + timedelta(minutes=5)))
    for line in ('report_age_seconds{kind="data-quality"} 300', 'pipeline_alert_open{dag="backup",task="verify"} 1',
                 "pipeline_alerts_open 1", "data_quality_status 2", 'data_quality_checks{status="failure"} 1',
                 'data_quality_check_value{check="null-share",part="value",table="silver/lab-results",theme="completeness"} 0.5'):
        assert line in text.splitlines(), line
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) and all(re.fullmatch(r'[a-z_]+(\{[^{}]*\})? -?[0-9.e+-]+', line)
                                                 for line in text.splitlines() if not line.startswith("#"))


def test_labels_are_escaped() -> None:
    """A quotation mark or a new line in a label must not end it."""
    assert exposition.text([metric("a", 1, b='x"\n\\')]) == '# TYPE a gauge\na{b="x\\"\\n\\\\"} 1\n'


def test_a_repeated_part_of_a_run_replaces_its_rows(world: World) -> None:
    """And touches neither other parts nor other runs."""
    tables = world.tables
    for run, part, status in (("r1", "shape", Status.OK), ("r1", "flow", Status.OK), ("r2", "shape", Status.OK),
                              ("r1", "shape", Status.FAILURE)):
        results.record(tables, "data-quality", run, part, TIME, Report((Check("c", "t", status, 1, 2, "w", part),), TIME,
                                                                       TIME + timedelta(hours=1)))
    found = {run: results.recorded(tables, "data-quality", run) for run in ("r1", "r2", "r3")}
    assert found["r3"] is None and found["r2"] is not None and found["r1"] is not None
    assert [(check.theme, check.status) for check in found["r1"].checks] == [("flow", Status.OK), ("shape", Status.FAILURE)]
    assert found["r2"].status is Status.OK and found["r1"].begin == TIME


def test_parts_that_record_at_once_lose_nothing(world: World) -> None:
    """Tasks of one run write the same table side by side."""
    def record(part: int) -> None:
        results.record(world.tables, "model", "r", str(part), TIME, Report((Check("c", "t", Status.OK, part, 0, ""),), TIME,
                                                                           TIME + timedelta(hours=1)))
    record(0)
    threads = [threading.Thread(target=record, args=(part,)) for part in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = results.recorded(world.tables, "model", "r")
    assert found is not None and [check.value for check in found.checks] == [0, 1, 2, 3, 4]


def test_many_files_are_joined(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table stays readable, with the same rows."""
    monkeypatch.setattr(results, "MOST_FILES", 2)
    for number in range(4):
        results.record(world.tables, "model", f"r{number}", "p", TIME, Report(CHECKS, TIME, TIME + timedelta(hours=1)))
    results.tidy(world.tables, "model")
    table = world.tables.table(results.place("model"))
    assert table is not None and len(table.file_uris()) == 1 and table.to_pyarrow_table().num_rows == 8


def test_a_report_is_as_bad_as_its_worst_check() -> None:
    """A skipped check hides no failure, and nothing at all is no good news."""
    assert REPORT.status is Status.FAILURE and Report((), TIME, TIME).status is Status.SKIPPED
    assert [above(value, 1, 2) for value in (None, float("nan"), 1, 1.5, 2.5)] == [
        Status.SKIPPED, Status.SKIPPED, Status.OK, Status.WARNING, Status.FAILURE]
    assert json.loads(json.dumps(REPORT.summary()))["failures"] == [
        "silver/lab-results: null-share of value: 5 of 10 rows have no value"]


RUN = {"run": {"info": {"run_id": "r1"}, "data": {
    "params": [{"key": "train_first", "value": "2026-11-06T12:00:00+00:00"},
               {"key": "train_last", "value": "2026-11-13T18:00:00+00:00"}],
    "tags": [{"key": "features_version", "value": "1-a"}]}}}
MODEL = {"registered_model": {"aliases": [{"alias": "champion", "version": "7"}]}}


@pytest.fixture
def registry(request: pytest.FixtureRequest) -> Any:
    """Starts an MLflow that answers these things, and gives its address."""
    servers: list[HTTPServer] = []

    def start(answers: dict[str, dict[str, Any]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
                content = json.dumps(answers.get(name, {})).encode()
                self.send_response(200 if name in answers else 404)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_champion_says_what_it_was_trained_on(registry: Callable[[dict[str, Any]], str]) -> None:
    """The last cut-off of the training part is counted in."""
    version = {"model_version": {"run_id": "r1"}}
    found = champion.champion(registry({"registered-models/get": MODEL, "model-versions/get": version, "runs/get": RUN}))
    assert found is not None and (found.version, found.run_id, found.features_version) == ("7", "r1", "1-a")
    assert found.trained_on.begin == datetime(2026, 11, 6, 12, tzinfo=UTC)
    assert found.trained_on.end > datetime(2026, 11, 13, 18, tzinfo=UTC)


def test_no_champion_is_none_and_an_odd_one_is_named(registry: Callable[[dict[str, Any]], str]) -> None:
    """A registry that is new or away, and a run of another program."""
    assert champion.champion(registry({})) is None
    assert champion.champion(registry({"registered-models/get": {"registered_model": {}}})) is None
    odd = {"registered-models/get": MODEL, "model-versions/get": {"model_version": {"run_id": "r1"}},
           "runs/get": {"run": {"info": {"run_id": "r1"}, "data": {}}}}
    with pytest.raises(RegistryError, match=r"version 7 .* does not say what it was trained on"):
        champion.champion(registry(odd))
    with pytest.raises(RegistryError, match="see whether mlflow-server is healthy"):
        champion.champion("http://127.0.0.1:1")
