"""The audit log of a real gateway: every change, by whom and from where, through a kill, and without a secret."""

from __future__ import annotations

import json

from tests.support.configs import openai_entry
from tests.support.gateway import MASTER_KEY, Launch
from tests.support.waiting import eventually
from tests.upstreams import FakeOpenAI


def test_changes_are_in_the_log_with_their_callers_and_outlive_a_kill(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]})
    answer = gateway.http("POST", "/key/generate", {"key_alias": "a"}, headers={"litellm-changed-by": "ann"})
    key = answer.json()["key"]
    gateway.http("POST", "/key/update", {"key": key, "rpm_limit": 5})
    gateway.http("POST", "/key/delete", {"keys": ["sk-nobody-has-this-0123"]})
    gateway.http("POST", "/key/generate", {}, key=key)
    gateway.kill()
    gateway.launch()
    page = gateway.http("GET", "/audit?sort_order=asc").json()
    rows = page["audit_logs"]
    assert page["total"] == 4
    assert [(row["action"], row["outcome"], row["status"]) for row in rows] == [
        ("created", "done", 200), ("updated", "done", 200), ("deleted", "refused", 404), ("created", "refused", 403),
    ]  # fmt: skip
    assert rows[0]["changed_by"] == "ann"
    assert {row["ip_address"] for row in rows} == {"127.0.0.1"}
    assert rows[1]["before_value"]["rpm_limit"] is None and rows[1]["updated_values"]["rpm_limit"] == 5
    text = json.dumps(rows)
    assert key not in text and MASTER_KEY not in text and "sk-nobody-has-this-0123" not in text
    lines = gateway.http("GET", "/audit/export").body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in rows]
    assert gateway.http("GET", "/audit", key=key).status == 403


def test_entries_of_several_workers_are_one_log(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]}, args=["--workers", "2"])
    for _ in range(12):
        gateway.new_key()
    assert gateway.http("GET", "/audit?page_size=100").json()["total"] == 12


def test_old_entries_go(launch: Launch, upstream: FakeOpenAI) -> None:
    gateway = launch({"model_list": [openai_entry("fast", upstream)]})
    gateway.new_key()
    gateway.stop()
    import apsw

    database = apsw.Connection(str(gateway.data_dir / "pointsman.db"))
    database.execute("DROP TRIGGER audit_log_is_append_only")
    database.execute("UPDATE audit_log SET at = at - 3 * 86400")
    database.close()
    gateway.write_config({"model_list": [openai_entry("fast", upstream)], "pointsman": {"audit_retention_days": 2}})
    gateway.launch()
    eventually(lambda: gateway.http("GET", "/audit").json()["total"] == 0, "the old entry is gone", 5.0)
