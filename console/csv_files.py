"""Lists to take along, as CSV that an office's spreadsheet opens as it is: UTF-8 with a mark, sums in yuan, nothing that computes.

The first line says what the file is, of when and by whom, the last one how many lines it has: a file that was cut off has no last line.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flask import Response

from console.pages import me, ports
from console.words import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MARK: Final = "\ufeff"
"""Without it Excel takes UTF-8 for the local code page."""
DANGEROUS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""What a cell must not begin with: a spreadsheet would compute it."""
LOOKS_LIKE_A_NUMBER: Final = re.compile(r"[0-9]{12,}|[0-9]+[eE][0-9]+")
"""A spreadsheet would round it to fifteen digits."""
LINES_AT_ONCE: Final = 200


class Figure(str):
    """A number made here, which may begin with a minus."""

    __slots__ = ()


def figure(fen: int | None) -> Figure:
    """Yuan with two decimals, without separators; empty where there is none."""
    if fen is None:
        return Figure("")
    whole, rest = divmod(abs(fen), 100)
    return Figure(f"{'-' if fen < 0 else ''}{whole}.{rest:02d}")


def cell(value: Any) -> str:
    """As it may stand in a file that a spreadsheet opens: text that would be computed or rounded is led by an apostrophe."""
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, (Figure, int)):
        return text
    return f"'{text}" if text.lstrip(" ").startswith(DANGEROUS) or LOOKS_LIKE_A_NUMBER.fullmatch(text.strip()) else text


def csv_file(name: str, *, columns: Sequence[str], rows: Iterable[Sequence[Any]], remark: str = "") -> Response:
    """The answer of a page: `name` without its ending, `remark` for the first line. `rows` is read while it is sent."""
    heading = [name, remark, f"导出时间 {moment(ports().now())}", f"工号 {me().number}"]
    response = Response(_lines(heading, columns, rows), mimetype="text/csv")
    # A header has Latin letters alone: the name itself stands in its second, escaped form (RFC 6266).
    response.headers["Content-Disposition"] = f"attachment; filename=\"list.csv\"; filename*=UTF-8''{quote(name, safe='')}.csv"
    return response


def _lines(heading: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    written = io.StringIO()
    out = csv.writer(written)
    out.writerow([cell(text) for text in heading if text])
    out.writerow(columns)
    yield MARK + _taken(written)
    count = 0
    for row in rows:
        out.writerow([cell(value) for value in row])
        count += 1
        if count % LINES_AT_ONCE == 0:
            yield _taken(written)
    out.writerow([f"共{count}行"])
    yield _taken(written)


def _taken(written: io.StringIO) -> str:
    text = written.getvalue()
    written.seek(0)
    written.truncate()
    return text
