"""The versions of the model in MLflow: which one serves, which one served before, and how to load them."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from applications.ml.model import artifact
from applications.ml.model.errors import ModelError, RegistryError
from applications.ml.model.risk import RiskModel

NAME = "adverse-event-predictor"
CHAMPION, PREVIOUS = "champion", "previous"
_LOGGED = "models:/"
"""How a version names the logged model that it is."""
_CLIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    # Else the client is sent on to the object store, whose keys it does not have.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    # Standard output is for log lines.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
"""How MLflow's client behaves in our processes, unless their environment says otherwise: it must not hang for minutes."""
SECONDS = 5
MOST_WORDS = 300
"""How many characters of what MLflow's client says an error has."""


@dataclass(frozen=True)
class Version:
    """A registered version. `aliases` are names such as `champion`; `tags` are what training noted of it."""

    number: int
    run_id: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def configure_client(seconds: int = SECONDS) -> None:
    """Sets MLflow's client up for this process: how long it waits for an answer, artifacts through the server, and no chatter.
    The first call of a process decides.
    """
    for name, value in {**_CLIENT, "MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds)}.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow").setLevel(logging.WARNING)


class Registry:
    """The registry of an MLflow server, such as http://mlflow-server:5000. Safe for threads.

    Every method raises RegistryError when the server is away, has not answered for some `seconds` twice, or refuses.
    """

    def __init__(self, tracking_uri: str, name: str = NAME, seconds: int = SECONDS) -> None:
        configure_client(seconds)
        self.name, self._uri = name, tracking_uri
        self._client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)

    def champion(self) -> Version | None:
        """The version that serves; None while there is none."""
        return self._alias(CHAMPION)

    def previous(self) -> Version | None:
        """The version that served before the champion; None when there is none to go back to."""
        return self._alias(PREVIOUS)

    def version(self, number: int) -> Version:
        """A version by its number."""
        with self._asking(f"version {number} of {self.name}"):
            return _version(self._client.get_model_version(self.name, str(number)))

    def load(self, version: Version) -> RiskModel:
        """A version's model. Raises ModelError when its artifact is missing, damaged or for other features."""
        with tempfile.TemporaryDirectory() as folder:
            with self._asking(f"the model of version {version.number}", absent=ModelError):
                found = download_artifacts(artifact_uri=self._location(version), dst_path=folder,
                                           tracking_uri=self._uri, registry_uri=self._uri)
            return artifact.read(next(Path(found).rglob(artifact.FILE), Path(found) / artifact.FILE))

    def register(self, run_id: str, tags: Mapping[str, str] | None = None) -> Version:
        """Makes the model that a run logged a new version."""
        with self._asking(f"the run {run_id}"):
            try:
                self._client.create_registered_model(self.name, description="Risk of an adverse event of grade 2 or above in 24 h")
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            outputs = self._client.get_run(run_id).outputs
            logged = [output.model_id for output in outputs.model_outputs] if outputs else []
            if len(logged) != 1:
                raise RegistryError(f"the run {run_id} has logged {len(logged)} models, and a version is made of one: train again")
            made = self._client.create_model_version(self.name, f"{_LOGGED}{logged[0]}", run_id, tags=dict(tags or {}),
                                                     model_id=logged[0], await_creation_for=0)
        return self.version(int(made.version))

    def promote(self, number: int) -> Version:
        """Gives a version the alias `champion`; the champion before it becomes `previous`."""
        wanted, former = self.version(number), self.champion()
        if former is None or former.number != wanted.number:
            with self._asking(f"version {number} of {self.name}"):
                if former is not None:  # first, so that a failure in between leaves a champion
                    self._client.set_registered_model_alias(self.name, PREVIOUS, str(former.number))
                self._client.set_registered_model_alias(self.name, CHAMPION, str(number))
        return self.version(number)

    def rollback(self) -> Version:
        """Makes the previous version champion again. There is none to go back to after that, until the next promotion."""
        back = self.previous()
        if back is None:
            raise RegistryError(f"{self.name} has no version with the alias {PREVIOUS} to go back to: promote one by its number")
        with self._asking(f"version {back.number} of {self.name}"):
            self._client.set_registered_model_alias(self.name, CHAMPION, str(back.number))
            self._client.delete_registered_model_alias(self.name, PREVIOUS)
        return self.version(back.number)

    def _location(self, version: Version) -> str:
        # Asked of this server step by step: for a `models:/` address MLflow would ask the process's default server.
        source = str(self._client.get_model_version(self.name, str(version.number)).source)
        if not source.startswith(_LOGGED):
            raise ModelError(f"version {version.number} of {self.name} was not made by a training of ours: promote another")
        return str(self._client.get_logged_model(source.removeprefix(_LOGGED)).artifact_location)

    def _alias(self, alias: str) -> Version | None:
        try:
            with self._asking(self.name, absent=_Absent):
                number = self._client.get_registered_model(self.name).aliases.get(alias)
        except _Absent:
            return None
        return None if number is None else self.version(int(number))

    @contextmanager
    def _asking(self, what: str, absent: type[Exception] = RegistryError) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            code = error.error_code
            if code == "RESOURCE_DOES_NOT_EXIST":
                raise absent(f"{what}: there is none in the registry at {self._uri}") from error
            raise RegistryError(f"{what}: the registry at {self._uri} does not answer as it should ({reason(error)}): see whether "
                                "mlflow-server is healthy, and try again") from error
        except OSError as error:  # requests' errors are of this kind
            raise RegistryError(f"{what}: the registry at {self._uri} is away ({reason(error)}): see whether "
                                "mlflow-server is healthy, and try again") from error


def reason(error: MlflowException | OSError) -> str:
    """What went wrong, in a line. A connection that MLflow's client lost has the same code as whatever goes wrong in the server;
    the words tell them apart."""
    words = str(error).rpartition("Caused by ")[2].partition("\n")[0][:MOST_WORDS]
    return f"{getattr(error, 'error_code', type(error).__name__)}: {words}"


class _Absent(Exception):
    pass


def _version(found: ModelVersion) -> Version:
    return Version(int(found.version), found.run_id or "", tuple(sorted(found.aliases)), dict(found.tags))
