"""The control room in a browser: it shows the platform as it is, in every size and theme, and says when it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator

import docker
import pytest
import requests

from components.context import build_arguments, context_hash, host_arguments
from components.settings import layer_kinds
from tests.e2e.pages import FOLDER, Browser, browsing, in_container
from tests.e2e.stack import LOGS, Stack

PAGE = "http://monitoring-service:8080/"
PICTURES = LOGS / "control-room"
"""Kept by CI."""
SHOWN_SECONDS = 10
"""So soon a change of health must be seen."""
SILENCE_SECONDS = 30
VICTIM = "lab-results-processor"
STATES = "Object.fromEntries([...document.querySelectorAll('[data-service]')].map(({ dataset: d }) => [d.service, d.state]))"
RELATIONS = "Object.fromEntries([...document.querySelectorAll('.layer')].map(({ dataset: d }) => [d.layer, d.relation]))"
READY = "document.querySelectorAll('[data-service][data-state=up]').length"


@pytest.fixture(scope="module")
def browser(client: docker.DockerClient, platform: Stack) -> Iterator[Browser]:
    """A browser on the platform's network, from an image that is built once."""
    tag = f"clinical-mlops/e2e-browser:{context_hash(FOLDER, build_arguments())}"
    client.images.build(path=str(FOLDER), tag=tag, buildargs={**host_arguments(), **build_arguments()}, rm=True)
    with browsing(in_container(tag, platform.named("network"), platform.name)) as found:
        yield found


def opened(browser: Browser, width: int = 1280, dark: bool = False) -> Browser:
    """The control room with its first facts."""
    browser.open(PAGE, width=width, dark=dark)
    browser.until(READY)
    return browser


def state(service: str) -> str:
    """The expression of what the page shows of a service."""
    return f"document.querySelector('[data-service=\"{service}\"]').dataset.state"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_in_every_size_and_theme(browser: Browser, platform: Stack, width: int, dark: bool) -> None:
    """All layers and services, nothing wider than the window, and nothing that the console has to say."""
    opened(browser, width, dark)
    names = browser.evaluate("[...document.querySelectorAll('[data-layer]')].map((found) => found.dataset.layer)")
    browser.keep(PICTURES / f"{width}-{'dark' if dark else 'light'}.png")
    assert set(names) == set(layer_kinds())
    assert set(browser.evaluate(STATES)) >= set(platform.containers())
    assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert browser.evaluate("document.querySelectorAll('.edges path').length") >= len(layer_kinds()) - 1
    assert browser.told() == []


def test_every_service_is_shown_as_it_is(browser: Browser) -> None:
    """With the platform up, none is down and none lacks its metrics; each has somebody who speaks for it."""
    opened(browser).until(f"Object.values({STATES}).every((state) => state === 'up')", 180)
    assert browser.told() == []


def test_events_flow_through_the_stages(browser: Browser) -> None:
    """From the senders to silver, as Prometheus has counted them."""
    opened(browser)
    for stage in ("senders", "gateway", "kafka", "bronze", "silver"):
        browser.until(f"document.querySelector('[data-stage={stage}]')?.dataset.moving === 'yes'", 240)


def test_everything_is_measured(browser: Browser) -> None:
    """No measurement fails while the platform is up."""
    opened(browser)
    everything = "[...document.querySelectorAll('[data-measurement] .mark')]"
    browser.until(f"{everything}.length && {everything}.every((found) => found.dataset.state === 'up')", 300)


def test_a_service_that_goes_and_comes_is_seen(browser: Browser, platform: Stack) -> None:
    """Within ten seconds each, and the verdict at the top of the page says it."""
    opened(browser).until(f"{state(VICTIM)} === 'up'")
    container = platform.containers()[VICTIM]
    container.stop(timeout=30)
    try:
        browser.until(f"{state(VICTIM)} === 'down'", SHOWN_SECONDS)
        browser.keep(PICTURES / "service-down.png")
        assert browser.evaluate("document.querySelector('#verdict').dataset.state") == "down"
    finally:
        container.start()
    browser.until(f"{state(VICTIM)} === 'up'", 60)


def test_old_news_are_told_to_be_old(browser: Browser, platform: Stack) -> None:
    """A page that stands still must not look like a platform that is well."""
    opened(browser)
    container = platform.containers()["monitoring-service"]
    container.pause()
    try:
        browser.until("!document.querySelector('#stale').hidden && document.body.classList.contains('stale')", SILENCE_SECONDS)
        browser.keep(PICTURES / "stale.png")
    finally:
        container.unpause()
    browser.until("document.querySelector('#stale').hidden", SILENCE_SECONDS)


def test_it_can_be_used_by_keyboard(browser: Browser) -> None:
    """The first Tab offers to skip the header; a layer that has the focus shows what it needs."""
    opened(browser)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.className") == "skip"
    browser.evaluate("document.querySelector('[data-layer=processing]').focus()")
    needs = layer_kinds()["processing"].needs
    assert {name for name, relation in browser.evaluate(RELATIONS).items() if relation == "needed"} == set(needs)


def test_each_link_leads_to_a_page(platform: Stack) -> None:
    """As published on the host, where the reader's browser is."""
    answer = requests.get(f"http://127.0.0.1:{platform.port('monitoring-service')}/api/state", timeout=10)
    links = answer.json()["links"]
    statuses = {name: requests.get(url, timeout=30).status_code for name, url in links.items()}
    assert links and {name: status for name, status in statuses.items() if status >= 500 or status == 404} == {}


def test_the_page_tells_no_patient(platform: Stack) -> None:
    """Whatever is shown is about the platform."""
    answer = requests.get(f"http://127.0.0.1:{platform.port('monitoring-service')}/api/state", timeout=10)
    assert answer.status_code == 200 and "PT0" not in json.dumps(answer.json())
