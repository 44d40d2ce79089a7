"""What the engine asks of a language host: the service LanguageRuntime for Python."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2 as lang
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from .processes import Chunk, answer, stream

RUNNER = Path(__file__).with_name("pulumi_program.py")
FAILURE_SHOWN = 32
"""Exit status of RUNNER when the program failed and the engine has been told why."""

PLUGINS = """
import json, pathlib, sys
for entry in dict.fromkeys(p for p in sys.path if p):
    for found in sorted(pathlib.Path(entry).glob("*/pulumi-plugin.json")):
        print(json.dumps(json.loads(found.read_text())))
"""
PACKAGES = """
import importlib.metadata, json
print(json.dumps(sorted({(d.name, d.version) for d in importlib.metadata.distributions()})))
"""


def environment(info: Any) -> Path | None:
    """The folder of `runtime.options.virtualenv`; None where the program names none."""
    virtualenv = dict(info.options).get("virtualenv")
    return Path(info.root_directory, str(virtualenv)) if virtualenv else None


def python(info: Any, context: grpc.ServicerContext) -> str:
    """The interpreter of the program's virtual environment, else the one that runs this host."""
    folder = environment(info)
    if folder is None:
        return sys.executable
    executable = folder / "bin/python"
    if not executable.exists():
        context.abort(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"the virtual environment of {info.root_directory} is missing: {executable} does not exist; "
            "`pulumi install` in that folder makes it, or change runtime.options.virtualenv",
        )
    return str(executable)


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """The engine's questions about Python programs and plugins, and their runs."""

    def __init__(self, version: str, engine: str) -> None:
        self.version = version
        self.engine = engine

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Learns where the engine listens."""
        self.engine = request.engine_address or self.engine
        return lang.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The version of this host."""
        return plugin_pb2.PluginInfo(version=self.version)

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:
        """No option needs to be asked for."""
        return lang.RuntimeOptionsResponse()

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The program's interpreter and its version."""
        executable = python(request.info, context)
        version = answer(executable, "import platform; print(platform.python_version())").strip()
        return lang.AboutResponse(executable=executable, version=version)

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Every package of the program's environment."""
        found = json.loads(answer(python(request.info, context), PACKAGES))
        return lang.GetProgramDependenciesResponse(
            dependencies=[lang.DependencyInfo(name=name, version=version) for name, version in found]
        )

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The plugins that the installed SDKs ask for."""
        rows = [json.loads(line) for line in answer(python(request.info, context), PLUGINS).splitlines()]
        return lang.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    name=row["name"],
                    kind="resource",
                    version=f"v{row['version'].removeprefix('v')}",
                    server=row.get("server", ""),
                )
                for row in rows
                if row.get("resource")
            ]
        )

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Makes the program's environment and installs its requirements."""
        folder, program = environment(request.info), request.info.program_directory
        commands = []
        if folder and not (folder / "bin/python").exists():
            commands.append([sys.executable, "-m", "venv", str(folder)])
        if Path(program, "requirements.txt").exists():
            executable = str(folder / "bin/python") if folder else sys.executable
            commands.append([executable, "-m", "pip", "install", "-r", "requirements.txt"])
        for command in commands:
            for event in stream(command, context, folder=program):
                if isinstance(event, Chunk):
                    yield lang.InstallDependenciesResponse(**event.field())
                elif event:
                    context.abort(
                        grpc.StatusCode.UNKNOWN, f"`{' '.join(command)}` ended with exit status {event}"
                    )

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Runs the program to its end."""
        info = request.info
        settings = {
            "monitor": request.monitor_address,
            "engine": self.engine,
            "project": request.project,
            "stack": request.stack,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization,
            "root_directory": info.root_directory,
        }
        env = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        program = os.path.join(info.program_directory, info.entry_point)
        command = [python(info, context), "-u", str(RUNNER), json.dumps(settings), program, *request.args]
        child = subprocess.Popen(command, cwd=request.pwd, env=env, stdin=subprocess.DEVNULL)
        context.add_callback(child.terminate)
        status = child.wait()
        if status in (0, FAILURE_SHOWN):
            return lang.RunResponse(bail=status == FAILURE_SHOWN)
        return lang.RunResponse(error=f"the program ended with exit status {status}")

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Runs a policy pack or a resource plugin that is a folder of Python."""
        target = request.info.program_directory
        arguments = [target, *request.args]
        if request.kind == "analyzer":
            arguments = ["-m", "pulumi.policy", *request.args, target]
        env = dict(entry.split("=", 1) for entry in request.env)
        command = [python(request.info, context), "-u", *arguments]
        for event in stream(command, context, folder=request.pwd, env=env or None):
            if isinstance(event, Chunk):
                yield lang.RunPluginResponse(**event.field())
            else:
                yield lang.RunPluginResponse(exitcode=event)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Nothing to do: the engine ends the process group."""
        return Empty()
