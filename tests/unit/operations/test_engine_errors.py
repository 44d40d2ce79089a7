"""Rule: what the engine says of an error reaches the user whole, and without the rest of its output."""

from __future__ import annotations

from operations.faults import MOST_LINES, explained

OUTPUT = """Previewing update (dev):
 +  pulumi:pulumi:Stack clinical-mlops-dev create error: Pulumi.dev.yaml has 2 faults:
 +  pulumi:pulumi:Stack clinical-mlops-dev create 1 error
Diagnostics:
  pulumi:pulumi:Stack (clinical-mlops-dev):
    error: Pulumi.dev.yaml has 2 faults:
      clinical:kafkaBrokers: must be at least 1
      clinical:secrets.redis: not set; `make up` generates every missing secret

Resources:
    + 1 to create
"""


def test_an_error_comes_with_the_lines_that_belong_to_it() -> None:
    """Each fault of a stack's file is named, once, and nothing else of the output is."""
    assert str(explained(RuntimeError(OUTPUT), "dev")).splitlines() == [
        "error: Pulumi.dev.yaml has 2 faults:", "      clinical:kafkaBrokers: must be at least 1",
        "      clinical:secrets.redis: not set; `make up` generates every missing secret"]


def test_an_endless_error_is_cut() -> None:
    """A page of it says enough."""
    text = "error: many\n" + "\n".join(f"    fault {number}" for number in range(10 * MOST_LINES))
    assert len(str(explained(RuntimeError(text), "dev")).splitlines()) == MOST_LINES
