"""Rule: a stack moves to another backend as docs/operations.md says, and nothing of the platform is touched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.e2e.stack import Stack


def test_a_stack_moves_to_another_backend(platform: Stack, tmp_path: Path) -> None:
    """Exported, made anew without being selected, imported; a preview from there finds the same resources and nothing to do."""
    backend, exported = tmp_path / "backend", tmp_path / "state.json"
    backend.mkdir()
    before = {name: container.id for name, container in platform.containers().items()}
    platform.pulumi("stack", "export", "--file", str(exported))
    assert not [secret for secret in platform.secrets.values() if secret in exported.read_text()]

    def there(*arguments: str) -> str:
        variables = {**platform.environment, "PULUMI_BACKEND_URL": f"file://{backend}"}
        done = subprocess.run(["pulumi", *arguments, "--non-interactive", "--color", "never"], cwd=platform.folder, env=variables,
                              check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    there("stack", "init", platform.name, "--no-select")
    there("stack", "import", "--file", str(exported), "--stack", platform.name)
    there("preview", "--expect-no-changes", "--stack", platform.name)
    moved = json.loads(there("stack", "export", "--stack", platform.name))["deployment"]["resources"]
    assert {r["urn"] for r in moved} == {r["urn"] for r in platform.state()["deployment"]["resources"]}
    assert {name: container.id for name, container in platform.containers().items()} == before
