"""A load run whose endpoint, master and workers meet only over network interfaces."""

import pytest
from namespaces import run, why_not

from conformance.report import files


@pytest.mark.slow
def test_workers_on_other_hosts_find_what_overlapping_requests_do(tmp_path):
    if reason := why_not():
        pytest.skip(reason)
    status, told = run("sendcloud", 2, "4s", tmp_path, racy="double-upsert", rate=200)
    assert status == 1, told
    found = files.report(tmp_path / "report.json")["load"]
    assert len(found["workers"]) == 2
    broken = [row["title"] for row in found["checks"] if row["verdict"] == "violation"]
    assert broken == ["Two callers with one key: one order, with one of the two values."]
    assert found["clean_up"]["left"] == 0
