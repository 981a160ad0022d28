"""``os.environ/NAME`` is found wherever it is used, missed where it is not there, and harmless where nobody looks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pointsman.config.findings import ConfigRefused
from pointsman.config.load import load


def put(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text)
    return path


def test_references_are_found_in_values_lists_and_pinned_fields(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "model_list: [{model_name: a, litellm_params: {model: os.environ/M, rpm: os.environ/N,"
        " drop_params: os.environ/B, tags: [os.environ/T], metadata: {user: [os.environ/T]}}}]\n",
    )
    params = load(path, {"M": "openai/x", "N": " 7 ", "B": "Yes", "T": "t"}).settings.model_list[0].litellm_params
    assert (params.model, params.rpm, params.drop_params, params.tags) == ("openai/x", 7, True, ("t",))
    assert msgspec.json.decode(params.pinned["metadata"]) == {"user": ["t"]}


def test_one_that_leads_nowhere_is_refused_at_its_place_with_the_nearest_name(tmp_path: Path) -> None:
    path = put(tmp_path, "general_settings:\n  master_key: os.environ/MASTER_KYE\n")
    with pytest.raises(ConfigRefused) as caught:
        load(path, {"MASTER_KEY": "sk-secret"})
    assert str(caught.value) == (
        f"{path}:2:15: general_settings.master_key: the environment has no MASTER_KYE. Did you mean MASTER_KEY?"
        " Set it where the gateway is started, or under environment_variables: MASTER_KYE."
    )


def test_one_in_a_pinned_field_names_its_whole_path(tmp_path: Path) -> None:
    path = put(
        tmp_path, "model_list: [{model_name: a, litellm_params: {model: b, metadata: {x: [1, os.environ/NO]}}}]\n"
    )
    with pytest.raises(ConfigRefused) as caught:
        load(path, {})
    assert [error.path for error in caught.value.errors] == ["model_list[0].litellm_params.metadata.x[1]"]


def test_one_in_a_setting_without_effect_does_no_harm(tmp_path: Path) -> None:
    path = put(tmp_path, "general_settings: {alert_type_config: {x: os.environ/NOT_THERE}}\n")
    assert [warning.path for warning in load(path, {}).warnings] == ["general_settings.alert_type_config"]


def test_environment_variables_come_first_and_may_build_on_one_another(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        "general_settings: {completion_model: os.environ/B}\n"
        "environment_variables: {A: os.environ/OUTER, B: os.environ/A, N: 5, T: true, E: ~}\n",
    )
    loaded = load(path, {"OUTER": "x", "E": "kept"})
    assert loaded.settings.general_settings.completion_model == "x"
    assert [loaded.variables[name] for name in "ABNTE"] == ["x", "x", "5", "true", "kept"]


def test_a_later_variable_cannot_be_used_before_it_is_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match="the environment has no B"):
        load(put(tmp_path, "environment_variables: {A: os.environ/B, B: x}\n"), {})


def test_a_variable_of_the_file_wins_over_the_environments(tmp_path: Path) -> None:
    path = put(tmp_path, "environment_variables: {A: file}\ngeneral_settings: {completion_model: os.environ/A}\n")
    assert load(path, {"A": "outer"}).settings.general_settings.completion_model == "file"


def test_a_value_from_the_environment_is_not_looked_up_again(tmp_path: Path) -> None:
    path = put(tmp_path, "general_settings: {completion_model: os.environ/A}\n")
    loaded = load(path, {"A": "os.environ/B", "B": "x"})
    assert loaded.settings.general_settings.completion_model == "os.environ/B"


def test_a_kind_of_reference_that_is_not_supported_is_told(tmp_path: Path) -> None:
    path = put(tmp_path, "model_list: [{model_name: a, litellm_params: {model: b, api_key: oidc/google/x}}]\n")
    assert "oidc/ references are not supported yet" in load(path, {}).warnings[0].message


def test_a_file_may_hold_a_value_and_is_watched(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("sk-from-a-file\n")
    path = put(
        tmp_path, f"model_list: [{{model_name: a, litellm_params: {{model: openai/a, api_key: 'file://{secret}'}}}}]\n"
    )
    loaded = load(path, {})
    key = loaded.settings.model_list[0].litellm_params.api_key
    assert key is not None and key.matches("sk-from-a-file")
    assert secret in {source.path for source in loaded.sources}


def test_a_variable_may_name_a_file_as_in_docker(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("sk-from-a-file\n")
    path = put(tmp_path, "model_list: [{model_name: a, litellm_params: {model: openai/a, api_key: os.environ/KEY}}]\n")
    key = load(path, {"KEY_FILE": str(secret)}).settings.model_list[0].litellm_params.api_key
    assert key is not None and key.matches("sk-from-a-file")
    nearer = load(path, {"KEY_FILE": str(secret), "KEY": "sk-itself"}).settings.model_list[0].litellm_params.api_key
    assert nearer is not None and nearer.matches("sk-itself")


@pytest.mark.parametrize("reference", ["file://{}/nothing-here", "file://relative/path", "file://"])
def test_a_file_that_is_not_there_is_refused_at_its_place(tmp_path: Path, reference: str) -> None:
    text = f"general_settings: {{completion_model: '{reference.format(tmp_path)}'}}\n"
    with pytest.raises(ConfigRefused) as caught:
        load(put(tmp_path, text), {})
    assert [error.path for error in caught.value.errors] == ["general_settings.completion_model"]


def test_a_missing_file_is_watched_for(tmp_path: Path) -> None:
    path = put(tmp_path, f"general_settings: {{completion_model: 'file://{tmp_path}/later'}}\n")
    with pytest.raises(ConfigRefused) as caught:
        load(path, {})
    assert tmp_path / "later" in caught.value.files


def test_the_master_key_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "master"
    secret.write_text("sk-master-from-a-file\n")
    loaded = load(None, {"POINTSMAN_MASTER_KEY_FILE": str(secret)})
    assert loaded.master_key is not None and loaded.master_key.matches("sk-master-from-a-file")
    assert loaded.warnings == ()
    with pytest.raises(ConfigRefused, match="POINTSMAN_MASTER_KEY_FILE"):
        load(None, {"POINTSMAN_MASTER_KEY_FILE": str(tmp_path / "nowhere")})
