"""Writes the JSON schemas of the present version beside this file. Exit status 1 when one stands there that differs."""

from __future__ import annotations

import sys

from applications.clinical.schemas import Changed, export


def main() -> int:
    """Exports, and says what was written."""
    try:
        written = export()
    except Changed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"wrote {path.name}" for path in written) or "nothing to write: every schema stands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
