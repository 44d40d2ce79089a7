"""Probes of the ML layer, and its own commands: training, the versions of the model, features."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import requests
import typer

from components.ml.settings import MlSettings
from components.settings import Settings
from operations import inside, job_commands, predicting
from operations.faults import OperationError
from operations.job_commands import Cancel, JobId, Limit, Logs, Parameters, Status, Wait
from operations.jobs import Jobs, parameters_of
from operations.options import DEFAULT_STACK, DryRun, Json, StackName
from operations.probes import Probe
from operations.running import settings_while_running
from operations.showing import say, show, show_data, show_facts

SECONDS = 5
MODEL = "adverse-event-predictor"
MOST_VERSIONS = 1000
VERSION_COLUMNS = {"version": "version", "aliases": "is", "created": "created (UTC)", "run_id": "run", "tags": "tags"}
FEATURE_COLUMNS = {"name": "feature", "kind": "kind", "unit": "unit", "hours": "window (h)", "description": "what it is"}

ANSWER = ("patient_id", "class", "probability", "threshold", "model", "features_time", "time", "prediction_id")
CONTRIBUTION_COLUMNS = {"feature": "feature", "value": "value", "contribution": "moves it by (log-odds)"}


def probes(settings: Settings) -> Iterator[Probe]:
    """One probe a service: the registry through its interface, serving through its readiness, the jobs through their health."""
    layer, address = settings.of(MlSettings), settings.platform.bind_address
    yield Probe("mlflow-server", partial(registry, f"http://{address}:{layer.port('mlflow-server')}"))
    for service in ("feature-engineering", "ml-training"):
        yield Probe(service, partial(inside.health, f"{settings.catalog.project}-{layer.stack}-{service}"))
    yield Probe("model-serving", partial(serving, f"http://{address}:{layer.port('model-serving')}"))


def registry(url: str) -> str:
    """What the registry holds. Raises requests.HTTPError where it refuses."""
    answer = requests.get(f"{url}/api/2.0/mlflow/registered-models/search", timeout=SECONDS)
    answer.raise_for_status()
    aliases = {alias["alias"]: alias["version"] for model in answer.json().get("registered_models", [])
               if model["name"] == MODEL for alias in model.get("aliases", [])}
    return f"champion is version {aliases['champion']}" if "champion" in aliases else "no champion yet"


def serving(url: str) -> str:
    """What is served. Raises RuntimeError with what keeps it from answering."""
    answer = requests.get(f"{url}/ready", timeout=SECONDS)
    found = answer.json()
    if answer.status_code != 200:
        wrong = [f"{name}: {words}" for name, words in found.get("checks", {}).items() if words != "ok"]
        raise RuntimeError("; ".join(wrong) or f"answers {answer.status_code}")
    return "ready, " + ", ".join(sorted(found.get("checks", {})))


def training_of(name: str) -> Jobs:
    """The job endpoint of ml-training. Raises OperationError while the layer does not run."""
    return Jobs(settings_while_running(MlSettings, name), MlSettings, "ml-training", "training-jobs-key")


def features_of(name: str) -> Jobs:
    """The job endpoint of feature-engineering. Raises OperationError while the layer does not run."""
    return Jobs(settings_while_running(MlSettings, name), MlSettings, "feature-engineering", "features-jobs-key")


def versions(name: str) -> list[dict[str, Any]]:
    """Every registered version of the model, the newest first. Raises OperationError where the registry does not answer."""
    settings = settings_while_running(MlSettings, name)
    url = f"http://{settings.platform.bind_address}:{settings.of(MlSettings).port('mlflow-server')}/api/2.0/mlflow"
    try:
        models = _asked(f"{url}/registered-models/search", {})
        found = _asked(f"{url}/model-versions/search", {"filter": f"name='{MODEL}'", "max_results": MOST_VERSIONS})
    except requests.RequestException as error:
        raise OperationError(f"the registry does not answer on {url} ({type(error).__name__}); "
                             f"`./pipeline ml health --stack {name}` says more") from None
    aliases: dict[str, list[str]] = {}
    for model in models.get("registered_models", []):
        for alias in model.get("aliases", []) if model["name"] == MODEL else []:
            aliases.setdefault(str(alias["version"]), []).append(alias["alias"])
    rows = [{"version": int(version["version"]), "aliases": sorted(aliases.get(str(version["version"]), [])),
             "created": datetime.fromtimestamp(int(version["creation_timestamp"]) / 1000, UTC), "run_id": version["run_id"],
             "tags": {tag["key"]: tag["value"] for tag in version.get("tags", [])}} for version in found.get("model_versions", [])]
    return sorted(rows, key=lambda row: -int(row["version"]))


def _asked(url: str, query: dict[str, Any]) -> dict[str, Any]:
    answer = requests.get(url, query, timeout=SECONDS)
    answer.raise_for_status()
    return dict(answer.json())


def show_features(name: str, as_data: bool) -> None:
    """Prints the definitions of the features."""
    found = features_of(name).document("/features")
    if as_data:
        show_data(found)
        return
    rows = [{**feature, "hours": feature["window"] / 3600 if feature["window"] else None} for feature in found["features"]]
    show(rows, FEATURE_COLUMNS, as_data=False)
    say(f"{len(rows)} features, version {found['version']}")


def add_commands(group: typer.Typer) -> None:
    """Adds predict, train, models, promote, rollback, features and jobs."""

    @group.command()
    def predict(patient: Annotated[str | None, typer.Argument(help="Whom; else one of those measured last.")] = None,
                stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """Asks the model that serves, with the key of the client `clinic`: how likely an adverse event in the next 24 hours is."""
        found = predicting.predict(settings_while_running(MlSettings, stack), stack, patient)
        if as_data:
            show_data(found)
            return
        show_facts({name: found[name] for name in ANSWER if name in found}, as_data=False)
        show(found.get("contributions", []), CONTRIBUTION_COLUMNS, as_data=False)

    @group.command()
    def train(stack: StackName = DEFAULT_STACK,
              seed: Annotated[int | None, typer.Option(min=0, help="Decides which patients are held out; keep it.")] = None,
              promote: Annotated[bool, typer.Option("--promote/--no-promote", help="Let a version that passes every gate serve.")]
              = True, wait: Wait = True, dry_run: DryRun = False, as_data: Json = False) -> None:
        """Trains on the latest labelled days; what passes the gates is registered, what is better serves."""
        parameters = {"promote": promote, **({} if seed is None else {"seed": seed})}
        job_commands.run(training_of(stack), "train", parameters, wait=wait, dry_run=dry_run, as_data=as_data)

    @group.command()
    def models(stack: StackName = DEFAULT_STACK, as_data: Json = False) -> None:
        """The registered versions of the model: which one serves, which one did before, and what training noted of each."""
        show(versions(stack), VERSION_COLUMNS, as_data=as_data,
             nothing="no version is registered yet; `./pipeline ml train` makes one, and ml-training does by itself once there is "
                     "data enough")

    @group.command()
    def promote(version: Annotated[int, typer.Argument(min=1, help="The version, as `models` lists it.")],
                stack: StackName = DEFAULT_STACK, dry_run: DryRun = False, as_data: Json = False) -> None:
        """Makes a registered version champion; serving takes it within seconds."""
        job_commands.run(training_of(stack), "promote", {"version": version}, wait=True, dry_run=dry_run, as_data=as_data)

    @group.command()
    def rollback(stack: StackName = DEFAULT_STACK, dry_run: DryRun = False, as_data: Json = False) -> None:
        """Makes the version that served before champion again."""
        job_commands.run(training_of(stack), "rollback", {}, wait=True, dry_run=dry_run, as_data=as_data)

    @group.command()
    def features(job: Annotated[str | None, typer.Argument(help="incremental, online, backfill or parity.")] = None,
                 parameters: Parameters = None, stack: StackName = DEFAULT_STACK, wait: Wait = True, dry_run: DryRun = False,
                 as_data: Json = False) -> None:
        """What each feature is; with a job's name, runs that job: `features backfill from=2026-11-01 to=2026-11-08`."""
        if job is None:
            show_features(stack, as_data)
        else:
            job_commands.run(features_of(stack), job, parameters_of(parameters or ()), wait=wait, dry_run=dry_run, as_data=as_data)

    @group.command()
    def jobs(job: JobId = None, stack: StackName = DEFAULT_STACK, status: Status = None, limit: Limit = 20, logs: Logs = None,
             cancel: Cancel = False, as_data: Json = False) -> None:
        """The latest jobs of training and features; with an id that one, with --logs its log, with --cancel its end."""
        job_commands.jobs([training_of(stack), features_of(stack)], job, status=status, limit=limit, logs=logs, cancel=cancel,
                          as_data=as_data)
