"""Files compressed with gzip are read as the files that they hold."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.core.errors import FileTooLargeError, MalformedFileError, PellucidError
from pellucid.formats.limits import MAX_TEXT_BYTES

GZIP_MARK = b"\x1f\x8b"
CHUNK_BYTES = 1 << 20


@contextmanager
def decompress(path: Path) -> Iterator[Path]:
    """The path, or of a gzip file that of its content in a temporary folder. Error messages
    contain the original path.

    Raises:
        MalformedFileError: the file is truncated or damaged.
        FileTooLargeError: its content is larger than any file that is read as a whole.
    """
    if not is_gzip(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        content = Path(folder) / (path.stem if path.suffix.lower() == ".gz" else path.name)
        write_content(path, content)
        try:
            yield content
        except PellucidError as error:
            error.args = (str(error).replace(str(content), str(path)),)
            raise


def is_gzip(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(GZIP_MARK)) == GZIP_MARK


def write_content(path: Path, target: Path) -> None:
    written = 0
    try:
        with gzip.open(path) as compressed, target.open("wb") as file:
            while chunk := compressed.read(CHUNK_BYTES):
                written += len(chunk)
                if written > MAX_TEXT_BYTES:
                    raise FileTooLargeError(
                        path,
                        f"holds more than {MAX_TEXT_BYTES:,} bytes",
                        "that is the limit",
                        "Split it, or convert it to Parquet.",
                    )
                file.write(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MalformedFileError(path, f"cannot be decompressed: {error}") from error
