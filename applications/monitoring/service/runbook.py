"""The runbook as a page: as much of Markdown as it uses (headings, paragraphs, lists, tables, code, links)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

_INLINE = ((re.compile(r"`([^`]+)`"), r"<code>\1</code>"), (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
           (re.compile(r"\[([^\]]+)\]\((#[\w-]+|https?://[^)\s]+)\)"), r'<a href="\2">\1</a>'),
           # A page beside the runbook in the repository is not served here.
           (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"))
_HEADING = re.compile(r"(#{1,4}) (.+)")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) (.+)")


def anchor(heading: str) -> str:
    """What a link to a heading has after `#`."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def page(markdown: str) -> str:
    """The whole page."""
    return ('<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            '<title>Runbook</title><link rel="icon" href="/icon.svg" type="image/svg+xml">'
            '<link rel="stylesheet" href="/style.css"><link rel="stylesheet" href="/panels.css">'
            '</head><body class="text"><p><a href="/">Control room</a></p>'
            f'<main>{"".join(_blocks(markdown))}</main></body></html>')


def _blocks(markdown: str) -> Iterator[str]:
    # Code first: what is in it is no Markdown.
    for number, part in enumerate(re.split(r"^```.*\n", f"{markdown}\n", flags=re.MULTILINE)):
        if number % 2:
            yield f"<pre>{escape(part)}</pre>"
            continue
        for block in re.split(r"\n\s*\n", re.sub(r"^(#{1,4} .+)$", r"\n\1\n", part, flags=re.MULTILINE)):
            if block.strip():
                yield _block(block.strip("\n"))


def _block(block: str) -> str:
    lines = block.splitlines()
    if heading := _HEADING.fullmatch(block.strip()):
        level, text = len(heading[1]), heading[2]
        return f'<h{level} id="{escape(anchor(text))}">{_inline(text)}</h{level}>'
    if lines[0].startswith("|"):
        return _table(lines)
    if _ITEM.fullmatch(lines[0]):
        items: list[str] = []
        for line in lines:
            if item := _ITEM.fullmatch(line):
                items.append(item[1])
            else:
                items[-1] += f" {line.strip()}"
        kind = "ol" if lines[0].lstrip()[0].isdigit() else "ul"
        return f"<{kind}>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</{kind}>"
    return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    head, body = rows[0], [row for row in rows[1:] if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    cells = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    return f"<table><tr>{cells}</tr>" + "".join(
        f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in body) + "</table>"


def _inline(text: str) -> str:
    found = escape(text, quote=False)
    for pattern, replacement in _INLINE:
        found = pattern.sub(replacement, found)
    return found
