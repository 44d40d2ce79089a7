"""The control room's files: nothing from elsewhere, every name in them exists, and it can be read in both themes."""

from __future__ import annotations

import re

import pytest

from applications.monitoring.service import runbook
from applications.monitoring.service.app import PAGE
from applications.monitoring.service.flow import STAGES

FILES = {file.name: file.read_text(encoding="utf-8") for file in sorted(PAGE.iterdir()) if file.is_file()}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
STYLE = FILES["style.css"]
READABLE = 4.5
"""The least contrast of text, by WCAG AA."""
PAIRS = [*((ink, ground) for ink in ("ink", "faint", "accent", "down") for ground in ("card", "raised", "ground")),
         *((state, f"{state}-ground") for state in ("up", "down", "silent", "unknown")), ("card", "down")]


@pytest.mark.parametrize("name", FILES)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    """Hospital networks reach no other host, and the page's policy forbids what stands in the markup itself."""
    addresses = set(re.findall(r"https?://[^\s\"'`)/]+", FILES[name]))
    assert addresses <= {"http://www.w3.org"}  # names of XML, which nobody asks
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*src=)", FILES[name])
    assert len(FILES[name].splitlines()) <= 300


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_module_imports_is_exported(name: str) -> None:
    """A name that is missing would leave the page empty, without a build step to say so."""
    for names, source in re.findall(r"import \{([^}]+)\} from \"\./([\w.]+)\"", SCRIPTS[name]):
        exported = set(re.findall(r"^export (?:async )?(?:function|const) (\w+)", SCRIPTS[source], re.MULTILINE))
        assert {found.strip() for found in names.split(",")} <= exported


def test_each_section_is_filled_and_each_that_is_filled_exists() -> None:
    """By its id."""
    sections = set(re.findall(r"<section id=\"(\w+)\"", FILES["index.html"]))
    assert sections == set(re.findall(r"(?:section|part)\(\"(\w+)\"", FILES["main.js"]))
    assert set(re.findall(r"querySelector\(\"#(\w+)\"", FILES["main.js"])) <= set(re.findall(r"id=\"(\w+)\"", FILES["index.html"]))


def test_every_stage_has_words() -> None:
    """As the service names them."""
    words = re.search(r"const WORDS = \{(.*?)\};", FILES["flow.js"], re.DOTALL)
    assert words is not None and set(re.findall(r"(\w+): \[", words[1])) == set(STAGES)


def colours(theme: str) -> dict[str, tuple[float, ...]]:
    """The colours of a theme, by name: the dark one changes some of the light one's."""
    light, _, dark = STYLE.partition("@media (prefers-color-scheme: dark)")
    blocks = [light] if theme == "light" else [light, dark.split("* {")[0]]
    return {name: tuple(int(value[at:at + 2], 16) / 255 for at in (0, 2, 4))
            for block in blocks for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6})", block)}


def luminance(colour: tuple[float, ...]) -> float:
    """As WCAG defines it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(theme: str, ink: str, ground: str) -> None:
    """In both themes."""
    found = colours(theme)
    bright, dim = sorted((luminance(found[ink]), luminance(found[ground])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= READABLE


def test_who_wants_no_motion_has_none() -> None:
    """Every animation ends by one rule."""
    assert re.search(r"prefers-reduced-motion: reduce\) \{ \*.*animation: none !important", STYLE)


def test_the_runbook_as_a_page() -> None:
    """Anchors as links to headings have them, and nothing of the text becomes markup."""
    text = ("# Runbook\n## ServiceDown\nA <b> line\nthat goes on, `code <x>`, **strong** and [here](#other), [page](docs/x.md).\n\n"
            "- one\n  more\n- two\n\n1. first\n\n| a | b |\n| --- | --- |\n| `x` | y |\n\n"
            "```sh\n# no heading\n./pipeline <layer>\n```\n")
    page = runbook.page(text)
    for part in ('<h2 id="servicedown">ServiceDown</h2>', "A &lt;b&gt; line that goes on, <code>code &lt;x&gt;</code>, ",
                 "<strong>strong</strong>", '<a href="#other">here</a>, page.</p>', "<ul><li>one more</li><li>two</li></ul>",
                 "<ol><li>first</li></ol>", "<tr><th>a</th><th>b</th></tr><tr><td><code>x</code></td><td>y</td></tr></table>",
                 "<pre># no heading\n./pipeline &lt;layer&gt;\n</pre>"):
        assert part in page
    assert runbook.anchor("Kafka: what to do?") == "kafka-what-to-do"
