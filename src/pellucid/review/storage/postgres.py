"""Review decisions in a PostgreSQL database, for several servers that share a workspace."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pellucid.core.errors import MissingDependencyError
from pellucid.review.errors import InvalidReviewUrlError

SCHEMES = ("postgresql", "postgres")


class PostgresDatabase:
    """url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with `?host=FOLDER` for a socket and
    `?sslmode=require` for TLS."""

    id_column_type = "BIGSERIAL PRIMARY KEY"
    placeholder = "%s"
    exists = True

    def __init__(self, url: str) -> None:
        url_parts = urlsplit(url)
        if url_parts.scheme not in SCHEMES:
            raise InvalidReviewUrlError(f"{url_parts.scheme or 'no'} scheme")
        try:
            import pg8000.dbapi
        except ImportError as error:
            raise MissingDependencyError("pg8000", "PostgreSQL", "postgres") from error
        options = {
            key: option_values[-1] for key, option_values in parse_qs(url_parts.query).items()
        }
        host, port = (
            options.get("host") or url_parts.hostname or "127.0.0.1",
            url_parts.port or 5432,
        )
        self.driver_errors: tuple[type[Exception], ...] = (pg8000.dbapi.Error, OSError)
        self._connect = pg8000.dbapi.connect
        self._address: dict[str, Any] = (
            {"unix_sock": f"{host}/.s.PGSQL.{port}"}
            if host.startswith("/")
            else {"host": host, "port": port}
        )
        self._user, self._password = (
            unquote(url_parts.username or "postgres"),
            unquote(url_parts.password or "") or None,
        )
        self._database = unquote(url_parts.path.lstrip("/")) or self._user
        self._tls_context = {
            "require": insecure_tls_context(),
            "verify-full": ssl.create_default_context(),
        }.get(options.get("sslmode", ""))
        self.display_name = f"PostgreSQL database '{self._database}' at {host}"
        """Without the password: this name is displayed and logged."""

    def connect(self) -> Any:
        return self._connect(
            self._user,
            password=self._password,
            database=self._database,
            ssl_context=self._tls_context,
            timeout=30,
            application_name="pellucid",
            **self._address,
        )

    def begin(self, cursor: Any, writable: bool) -> None:
        """The driver opens the transaction itself. The lock allows one writer at a time, so ids
        are committed in ascending order."""
        if writable:
            cursor.execute("SELECT pg_advisory_xact_lock(7860)")

    def find_problem(self, cursor: Any) -> str | None:  # PostgreSQL has its own checksums
        return None

    def load_schema_version(self, cursor: Any) -> int | None:
        # Not `to_regclass`: it answers from a cache that a transaction fills before it waits for
        # the lock, and then misses the table that the transaction before it has created.
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE tablename = 'pellucid_schema' "
            "AND schemaname = ANY (current_schemas(false)))"
        )
        if not cursor.fetchone()[0]:
            return None
        cursor.execute("SELECT number FROM pellucid_schema")
        return int(cursor.fetchone()[0])

    def write_schema_version(self, cursor: Any, version: int) -> None:
        cursor.execute("CREATE TABLE pellucid_schema (number INTEGER NOT NULL)")
        cursor.execute("INSERT INTO pellucid_schema VALUES (%s)", (version,))


def insecure_tls_context() -> ssl.SSLContext:
    """Encryption without certificate verification, like libpq's `sslmode=require`."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
