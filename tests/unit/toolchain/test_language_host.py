"""The installed language host runs programs and policy packs as the official one does."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.unit.toolchain.tiny_program import Program

POLICY = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def refuse(args, report):
    if args.resource_type == "tiny:index:Thing":
        report("things are not allowed here")

PolicyPack("pack", policies=[ResourceValidationPolicy(
    name="no-things", description="No things.", enforcement_level=EnforcementLevel.{level}, validate=refuse)])
"""
THING = """
import pulumi
pulumi.ComponentResource("tiny:index:Thing", "thing")
"""


def test_an_exception_is_shown_with_the_programs_own_traceback(program: Program) -> None:
    """The user sees the line of the program that failed, and none of the host's or the SDK's runner."""
    status, shown = program.preview("def broken():\n    raise ValueError('no such dose')\n\nbroken()\n")
    assert status != 0
    assert "ValueError: no such dose" in shown
    assert f'File "{program.folder}/__main__.py", line 2, in broken' in shown
    assert "pulumi_program.py" not in shown
    assert "runpy" not in shown


def test_a_run_error_is_shown_by_its_message_alone(program: Program) -> None:
    """RunError is for messages to the user: no traceback."""
    status, shown = program.preview("import pulumi\nraise pulumi.RunError('port 5432 is taken; free it')\n")
    assert status != 0
    assert "port 5432 is taken; free it" in shown
    assert "Traceback" not in shown


def test_a_run_error_in_an_apply_fails_the_program(program: Program) -> None:
    """A check of outputs may stop the update with a plain message."""
    text = (
        "import pulumi\n"
        "def check(code):\n    raise pulumi.RunError(f'the task ended with {code}')\n"
        "pulumi.export('x', pulumi.Output.from_input(3).apply(check))\n"
    )
    status, shown = program.preview(text)
    assert status != 0
    assert "the task ended with 3" in shown
    assert "Traceback" not in shown


def test_an_exit_status_of_the_program_fails_the_run(program: Program) -> None:
    """A program that leaves by sys.exit has not succeeded, and the status is told."""
    status, shown = program.preview("import sys\nsys.exit(3)\n")
    assert status != 0
    assert re.search(r"(status|code):? 3\b", shown), shown


def test_configuration_and_secrets_arrive(program: Program) -> None:
    """A program reads plain and secret settings; a secret stays masked in what the engine shows."""
    program.pulumi("config", "set", "city", "Basel", "--stack", "dev")
    program.pulumi("config", "set", "--secret", "token", "canary-71", "--stack", "dev")
    text = (
        "import pulumi\nconfig = pulumi.Config()\n"
        "pulumi.export('city', config.require('city'))\n"
        "pulumi.export('length', len(config.require('token')))\n"
        "pulumi.export('token', config.require_secret('token'))\n"
    )
    status, shown = program.preview(text)
    assert status == 0, shown
    assert '"Basel"' in shown
    assert "length: 9" in " ".join(shown.split())
    assert "[secret]" in shown
    assert "canary-71" not in shown


def test_the_program_runs_on_its_virtual_environment(program: Program) -> None:
    """`virtualenv` decides which Python runs, and the program's own folder comes first among its modules."""
    (program.folder / "host.py").write_text("NAME = 'module of the program'\n")
    text = "import host, pulumi, sys\npulumi.export('prefix', sys.prefix)\npulumi.export('host', host.NAME)\n"
    status, shown = program.preview(text)
    assert status == 0, shown
    assert f'"{sys.prefix}"' in shown
    assert "module of the program" in shown


def test_a_missing_virtual_environment_is_named(program: Program) -> None:
    """The message says which environment is missing and how it is made."""
    program.runs_on("nowhere")
    status, shown = program.preview("")
    assert status != 0
    assert f"{program.folder}/nowhere" in shown
    assert "pulumi install" in shown or "virtual environment" in shown


@pytest.mark.parametrize(("level", "succeeds"), [("MANDATORY", False), ("ADVISORY", True)])
def test_policy_packs_guard_a_preview(program: Program, level: str, succeeds: bool) -> None:
    """A mandatory violation fails the preview, an advisory one is only shown."""
    pack = program.folder / "pack"
    pack.mkdir()
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (pack / "PulumiPolicy.yaml").write_text(yaml.safe_dump({"runtime": runtime}))
    (pack / "__main__.py").write_text(POLICY.format(level=level))
    status, shown = program.preview(THING, "--policy-pack", str(pack))
    assert "things are not allowed here" in shown
    assert (status == 0) is succeeds, shown


def test_interrupting_the_engine_ends_the_program(program: Program) -> None:
    """Ctrl-C leaves no process of the run behind: neither the host nor the program."""
    program.write("import pathlib, time\npathlib.Path('started').touch()\ntime.sleep(300)\n")
    engine = subprocess.Popen(
        program.command("preview", "--stack", "dev"),
        env=program.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(program.folder / "started", engine)
        os.killpg(engine.pid, signal.SIGINT)
        assert engine.wait(timeout=30) != 0
        assert processes_in_group(engine.pid) == []
    finally:
        if processes_in_group(engine.pid):
            os.killpg(engine.pid, signal.SIGKILL)
        engine.wait()


def wait_for(file: Path, engine: subprocess.Popen[bytes]) -> None:
    """Returns once the program has made the file; fails when the engine ends without that."""
    while not file.exists():
        assert engine.poll() is None, "the engine ended before the program ran"
        time.sleep(0.05)


def processes_in_group(group: int) -> list[str]:
    """The command lines of the living processes of a process group."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [row[2] for row in rows if int(row[0]) == group and not row[1].startswith("Z")]
