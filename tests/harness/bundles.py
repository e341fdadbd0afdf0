"""Evidence exports as whoever opens them reads them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pyarrow.parquet

from accounts.callers import Caller
from accounts.models import User
from audit import export_file
from audit.filters import EventFilter
from audit.services.ask_export import ask_export
from audit.services.seal import seal
from audit.services.write_export import write_export
from audit.verifier import verify


def evidence_for(who: User, **filters: str) -> Path:
    """The ZIP of everything that fits, as this person gets it; everything is sealed before."""
    seal()
    asked = ask_export(
        chosen=EventFilter.model_validate(filters),
        file_format="bundle",
        caller=Caller.of_session(who),
    )
    write_export(asked.pk)
    asked.refresh_from_db()
    assert asked.state == "finished", asked.problem
    return export_file.path_of(asked)


def texts_of(path: Path) -> dict[str, str]:
    """Every file of the ZIP by its name: disclosures opened, Parquet as rows, everything else as it stands."""
    read = {}
    with zipfile.ZipFile(path) as opened:
        for name in opened.namelist():
            if name == "events.parquet":
                with opened.open(name) as file:
                    rows = pyarrow.parquet.read_table(file).to_pylist()
                read[name] = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
                continue
            text = opened.read(name).decode()
            if name == "disclosures.jsonl":
                lines = [json.loads(line)["disclosure"] for line in text.splitlines()]
                text = "\n".join(
                    json.dumps(verify.read_disclosure(line), ensure_ascii=False) for line in lines
                )
            read[name] = text
    return read
