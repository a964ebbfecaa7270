"""Text files of tables: encoding, delimiter and header."""

from __future__ import annotations

import codecs
import csv
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pellucid.core.errors import MalformedFileError
from pellucid.formats.dataset import parse_split
from pellucid.formats.errors import HeaderMissingError
from pellucid.formats.image_files import is_image_file
from pellucid.formats.parsing import UTF16_MARKS, is_number
from pellucid.formats.tabular.column_names import IMAGE_NAMES, name_tier, parse_column_name

DELIMITERS = ",;\t|"
CHECK_BYTES = 1 << 22
COMMENT_MARK = "#"
COLUMN_PATTERN = re.compile(r"[A-Za-z]+([ _-]?[A-Za-z]+)*")


@dataclass(frozen=True)
class TextTable:
    """A table as UTF-8 text.

    Attributes:
        header_line_number: counted from 1
        header_line_count: more than one where a name in quotes has line breaks
    """

    path: Path
    delimiter: str
    column_names: tuple[str, ...]
    header_line_number: int
    header_line_count: int = 1


@contextmanager
def open_text_table(path: Path) -> Iterator[TextTable]:
    """The table as a UTF-8 file: the file itself, or a temporary copy of a UTF-16 file.

    Raises:
        MalformedFileError: the encoding is neither UTF-8 nor UTF-16, or two columns have the same
            name.
        HeaderMissingError: the first line has data.
    """
    with path.open("rb") as file:
        start = file.read(2)
    if start not in UTF16_MARKS:
        require_utf8(path)
        yield parse_header(path, path)
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        copy = Path(folder) / "table.csv"
        try:
            with (
                path.open(encoding="utf-16", newline="") as source,
                copy.open("w", encoding="utf-8", newline="") as target,
            ):
                while block := source.read(CHECK_BYTES):
                    target.write(block)
        except UnicodeError as error:
            raise MalformedFileError(path, f"invalid UTF-16: {error}") from error
        yield parse_header(copy, path)


def require_utf8(path: Path) -> None:
    """Raise MalformedFileError at the first line that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(CHECK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise encoding_error(path) from None


def encoding_error(path: Path) -> MalformedFileError:
    """Names the line and what it would be in the most common other encoding."""
    with path.open("rb") as file:
        for line_number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                guess = line.decode("cp1252", "replace").strip()[:60]
                return MalformedFileError(
                    path,
                    f"line {line_number} is not UTF-8: byte 0x{line[error.start]:02X}, perhaps of "
                    f"'{guess}' in Windows-1252. Save the file as UTF-8",
                )
    return MalformedFileError(path, "not UTF-8. Save the file as UTF-8")


def parse_header(path: Path, original_path: Path) -> TextTable:
    """The header of a UTF-8 file. A first line `sep=;`, as Excel writes it, sets the delimiter.
    Lines of comments may stand above the header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        comment_count = skip_comments(file)
        header_line, header_line_number = load_first_line(file)
        header_line_number += comment_count
        stated = re.fullmatch(r'"?sep=(.)"?[,;\t]*', header_line)
        if stated:
            header_line = file.readline().rstrip("\r\n")
            header_line_number += 1
        header_lines = [header_line, *rest_of_record(file, header_line)]
        header_line = "\n".join(header_lines)
        second_line = file.readline().rstrip("\r\n")
    delimiter = stated[1] if stated else find_delimiter(header_line)
    cells = next(csv.reader(split_lines(header_line), delimiter=delimiter), [])
    if is_data_line(cells):
        second_cells = next(csv.reader([second_line], delimiter=delimiter), [])
        raise HeaderMissingError(original_path, cells, suggest_header([cells, second_cells]))
    column_names = tuple(
        " ".join(column_name.split()) or f"column {column_index}"
        for column_index, column_name in enumerate(cells)
    )
    for column_name, count in Counter(name.lower() for name in column_names).items():
        if count > 1:
            raise MalformedFileError(
                original_path, f"duplicate column '{column_name}': rename one of them"
            )
    return TextTable(path, delimiter, column_names, header_line_number, len(header_lines))


MAX_HEADER_LINES = 1_000
MAX_CELL_BYTES = 1 << 24


def rest_of_record(file: TextIO, line: str) -> list[str]:
    """The lines that follow a line whose quotes are still open, until they are closed."""
    lines: list[str] = []
    quotes = line.count('"')
    while quotes % 2 and len(lines) < MAX_HEADER_LINES and (next_line := file.readline()):
        lines.append(next_line.rstrip("\r\n"))
        quotes += next_line.count('"')
    return lines if quotes % 2 == 0 else []


def skip_comments(file: TextIO) -> int:
    """Skip the lines above a header that begin with `#`, and return their number: 0 if no header
    with a column of images follows, so that `#image,label` is a header itself."""
    line_number, start = 0, file.tell()
    while (line := file.readline()).startswith(COMMENT_MARK) or (line and not line.strip()):
        line_number += 1
        start_of_next = file.tell()
    names = next(csv.reader([line], delimiter=find_delimiter(line)), [])
    is_header = any(
        name_tier(parse_column_name(name).rest, IMAGE_NAMES) is not None for name in names
    )
    if not line_number or not is_header:
        file.seek(start)
        return 0
    file.seek(start_of_next)
    return line_number


def load_first_line(file: TextIO) -> tuple[str, int]:
    """The first line that is not blank, and its number; of a blank file the last one."""
    line_number = 0
    for line_number, line in enumerate(iter(file.readline, ""), 1):
        if line.strip():
            return line.rstrip("\r\n"), line_number
    return "", max(1, line_number)


def split_lines(text: str) -> list[str]:
    """The lines of a record with their ends, at line feeds alone."""
    return [f"{line}\n" for line in text.split("\n")]


def find_delimiter(header_line: str) -> str:
    """The delimiter that gives most cells; one inside quotes does not count."""
    lines = split_lines(header_line)
    return max(DELIMITERS, key=lambda delimiter: len(next(csv.reader(lines, delimiter=delimiter))))


def is_data_line(cells: Sequence[str]) -> bool:
    """Whether a first line has data: a file name of an image or, in most cells, numbers."""
    if any(is_image_file(cell.strip()) for cell in cells):
        return True
    if any(name_tier(parse_column_name(cell).rest, IMAGE_NAMES) is not None for cell in cells):
        return False
    numbers = [cell.strip() for cell in cells if is_number(cell)]
    is_counted = any(numbers == [*map(str, range(n, n + len(numbers)))] for n in (0, 1))
    if is_counted and len(cells) == len(numbers) + 1 and COLUMN_PATTERN.fullmatch(cells[0].strip()):
        return False  # of a data frame with a column for each class
    return len(cells) > 1 and len(numbers) * 2 > len(cells)


NUMBER_NAMES = {
    1: ("score",),
    4: ("xmin", "ymin", "xmax", "ymax"),
    5: ("xmin", "ymin", "xmax", "ymax", "score"),
}
"""What so many columns of numbers may be."""


def suggest_header(rows: Sequence[Sequence[str]]) -> str:
    """A header for lines of data, with a name for each column: `image,xmin,ymin,xmax,ymax,concept`
    or `concept,image`; `column3` where it cannot be told."""
    cells = max(rows, key=lambda row: sum(bool(cell.strip()) for cell in row))
    image = next((index for index, cell in enumerate(cells) if is_image_file(cell.strip())), None)
    texts = [index for index, cell in enumerate(cells) if not is_number(cell) and index != image]
    numbers = [index for index, cell in enumerate(cells) if is_number(cell)]
    names = {index: f"column{index + 1}" for index in range(len(cells))}
    if image is None and texts:
        image, *texts = texts
    splits = [index for index in texts if parse_split(cells[index].strip()) is not None]
    if len(texts) > len(splits):
        names |= dict.fromkeys(splits[:1], "split")
        texts = [index for index in texts if index not in splits]
    names |= dict(zip(texts, ("concept",), strict=False))
    if image is not None:
        names[image] = "image"
    number_names = NUMBER_NAMES.get(len(numbers), ())
    if not texts and len(numbers) == 1:
        number_names = ("concept",)
    names |= dict(zip(numbers, number_names, strict=False))
    return ",".join(names.values())


def has_mixed_newlines(path: Path) -> bool:
    """Whether the file mixes LF and CRLF, which DuckDB reads only without strict mode."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
    return b"\r\n" in head and head.count(b"\n") > head.count(b"\r\n")


def check_widths(text_table: TextTable) -> None:
    """Raise MalformedFileError if a row has more cells than the header, which DuckDB drops where it
    is not strict."""
    csv.field_size_limit(MAX_CELL_BYTES)
    with text_table.path.open(encoding="utf-8-sig", newline="") as file:
        for _ in range(text_table.header_line_number - 1):
            file.readline()
        rows = csv.reader(file, delimiter=text_table.delimiter)
        for row in rows:
            if any(row[len(text_table.column_names) :]):
                line = rows.line_num + text_table.header_line_number - 1
                raise MalformedFileError(
                    text_table.path,
                    f"line {line} has {len(row)} values; expected {len(text_table.column_names)}, "
                    "as in the header",
                )
