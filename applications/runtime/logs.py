"""Logs: one JSON object a line, with service, layer, level and event, and never patient data."""

from __future__ import annotations

import logging
import sys

import structlog

from applications.runtime.settings import ServiceSettings

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def configure(settings: ServiceSettings) -> None:
    """Sends this process's logs, those of its libraries too, to standard output as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"), structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger, logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True)

    def place(_logger: object, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": settings.service, "layer": settings.layer, **entry}

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, place,
                    structlog.processors.JSONRenderer(default=str)]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(True)
    # Libraries speak of every request and connection at these levels, with addresses that may hold identifiers.
    for chatty in ("uvicorn.access", "aio_pika", "aiormq", "pika", "botocore", "boto3", "urllib3", "httpx", "httpcore", "py4j"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
