"""The page of /docs: the OpenAPI description as plain HTML. The usual viewers load scripts from the internet, which the
networks that this runs in do not reach."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_STYLE = """body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}code,pre{background:#f4f4f4;font-size:14px}pre{padding:.8rem;overflow:auto}
td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}summary{cursor:pointer}"""


def render(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    parts = [f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>"]
    parts += [f"<p>{escape(text)}</p>" for text in document["info"]["description"].split("\n\n")]
    parts.append('<p>For programs: <a href="/openapi.json">openapi.json</a></p>')
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts += _operation(path, method, operation)
    parts.append("<h2>Schemas</h2>")
    parts += [f'<details id="{escape(name)}"><summary>{escape(name)}</summary>{_code(schema)}</details>'
              for name, schema in document["components"]["schemas"].items()]
    title = escape(document["info"]["title"])
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>'
            f"<body>{''.join(parts)}</body></html>")


def _operation(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p>"]
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<h3>Takes <code>{escape(media)}</code></h3>{_code(content.get('example', content['schema']))}")
    rows = [f"<tr><td>{status}</td><td>{escape(answer['description'])}</td><td>{escape(', '.join(answer['content']))}</td></tr>"
            for status, answer in operation["responses"].items()]
    return [*parts, "<h3>Answers</h3><table>", *rows, "</table>"]


def _code(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2))}</pre>"
