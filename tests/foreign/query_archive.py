"""Asks an archive with a column store that nobody here wrote: pyarrow.

    python query_archive.py ARCHIVE [KEY]

Reads the whole archive as one Hive-partitioned table a log kind; with KEY (64 hexadecimal digits) encrypted files. Prints
JSON: predictions counted by date, model version, decision and each attribute; outcomes counted by label; kinds of all
records; ledger entries by kind; and whether every `record` begins with 16 bytes of salt and the format's byte.
"""

import collections
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption


def table(folder, key):
    """All files below a folder as one table, with the columns of its partitions."""
    if not folder.is_dir():
        return None
    if key is None:
        return ds.dataset(folder, format="parquet", partitioning="hive").to_table()
    properties = encryption.create_decryption_properties(footer_key=key)
    tables = [pq.read_table(file, decryption_properties=properties, partitioning=None) for file in folder.rglob("*.parquet")]
    return pa.concat_tables(tables)


def counts(table, columns):
    """Rows by the values of columns."""
    grouped = table.group_by(columns).aggregate([([], "count_all")]).to_pylist()
    return sorted([*(str(row[column]) for column in columns), row["count_all"]] for row in grouped)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(2)
    archive = Path(sys.argv[1])
    key = bytes.fromhex(sys.argv[2]) if len(sys.argv) == 3 else None
    kinds, whole, answer = collections.Counter(), True, {}
    for name in ("predictions", "outcomes", "ledger"):
        found = table(archive / name, key)
        if found is None:
            continue
        kinds.update(found["kind"].to_pylist())
        whole = whole and all(len(record) > 17 and record[16] == 3 for record in found["record"].to_pylist())
        rows = found.filter(pa.compute.not_equal(found["kind"], "pad"))
        if name == "predictions":
            attributes = [column for column in rows.column_names if column.startswith("attribute_")]
            dates = ["date"] if key is None else []
            answer[name] = counts(rows, dates + ["model_version", "decision", *attributes])
            answer["by_time"] = counts(rows.append_column("day", rows["occurred_at"].cast(pa.date32())), ["day"])
        elif name == "outcomes":
            answer[name] = counts(rows, ["label"])
        else:
            answer[name] = counts(pa.table({"entry": [next(iter(json.loads(entry))) for entry in rows["entry"].to_pylist()]}), ["entry"])
    print(json.dumps({**answer, "kinds": kinds, "whole": whole}))


main()
