"""A file is read by its content: format, encoding, quoting; what cannot be used is refused."""

import gzip
import json
import os
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import reading, sheets
from engine.errors import DatasetError
from engine.sheets import Table

RECORDS = [{"text": "Café opens early", "label": "good"}, {"text": "late again", "label": "bad"}]
CSV = "text,label\nCafé opens early,good\nlate again,bad\n"


def written(folder: Path, data: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def codes(table: Table) -> list[str]:
    return [issue.code for issue in table.issues]


def refusal(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        reading.read(path)
    message = str(caught.value)
    assert message.startswith((path.name, "There is no file"))
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("data", "format_name"),
    [
        (CSV, "csv"),
        (CSV.replace(",", ";"), "csv"),
        (CSV.replace(",", "|"), "csv"),
        (CSV.replace(",", "\t"), "tsv"),
        (CSV.replace("\n", "\r\n"), "csv"),
        ("sep=;\r\n" + CSV.replace(",", ";"), "csv"),
        (CSV.replace("\n", "\r"), "csv"),
        (json.dumps(RECORDS), "json"),
        (json.dumps(RECORDS, indent=2), "json"),
        (json.dumps({"data": RECORDS}, indent=2), "json"),
        (json.dumps({"text": [r["text"] for r in RECORDS], "label": ["good", "bad"]}, indent=1), "json"),
        ("\n".join(map(json.dumps, RECORDS)), "jsonl"),
        ("\n\n" + "\r\n\r\n".join(map(json.dumps, RECORDS)) + "\r\n", "jsonl"),
    ],
)
def test_the_same_records_come_from_every_text_format(tmp_path: Path, data: str, format_name: str) -> None:
    table = reading.read(written(tmp_path, data))

    assert table.format == format_name
    assert table.columns == ("text", "label")
    assert [dict(record) for record in table.records] == RECORDS
    assert table.numbers == (1, 2)


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    pq.write_table(pa.Table.from_pylist(RECORDS), path)

    table = reading.read(path)

    assert (table.format, table.records) == ("parquet", tuple(RECORDS))
    assert codes(table) == ["format"]


@pytest.mark.parametrize("name", ["data", "data.json", "data.parquet", "data.xlsx"])
def test_a_wrong_or_missing_extension_is_said_and_does_not_matter(tmp_path: Path, name: str) -> None:
    table = reading.read(written(tmp_path, CSV, name))

    assert table.format == "csv"
    assert codes(table) == ["format"]


@pytest.mark.parametrize(
    ("codec", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("latin-1", "cp1252"),
        ("cp1252", "cp1252"),
    ],
)
def test_encodings_are_recognized(tmp_path: Path, codec: str, encoding: str) -> None:
    table = reading.read(written(tmp_path, CSV.encode(codec)))

    assert [dict(record) for record in table.records] == RECORDS
    assert table.encoding == encoding
    assert codes(table) == ([] if encoding.startswith("utf") else ["encoding"])


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Das schöne Café öffnet früh, wir müssen später zurück", "latin-1"),
        ("résumé naïve", "latin-1"),
        ("It’s “great” – really: £5 or €4", "cp1252"),
        ("Ihre Bestellung für Größe 42 ist unterwegs", "cp1252"),
    ],
)
def test_western_accents_survive(tmp_path: Path, text: str, codec: str) -> None:
    table = reading.read(written(tmp_path, f"text;label\n{text};a\nplain;b\n".encode(codec)))

    assert table.records[0]["text"] == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Отличный фильм, очень понравилась игра актёров и музыка", "cp1251"),
        ("Zażółć gęślą jaźń, proszę o szybką odpowiedź w sprawie zamówienia", "cp1250"),
        ("これは素晴らしい映画でした。とても面白かったです", "shift_jis"),
    ],
)
def test_other_languages_are_not_taken_for_western(tmp_path: Path, text: str, codec: str) -> None:
    table = reading.read(written(tmp_path, f"text;label\n{text};a\nplain;b\n".encode(codec)))

    assert table.records[0]["text"] == text


def test_quoted_fields_keep_newlines_delimiters_and_quotes(tmp_path: Path) -> None:
    data = 'text,label\r\n"first line\r\nsecond, ""quoted""",good\r\nplain,bad\r\n'

    table = reading.read(written(tmp_path, data))

    assert sheets.text_of(table.records[0]["text"]) == 'first line\nsecond, "quoted"'
    assert table.numbers == (1, 2)


def test_semicolons_win_although_texts_contain_commas(tmp_path: Path) -> None:
    rows = "".join(f"well, this is, number {i};good\n" for i in range(9))

    assert reading.read(written(tmp_path, f"text;label\n{rows}")).columns == ("text", "label")


def test_one_column_of_texts_with_commas_stays_one_column(tmp_path: Path) -> None:
    table = reading.read(written(tmp_path, 'text\n"Hello, you"\nOne, two, three\n'))

    assert [record["text"] for record in table.records] == ["Hello, you", "One, two, three"]


def test_a_row_with_the_wrong_number_of_fields_is_set_aside(tmp_path: Path) -> None:
    table = reading.read(written(tmp_path, "text,label\none,a\ntwo, or so,b\nthree,a\n\nfour,b\n"))

    assert table.numbers == (1, 3, 4)
    assert table.total == 4
    assert [(i.code, i.row) for i in table.issues] == [("wrong_field_count", 2)]


def test_texts_with_unquoted_commas_are_refused_with_the_fix(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, "text,label\n" + "one, two, three,a\n" * 5))

    assert "line 2 has 4 fields, the header 2" in message
    assert "quotation marks" in message


def test_an_open_quotation_mark_is_refused(tmp_path: Path) -> None:
    assert "never closed" in refusal(written(tmp_path, 'text,label\n"one, two,a\ntwo,b\n'))


def test_loose_quotation_marks_are_read_and_said(tmp_path: Path) -> None:
    table = reading.read(written(tmp_path, 'text,label\n"a "good" one",x\nplain,y\n'))

    assert len(table.records) == 2
    assert codes(table) == ["loose_quotes"]


def test_a_missing_header_is_noticed(tmp_path: Path) -> None:
    table = reading.read(
        written(tmp_path, "I like it,good\nI hate it,bad\nSo nice,good\nSo bad,bad\nMeh,bad\n")
    )

    assert table.columns == ("column_1", "column_2")
    assert len(table.records) == 5
    assert codes(table) == ["no_header"]


def test_columns_without_a_name_of_their_own_get_one(tmp_path: Path) -> None:
    table = reading.read(written(tmp_path, ",text,text\n0,one,a\n1,two,b\n"))

    assert table.columns == ("unnamed_1", "text", "text_3")
    assert codes(table) == ["renamed_columns"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty"),
        (b" \n\r\n ", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"text,label\n", "a header but no rows"),
        (b"[]", "no rows"),
        (gzip.compress(CSV.encode(), mtime=0), "gzip"),
        (b"PK\x03\x04rest", "Excel"),
        (b"%PDF-1.7 rest", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
        (bytes(range(256)) * 40, "not a text table"),
        (b"PAR1 but not really PAR1", "damaged Parquet"),
        (b'[{"text": "one"}, {"text": ', "broken JSON at line 1"),
        (b"[1, 2, 3]", "named fields"),
        (b'{"text": "a"}\n{"text": \nnot json\n{{\n', "are not JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, data: bytes, expected: str
) -> None:
    assert expected in refusal(written(tmp_path, data))


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    refusal(written(tmp_path, os.urandom(20_000)))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no file nowhere.csv" in refusal(tmp_path / "nowhere.csv")


def test_a_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE rows (text)")
    connection.close()

    assert "SQLite" in refusal(path)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"text": ' + "["])
def test_deeply_nested_json_is_refused(tmp_path: Path, opening: str) -> None:
    assert "nested too deeply" in refusal(written(tmp_path, opening * 100_000))


def test_a_json_line_nested_deeply_is_refused(tmp_path: Path) -> None:
    deep = '{"text": ' + "[" * 50_000 + "]" * 50_000 + "}"

    assert "nested too deeply" in refusal(written(tmp_path, f'{{"text": "a"}}\n{deep}\n'))


def test_a_line_that_is_not_json_is_set_aside_by_number(tmp_path: Path) -> None:
    table = reading.read(written(tmp_path, '{"text": "a"}\n{"text": \n{"text": "b"}\n7\n{"text": "c"}\n'))

    assert table.numbers == (1, 3, 5)
    assert table.total == 5
    assert [(i.code, i.row) for i in table.issues if i.row] == [("bad_line", 2), ("not_an_object", 4)]


def test_a_line_separator_inside_a_json_text_ends_no_line(tmp_path: Path) -> None:
    table = reading.read(written(tmp_path, '{"text": "a\u2028b"}\n{"text": "c"}\n', "data.jsonl"))

    assert [record["text"] for record in table.records] == ["a\u2028b", "c"]


def test_squad_files_become_one_row_per_question(tmp_path: Path) -> None:
    answer = {"text": "1990s", "answer_start": 3}
    document = {
        "version": "1.1",
        "data": [
            {
                "title": "Tesla",
                "paragraphs": [{"context": "C", "qas": [{"question": "Q", "answers": [answer]}]}],
            }
        ],
    }

    table = reading.read(written(tmp_path, json.dumps(document), "data.json"))

    record = {"title": "Tesla", "context": "C", "question": "Q", "answers": [answer]}
    assert dict(table.records[0]) == record
    assert codes(table) == ["squad_format"]


def test_a_file_above_50_mb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    with path.open("wb") as file:
        file.truncate(sheets.MAX_BYTES + 1)

    assert "at most 50 MB" in refusal(path)


def test_a_parquet_file_of_a_hundred_million_rows_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    block = pa.table({"text": pa.array(["x"] * 1_000_000).dictionary_encode()})
    with pq.ParquetWriter(path, block.schema) as writer:
        for _ in range(100):
            writer.write_table(block)
    assert path.stat().st_size < 2_000_000

    assert "more than 200,000 rows" in refusal(path)


@pytest.mark.parametrize("nested", [False, True])
def test_a_parquet_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, nested: bool) -> None:
    path = tmp_path / "data.parquet"
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), pa.array(["x" * 1_000_000]))
    column = pa.ListArray.from_arrays(pa.array(range(10_001), pa.int32()), texts) if nested else texts
    pq.write_table(pa.table({"text": column}), path)
    assert path.stat().st_size < 2_000_000

    assert "more than 200 MB" in refusal(path)


def test_too_many_rows_are_refused_in_text_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 3)

    for data in (
        "text,label\n" + "a,b\n" * 4,
        '{"text": "a"}\n' * 4,
        json.dumps([{"text": "a"}] * 4),
    ):
        assert "more than 3 rows" in refusal(written(tmp_path, data))
    assert len(reading.read(written(tmp_path, "text,label\n" + "a,b\n" * 3)).records) == 3


def test_millions_of_empty_json_values_are_refused(tmp_path: Path) -> None:
    assert "too many nested values" in refusal(written(tmp_path, "[" + "{}," * 6_000_000 + "{}]"))


def test_a_thousand_columns_are_the_limit(tmp_path: Path) -> None:
    header = ",".join(f"c{i}" for i in range(1001))
    lines = "\n".join(json.dumps({f"c{i}": 1}) for i in range(1001))

    assert "1,000 columns" in refusal(written(tmp_path, f"{header}\n{header}\n"))
    assert "1,000 columns" in refusal(written(tmp_path, lines))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (float("nan"), None),
        ("", None),
        ("  \n ", None),
        ("NaN", None),
        ("null", None),
        ("None", "None"),
        (0, "0"),
        (3.0, "3"),
        (0.5, "0.5"),
        (True, "true"),
        ("  a\r\nb ", "a\nb"),
        ("a\x00b", "ab"),
        ("broken \ud800 letter", "broken \ufffd letter"),
        (["a", 1], '["a", 1]'),
        ("Grüße".encode(), "Grüße"),
    ],
)
def test_cells_become_clean_text_or_are_missing(value: object, text: str | None) -> None:
    assert sheets.text_of(value) == text


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['a', \"it's\"]", ["a", "it's"]),
        ('{"text": ["a"], "answer_start": [3]}', {"text": ["a"], "answer_start": [3]}),
        ("[spam]", "[spam]"),
        ("[" * 5_000, "[" * 5_000),
        ("[__import__('os').getcwd()]", "[__import__('os').getcwd()]"),
        ("plain", "plain"),
        (7, 7),
    ],
)
def test_lists_written_into_a_cell_are_read_and_never_run(value: object, found: object) -> None:
    assert sheets.parsed(value) == found


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("data.csv", "data.csv"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/absolute/data.csv", "data.csv"),
        ("..", "data"),
        ("", "data"),
        (".bashrc", "bashrc"),
        ("a\x00b\n<script>.csv", "a_b__script_.csv"),
        ("Kündigungen März.csv", "Kündigungen März.csv"),
    ],
)
def test_file_names_lose_folders_and_control_characters(name: str, safe: str) -> None:
    assert reading.safe_name(name) == safe


def test_very_long_file_names_are_cut_and_keep_their_extension() -> None:
    name = reading.safe_name("x" * 500 + ".csv")

    assert len(name) <= 100
    assert name.endswith(".csv")


def test_a_single_json_object_is_one_row(tmp_path: Path) -> None:
    row = {"context": "C", "question": "Q", "answers": [{"text": "A"}]}

    table = reading.read(written(tmp_path, json.dumps(row), "data.jsonl"))

    assert table.records == (row,)
    assert codes(table) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300) | st.text(alphabet='{}[]",;:\n\t\\ntrue0a\u00e9', max_size=200).map(str.encode)
)
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path, data)

    try:
        table = reading.read(path)
    except DatasetError as error:
        assert "\n" not in str(error)
    else:
        assert len(table.records) == len(table.numbers) <= table.total
