"""Writes the table of a CSV file as Parquet with a library that nobody here wrote: pyarrow.

    python csv_to_parquet.py CSV PARQUET [snappy|zstd|gzip|lz4|none [ROWS]]

Times become timestamps in UTC, scores floats, decisions and labels integers where all of them are, other texts
dictionaries; what is blank becomes null. Row groups have ROWS rows: 500, so that small files have several.
"""

import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

TIMES = ("occurred_at", "labelled_at")


def column(name, texts):
    """The column's texts with the type that a database would give them."""
    if name in TIMES:
        return pc.cast(pc.strptime(texts, "%Y-%m-%dT%H:%M:%SZ", "us", error_is_null=False), pa.timestamp("us", "UTC"))
    for kind in (pa.int32(), pa.float64()):
        try:
            return pc.cast(texts, kind)
        except pa.ArrowInvalid:
            continue
    return pc.dictionary_encode(texts)


def main():
    if len(sys.argv) not in (3, 4, 5):
        sys.exit(2)
    with open(sys.argv[1], encoding="utf-8") as file:
        names = file.readline().strip().split(",")
    options = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
    )
    table = pa.csv.read_csv(sys.argv[1], convert_options=options)
    columns = {name: column(name, table[name].combine_chunks()) for name in names}
    codec = sys.argv[3] if len(sys.argv) > 3 else "snappy"
    rows = int(sys.argv[4]) if len(sys.argv) > 4 else 500
    pq.write_table(pa.table(columns), sys.argv[2], row_group_size=rows, compression=codec)


main()
