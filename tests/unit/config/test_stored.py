"""What is stored, laid over a file: by the file's rules, in nobody's place, and without the operator's keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pointsman.config.load import Loaded, load
from pointsman.config.sections import ModelEntry
from pointsman.config.stored import StoredConfig, StoredEntry, StoredValues, model_problems, with_stored

FILE = """\
credential_list:
- {credential_name: filed, credential_values: {api_key: os.environ/FILED}}
router_settings: {default_litellm_params: {api_key: os.environ/FILED, rpm: 7}}
model_list:
- {model_name: a, litellm_params: {model: openai/a}, model_info: {id: a-1}}
- {model_name: b, litellm_params: {model: openai/b, litellm_credential_name: later}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(FILE)
    return load(path, {"FILED": "sk-of-the-operator-0123"})


def model(identity: str = "s-1", name: str = "s", **params: Any) -> StoredEntry:
    return StoredEntry(id=identity, name=name, params={"model": "openai/s", **params})


def one(loaded: Loaded, entry: StoredEntry, *credentials: StoredValues) -> ModelEntry:
    whole, refused = with_stored(loaded, StoredConfig((entry,), credentials))
    assert refused == ()
    (found,) = whole.settings.stored_models
    return found


def key_of(entry: ModelEntry) -> str | None:
    key = entry.litellm_params.api_key
    return None if key is None else key.reveal()


def test_a_stored_model_stands_beside_the_files(loaded: Loaded) -> None:
    whole, refused = with_stored(loaded, StoredConfig((model(api_key="k"),)))
    assert refused == ()
    assert [entry.model_name for entry in whole.settings.model_list] == ["a", "b"]
    (stored,) = whole.settings.stored_models
    assert (stored.model_info.id, stored.stored, stored.litellm_params.rpm) == ("s-1", True, 7)
    assert loaded.settings.stored_models == ()


def test_an_id_and_a_name_of_the_files_stay_the_files(loaded: Loaded) -> None:
    stored = StoredConfig((model("a-1", "x"),), (StoredValues("filed", {"api_key": "other"}),))
    whole, refused = with_stored(loaded, stored)
    assert whole.settings.stored_models == ()
    assert {(one.kind, one.id) for one in refused} == {("model", "a-1"), ("credential", "filed")}


def test_a_stored_credential_completes_a_model_of_the_file(loaded: Loaded) -> None:
    assert loaded.settings.model_list[1].missing_credential == "later"
    whole, _ = with_stored(loaded, StoredConfig((), (StoredValues("later", {"api_key": "sk-later"}),)))
    completed = whole.settings.model_list[1]
    assert (completed.missing_credential, key_of(completed)) == (None, "sk-later")
    again, _ = with_stored(loaded, StoredConfig())
    assert again.settings.model_list[1].missing_credential == "later"


def test_what_is_not_sound_any_more_is_left_out_and_the_rest_served(loaded: Loaded) -> None:
    stored = StoredConfig((model("bad", rpm="many"), model("good", api_key="k")))
    whole, (refused,) = with_stored(loaded, stored)
    assert [entry.model_info.id for entry in whole.settings.stored_models] == ["good"]
    assert refused.id == "bad" and "litellm_params.rpm" in refused.reason


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"api_key": "os.environ/FILED"}, "litellm_params.api_key"),
        ({"extra_body": {"deep": ["file:///etc/passwd"]}}, "litellm_params.extra_body.deep[0]"),
        ({"rpm": -1}, "litellm_params.rpm"),
        ({"litellm_credential_name": "nobody"}, "litellm_params.litellm_credential_name"),
        ({"litellm_credential_name": "filed", "api_base": "http://evil"}, "litellm_params.api_base"),
    ],
)
def test_what_may_not_be_stored_is_told_by_its_field(loaded: Loaded, params: dict[str, Any], path: str) -> None:
    problems, _ = model_problems(loaded, loaded.shared, model(**params))
    assert [problem.path for problem in problems] == [path]


def test_deep_and_large_values_are_bounded(loaded: Loaded) -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    for value in (deep, ["x"] * 20_000):
        problems, _ = model_problems(loaded, loaded.shared, model(extra_body={"a": value}))
        assert len(problems) == 1 and "too much" in problems[0].message


def test_the_operators_keys_go_to_no_address_that_is_stored(loaded: Loaded) -> None:
    without = one(loaded, model())
    assert (key_of(without), without.address_stored) == ("sk-of-the-operator-0123", False)
    elsewhere = one(loaded, model(api_base="http://evil.example/v1"))
    assert (key_of(elsewhere), elsewhere.address_stored, elsewhere.litellm_params.rpm) == (None, True, 7)
    credential = StoredValues("lent", {"api_base": "http://evil.example/v1"})
    by_credential = one(loaded, model(litellm_credential_name="lent"), credential)
    assert (key_of(by_credential), by_credential.address_stored) == (None, True)


def test_nor_when_a_model_of_the_file_takes_its_address_from_a_stored_credential(loaded: Loaded) -> None:
    credential = StoredValues("later", {"api_base": "http://evil.example/v1"})
    whole, _ = with_stored(loaded, StoredConfig((), (credential,)))
    completed = whole.settings.model_list[1]
    assert (key_of(completed), completed.address_stored) == (None, True)


def test_a_credential_of_the_file_is_used_where_the_file_says(loaded: Loaded) -> None:
    entry = one(loaded, model(litellm_credential_name="filed"))
    assert key_of(entry) == "sk-of-the-operator-0123"


def test_secrets_do_not_print() -> None:
    assert "sk-x" not in repr(StoredConfig((model(api_key="sk-x"),), (StoredValues("c", {"api_key": "sk-x"}),)))
