"""Files that leave the hub: Excel reads them rightly, and no text in them is calculated."""

from __future__ import annotations

import csv
import io
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model import Text
from hub.ports import Refused
from hub.sheet import Cell, Column, Sheet, write, xlsx_file
from hub.sheet.csv_file import csv_text, harmless

COLUMNS = (
    Column("name", Text("名称", "Name")),
    Column("value", Text("用电量", "Energy"), number=True),
)
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=cmd|"/c calc"!A1')


def sheet(*rows: tuple[Cell, ...]) -> Sheet:
    return Sheet("use", COLUMNS, rows)


def xlsx_cells(file: Path) -> list[tuple[str, str]]:
    """Return the type and the text of every cell; a formula would have the type "formula"."""
    with zipfile.ZipFile(file) as book:
        page = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - ours
        shared: list[str] = []
        if "xl/sharedStrings.xml" in book.namelist():
            texts = ET.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - ours
            shared = ["".join(item.itertext()) for item in texts.iter(f"{MAIN}si")]
    found = []
    for cell in page.iter(f"{MAIN}c"):
        kind = "formula" if cell.find(f"{MAIN}f") is not None else cell.get("t", "n")
        text = "".join(cell.itertext())
        found.append(("text", shared[int(text)]) if kind == "s" else (kind, text))
    return found


def test_csv_begins_with_the_mark_that_excel_knows_utf_8_by(tmp_path: Path) -> None:
    write(sheet(("北苑7栋", 1.5), ("八栋", None)), "csv", tmp_path / "a.csv", "zh")
    octets = (tmp_path / "a.csv").read_bytes()
    assert octets.startswith(b"\xef\xbb\xbf")
    assert octets.decode("utf-8-sig").splitlines() == ["名称,用电量", "北苑7栋,1.5", "八栋,"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_calculated(tmp_path: Path, text: str) -> None:
    (row,) = list(csv.reader(io.StringIO("".join(csv_text(sheet((text, -2.5)), "en"))[1:])))[1:]
    assert row == ["'" + text, "-2.5"]
    write(sheet((text, -2.5)), "xlsx", tmp_path / "a.xlsx", "en")
    cells = xlsx_cells(tmp_path / "a.xlsx")
    assert "formula" not in {kind for kind, _ in cells}
    assert cells[-1] == ("n", "-2.5")


@given(st.text(max_size=30))
def test_whatever_a_text_begins_with_it_stays_whole_behind_the_apostrophe(text: str) -> None:
    shown = harmless(text)
    assert isinstance(shown, str)
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert shown in (text, "'" + text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_to_its_last_digit(value: float) -> None:
    text = "".join(csv_text(sheet(("a", value)), "en"))
    assert float(text.splitlines()[1].split(",")[1]) == value


def test_xlsx_keeps_chinese_numbers_and_empty_cells(tmp_path: Path) -> None:
    write(sheet(("北苑7栋", 1.25), (None, 2)), "xlsx", tmp_path / "a.xlsx", "zh")
    cells = [text for _, text in xlsx_cells(tmp_path / "a.xlsx")]
    assert cells == ["名称", "用电量", "北苑7栋", "1.25", "2"]


def test_xlsx_refuses_more_rows_than_a_worksheet_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_file, "MOST_ROWS", 2)
    with pytest.raises(Refused, match="csv or parquet"):
        write(sheet(*[("a", 1)] * 3), "xlsx", tmp_path / "a.xlsx", "zh")


def test_xlsx_opens_with_real_numbers_and_texts_that_stay_texts(tmp_path: Path) -> None:
    texts = (*FORMULAS, "https://example.org", "007", "1e5")
    write(
        sheet(*((text, 0.1 + n) for n, text in enumerate(texts))), "xlsx", tmp_path / "a.xlsx", "zh"
    )
    page = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    titles, *lines = page.iter_rows()
    assert [cell.value for cell in titles] == ["名称", "用电量"]
    # Excel keeps a return inside a text as a mark of its own.
    told = [name.value.replace("_x000D_", "\r") for name, _ in lines]
    assert told == list(texts)
    assert {name.data_type for name, _ in lines} == {"s"}
    assert {number.data_type for _, number in lines} == {"n"}
    assert [number.value for _, number in lines] == [0.1 + n for n in range(len(texts))]
    assert not any(cell.hyperlink for line in lines for cell in line)


def test_csv_keeps_commas_quotes_and_line_ends_inside_a_cell(tmp_path: Path) -> None:
    texts = ('7栋, "东"', "a\nb", "a\r\nb", "", "。")
    write(sheet(*((text, None) for text in texts)), "csv", tmp_path / "a.csv", "zh")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as text:
        assert [name for name, _ in csv.reader(text)][1:] == list(texts)
    octets = (tmp_path / "a.csv").read_bytes().removeprefix(b"\xef\xbb\xbf")
    assert octets.startswith("名称,用电量\r\n".encode())
    assert octets.endswith("。,\r\n".encode())
    frame = pd.read_csv(tmp_path / "a.csv")
    assert list(frame.columns) == ["名称", "用电量"]
    assert len(frame) == len(texts)


# On this night of autumn the clock shows 02:00 twice, an hour apart.
TWICE = ("2026-10-25T02:00:00.000+02:00", "2026-10-25T02:00:00.500+01:00")


def test_pandas_polars_and_duckdb_read_the_types_of_parquet(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    columns = (*COLUMNS, Column("at", Text("时间", "Time"), instant=True))
    lines = [("=1", 0.1, TWICE[0]), (None, None, TWICE[1]), ("北", 1 / 3, None)]
    write(Sheet("use", columns, lines), "parquet", file, "zh")
    instants = [None if at is None else datetime.fromisoformat(at) for _, _, at in lines]

    frame = pl.read_parquet(file)
    assert dict(frame.schema) == {
        "name": pl.String, "value": pl.Float64, "at": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    told = [(name, value, at) for (name, value, _), at in zip(lines, instants, strict=True)]
    assert frame.rows() == told

    table = pd.read_parquet(file)
    assert [str(kind) for kind in table.dtypes] == ["str", "float64", "datetime64[us, UTC]"]
    assert [None if pd.isna(at) else at.to_pydatetime() for at in table["at"]] == instants
    assert table["value"].tolist()[::2] == [0.1, 1 / 3]
    assert table["value"].isna().tolist() == [False, True, False]

    read = duckdb.read_parquet(str(file))
    assert [str(kind) for kind in read.types] == ["VARCHAR", "DOUBLE", "TIMESTAMP WITH TIME ZONE"]
    ends = 'epoch_ms(max("at")) - epoch_ms(min("at"))'
    apart = duckdb.sql(f"SELECT {ends} FROM '{file}'").fetchall()
    assert apart == [(3_600_500,)]


def test_parquet_has_typed_columns_and_what_is_missing_is_null(tmp_path: Path) -> None:
    file = tmp_path / "it's.parquet"
    write(sheet(("=1", 1.5), (None, None), ("北", 3)), "parquet", file, "zh")
    read = duckdb.read_parquet(str(file))
    assert [(name, str(kind)) for name, kind in zip(read.columns, read.types, strict=True)] == [
        ("name", "VARCHAR"),
        ("value", "DOUBLE"),
    ]
    assert read.fetchall() == [("=1", 1.5), (None, None), ("北", 3.0)]
    assert [one.name for one in tmp_path.iterdir()] == ["it's.parquet"]


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
def test_memory_stays_flat_however_long_the_sheet_is(
    tmp_path: Path, form: str, *, full_scale: bool
) -> None:
    def lines(count: int) -> Iterator[tuple[Cell, ...]]:
        return (("dorm-07/meter-101", n / 7) for n in range(count))

    peaks = []
    # Both more than the writers gather at once.
    for count in (12_000, 600_000 if full_scale else 30_000):
        tracemalloc.start()
        write(Sheet("use", COLUMNS, lines(count)), form, tmp_path / f"a.{form}", "zh")  # type: ignore[arg-type]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000
