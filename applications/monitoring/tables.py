"""Delta tables and bronze objects as Arrow data sets, of which only what a check needs is read; DuckDB counts over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow import fs

from applications.monitoring.lake import CONNECT_SECONDS, SECONDS, LakeAccess, LakeError

MOMENT = pa.timestamp("us", "UTC")
HOUR = timedelta(hours=1)
BRONZE = "bronze"
CLOCKS = timedelta(minutes=10)
"""How far the clock of whoever wrote a file may be behind that of Kafka."""
MEMORY_MB = 400
THREADS = 1


@dataclass(frozen=True)
class Span:
    """A stretch of time, from `begin` up to, and not including, `end`; both aware, kept in UTC."""

    begin: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.begin.tzinfo is None or self.end.tzinfo is None or self.begin >= self.end:
            raise ValueError("a span needs two moments with an offset, the first before the second")
        object.__setattr__(self, "begin", self.begin.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    def shifted(self, by: timedelta) -> Span:
        """The same length, later by so much."""
        return Span(self.begin + by, self.end + by)

    def within(self, column: str) -> pc.Expression:
        """Whether a column of moments lies in it."""
        return (pc.field(column) >= moment(self.begin)) & (pc.field(column) < moment(self.end))

    def hours(self) -> list[datetime]:
        """The beginnings of the hours that it touches."""
        first = self.begin.replace(minute=0, second=0, microsecond=0)
        return [first + HOUR * index for index in range(-((first - self.end) // HOUR))]


@dataclass(frozen=True)
class Tables:
    """The tables below a root, such as `silver/lab-results`. Raises LakeError where the lake does not answer."""

    root: str
    filesystem: fs.FileSystem
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def on_store(cls, access: LakeAccess) -> Tables:
        """Those of the platform's lake."""
        place = urlsplit(access.endpoint)
        filesystem = fs.S3FileSystem(
            access_key=access.user, secret_key=access.secret, region=access.region, scheme=place.scheme,
            endpoint_override=place.netloc, connect_timeout=CONNECT_SECONDS, request_timeout=SECONDS)
        return cls("s3://", filesystem, access.options())

    @classmethod
    def in_folder(cls, folder: Path) -> Tables:
        """Those in a folder."""
        return cls(f"{folder}/", fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem()))

    def uri(self, name: str) -> str:
        """The address of a table."""
        return f"{self.root}{name}"

    def table(self, name: str) -> DeltaTable | None:
        """A table as it is now; None while there is none."""
        with reading(name):
            try:
                return DeltaTable(self.uri(name), storage_options=dict(self.options))
            except TableNotFoundError:
                return None

    def began(self, names: Iterable[str]) -> datetime | None:
        """When the first of these tables was made (UTC); None while there is none of them."""
        found = [table.metadata().created_time for name in names if (table := self.table(name)) is not None]
        made = [moment for moment in found if moment is not None]
        return datetime.fromtimestamp(min(made) / 1000, UTC) if made else None

    def rows(self, name: str, where: pc.Expression | None = None, written_since: datetime | None = None) -> ds.Dataset | None:
        """The rows of a table for which `where` holds; None while there is no table. Files written before `written_since` are
        left out: what was received later is not in them.
        """
        table = self.table(name)
        if table is None:
            return None
        with reading(name):
            found = table.to_pyarrow_dataset()
            if written_since is not None:
                found = _written_since(table, found, written_since)
            return found if where is None else found.filter(where)

    def bronze(self, topic: str, span: Span, where: pc.Expression | None = None) -> ds.Dataset | None:
        """The records of a topic that Kafka took in the span; None where no object holds any. `epoch` is the beginning of the
        topic's identity, from the objects' names.
        """
        paths = list(self._bronze_paths(topic, span))
        if not paths:
            return None
        with reading(f"{BRONZE}/{topic}"):
            layout = ds.ParquetFileFormat()
            parts = [layout.make_fragment(path, self.filesystem, partition_expression=pc.field("epoch") == path[-20:-8])
                     for path in paths]
            schema = pq.read_schema(self.filesystem.open_input_file(paths[0])).append(pa.field("epoch", pa.string()))
            inside = span.within("timestamp")
            return ds.FileSystemDataset(parts, schema, layout, self.filesystem).filter(inside if where is None else inside & where)

    def _bronze_paths(self, topic: str, span: Span) -> Iterator[str]:
        # An object lies in the hour of its first record, so one that was begun in the hour before is looked at too.
        for hour in Span(span.begin - HOUR, span.end).hours():
            folder = f"{BRONZE}/{topic}/date={hour:%Y-%m-%d}/hour={hour:%H}"
            with reading(folder):
                there = self.filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
                yield from sorted(found.path for found in there if found.is_file and found.path.endswith(".parquet"))


def moment(value: datetime) -> pa.Scalar:
    """A moment as the tables' columns have it."""
    return pa.scalar(value, MOMENT)


def count(sql: str, **sources: ds.Dataset | pa.Table) -> list[tuple[Any, ...]]:
    """The rows of a query over data sets by their names, with bounded memory. Raises LakeError when one cannot be read."""
    with reading(" and ".join(sources)), duckdb.connect(config={"threads": THREADS, "memory_limit": f"{MEMORY_MB}MB",
                                                                "temp_directory": "/tmp"}) as connection:
        for name, source in sources.items():
            connection.register(name, source)
        return connection.execute(sql).fetchall()


def columns_of(dataset: ds.Dataset, names: Sequence[str]) -> pa.Table:
    """Some columns of a data set, in memory. Raises LakeError when it cannot be read."""
    with reading("a table"):
        return dataset.to_table(columns=list(names))


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns errors of the stores' libraries into a LakeError that names what was read."""
    try:
        yield
    except (OSError, DeltaError, duckdb.Error) as error:
        words = " ".join(str(error).split())[:300]
        raise LakeError(f"{what} cannot be read: {words}. Is the object store up, and may this user read the bucket? See "
                        "`./pipeline infrastructure health`") from error


def _written_since(table: DeltaTable, dataset: ds.Dataset, since: datetime) -> ds.Dataset:
    actions = pa.table(table.get_add_actions(flatten=True))
    least = (since - CLOCKS).timestamp() * 1000
    names = {row["path"].rpartition("/")[2] for row in actions.select(["path", "modification_time"]).to_pylist()
             if row["modification_time"] >= least}
    parts = [part for part in dataset.get_fragments() if part.path.rpartition("/")[2] in names]
    return ds.FileSystemDataset(parts, dataset.schema, dataset.format, dataset.filesystem)
