"""Writes a report's figures into docs/paper.md, between its two marks.

    stylecrypt evaluate FACES --pairs --report REPORT
    python scripts/figures/paper_tables.py REPORT

FACES is the Face Research Lab London Set, two photos of each person (see the data set's terms).
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from stylecrypt_lab.evaluation.summary import Summary
from stylecrypt_lab.evaluation.tables import Table, summary_tables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "paper.md"
MARKS = re.compile(r"(<!-- OUR FIGURES BEGIN.*?-->\n).*(<!-- OUR FIGURES END -->)", re.DOTALL)


def markdown(table: Table) -> str:
    rows = [table.head, ("---",) * len(table.head), *table.rows]
    return f"### {table.title}\n\n{table.note}\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    summary = Summary.model_validate_json((parser.parse_args().report / "report.json").read_bytes())
    figures = (
        f"Model hash `{summary.model_hash[:16]}`, {len(summary.people)} people "
        f"(`stylecrypt evaluate FACES --pairs --limit {len(summary.people)}`, "
        "written here by `scripts/figures/paper_tables.py`).\n\n"
    )
    figures += "\n".join(markdown(table) for table in summary_tables(summary))
    page, found = MARKS.subn(lambda marks: f"{marks[1]}{figures}\n{marks[2]}", PAGE.read_text(encoding="utf-8"))
    assert found == 1, "the marks are gone"  # noqa: S101
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
