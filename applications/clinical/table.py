"""The table of analytes as Markdown, for the page on the data contract: `python -m applications.clinical.table` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from applications.clinical.terminology import ANALYTES, Alternate, Analyte, Range

HEADER = ("analyte", "LOINC", "unit", "column", "reference", "possible", "critical outside",
          "also accepted: unit, LOINC, conversion")
NONE = "-"
DIGITS = 6


def markdown() -> str:
    """Header and one row an analyte, in the order of the terminology."""
    rows = [HEADER, ("---",) * len(HEADER), *map(_row, ANALYTES)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(analyte: Analyte) -> tuple[str, ...]:
    return (analyte.name, analyte.code, f"`{analyte.unit}`", analyte.column, "; ".join(_references(analyte)),
            _range(analyte.possible), _range(analyte.critical) if analyte.critical else NONE,
            "; ".join(map(_alternate, analyte.also)) or NONE)


def _references(analyte: Analyte) -> Iterator[str]:
    yield _range(analyte.reference)
    for sex, own in analyte.reference_by_sex.items():
        yield f"{sex} {_range(own)}"


def _range(found: Range) -> str:
    return f"{found.low:g} to {found.high:g}"


def _alternate(other: Alternate) -> str:
    value = f"(value - {other.offset:g})" if other.offset else "value"
    # Divided by the reciprocal, which is the round number that the literature gives.
    step = "" if other.factor == 1 else f" / {1 / other.factor:.{DIGITS}g}"
    return f"`{other.unit}`, {other.code}, {value}{step}"


if __name__ == "__main__":
    print(markdown(), end="")
