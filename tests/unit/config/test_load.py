"""A LiteLLM configuration loads as it stands; whatever is wrong in one is told at its place, all at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.config.environment import START_VARIABLES, VARIABLES
from pointsman.config.findings import ConfigRefused
from pointsman.config.known_keys import known_keys
from pointsman.config.load import Loaded, load
from pointsman.config.model_entries import catalogue_overrides
from pointsman.config.routing_sections import ModelAlias
from pointsman.config.sections import Settings

EXAMPLE = Path(__file__).with_name("litellm_example.yaml")
ENVIRONMENT = {"UPSTREAM_KEY": "sk-upstream", "AZURE_API_KEY": "azure-key\n", "STREAM_TIMEOUT": "60.5"}

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return writer


def refused(path: Path, environment: dict[str, str] | None = None) -> list[tuple[int, int, str, str]]:
    with pytest.raises(ConfigRefused) as caught:
        load(path, environment or {})
    return [(error.place.line, error.place.column, error.path, error.message) for error in caught.value.errors]


def loaded_or_refused(path: Path, environment: dict[str, str]) -> Loaded | ConfigRefused:
    try:
        return load(path, environment)
    except ConfigRefused as refusal:
        return refusal


def warned(path: Path, environment: dict[str, str] | None = None) -> list[str]:
    return [str(warning).removeprefix(str(path) + ":") for warning in load(path, environment or {}).warnings]


def example() -> Loaded:
    return load(EXAMPLE, ENVIRONMENT)


def secret_text(value: object) -> object:
    return value.reveal() if hasattr(value, "reveal") else value


def test_no_file_means_the_defaults() -> None:
    loaded = load(None, {})
    assert loaded.settings == Settings()
    assert (loaded.sources, loaded.warnings, loaded.master_key, loaded.log_level) == ((), (), None, "INFO")
    assert loaded.settings.discovers


def test_a_litellm_configuration_loads() -> None:
    loaded = example()
    names = [entry.model_name for entry in loaded.settings.model_list]
    assert names == ["gpt-4o", "gpt-4o", "openai/*", "openai/*", "llama", "bedrock-claude", "shared"]
    assert not loaded.settings.discovers
    azure = loaded.settings.model_list[0]
    assert (azure.litellm_params.rpm, azure.litellm_params.tpm) == (480, 100_000)
    assert (azure.litellm_params.timeout, azure.litellm_params.stream_timeout) == (300.0, 60.5)
    assert azure.litellm_params.api_version == "2024-08-01-preview"
    assert secret_text(azure.litellm_params.api_key) == "azure-key"
    assert (azure.model_info.id, azure.model_info.access_groups) == ("azure-eu", ("beta-models",))
    second = loaded.settings.model_list[1].litellm_params
    assert (second.api_base, second.weight, second.rpm) == ("https://other.openai.azure.com/", 2.0, 480)


def test_a_list_of_organizations_makes_one_deployment_of_each() -> None:
    organizations = [entry.litellm_params.organization for entry in example().settings.model_list[2:4]]
    assert organizations == ["org-one", "org-two"]


def test_pinned_fields_are_json_and_keys_of_litellm_are_never_among_them() -> None:
    llama, bedrock = (example().settings.model_list[index].litellm_params for index in (4, 5))
    assert {name: bytes(raw) for name, raw in llama.pinned.items()} == {"temperature": b"0.2", "max_tokens": b"500"}
    assert llama.keep_alive is not None
    assert bytes(llama.keep_alive) == b'"10m"'
    assert {name: secret_text(value) for name, value in llama.extra_headers.items()} == {"X-Team": "red"}
    assert bedrock.pinned == {}


def test_credentials_and_defaults_fill_what_a_deployment_does_not_say() -> None:
    shared = example().settings.model_list[6].litellm_params
    assert (shared.api_base, shared.max_parallel_requests) == ("https://api.example.com/v1", 10)
    assert secret_text(shared.api_key) == "sk-upstream"
    assert shared.drop_params is False


def test_the_settings_sections_are_typed() -> None:
    settings = example().settings
    assert settings.litellm_settings.drop_params
    assert settings.litellm_settings.json_logs
    assert settings.litellm_settings.request_timeout == 600
    assert settings.litellm_settings.upperbound_key_generate_params.budget_duration == "10d"
    defaults = settings.litellm_settings.default_key_generate_params
    assert {key: msgspec.json.decode(raw) for key, raw in defaults.items()} == {"max_budget": 1.5, "models": ["gpt-4o"]}
    assert settings.router_settings.model_group_alias == {
        "gpt-4": ModelAlias(model="gpt-4o"),
        "hidden-one": ModelAlias(model="llama", hidden=True),
    }
    assert settings.general_settings.max_parallel_requests == 100
    assert settings.general_settings.completion_model is None


@pytest.mark.parametrize(
    "written",
    [
        "{type: service_account, private_key: os.environ/KEY}",
        """'{"type":"service_account",\n "private_key":"a"}'""",
        "/p",
    ],
)
def test_credentials_of_vertex_may_be_a_map_text_of_several_lines_or_a_path(write: Write, written: str) -> None:
    entry = f"{{model_name: m, litellm_params: {{model: vertex_ai/x, vertex_credentials: {written}}}}}"
    loaded = load(write(f"model_list: [{entry}]"), {"KEY": "a"})
    credentials = loaded.settings.model_list[0].litellm_params.vertex_credentials
    assert credentials is not None and "private_key" not in repr(credentials)
    told = credentials.reveal()
    assert told == "/p" or msgspec.json.decode(told) == {"type": "service_account", "private_key": "a"}


def test_what_the_catalogue_is_told_has_litellm_params_win(write: Write) -> None:
    assert catalogue_overrides(example().settings.model_list[0]) == {
        "mode": "chat",
        "supports_vision": True,
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05,
    }
    path = write(
        "model_list: [{model_name: a, litellm_params: {model: openai/a, input_cost_per_token: 3e-6},"
        " model_info: {input_cost_per_token: 1e-6, max_input_tokens: '9',"
        " tiered_pricing: [{range: [0, 5], input_cost_per_token: 1.0e-6}]}}]"
    )
    assert catalogue_overrides(load(path, {}).settings.model_list[0]) == {
        "max_input_tokens": 9,
        "input_cost_per_token": 3e-06,
        "tiered_pricing": [{"range": [0, 5], "input_cost_per_token": 1e-06}],
    }


def test_every_key_without_effect_is_warned_of_with_its_path() -> None:
    assert {warning.path for warning in example().warnings} == {
        "model_list[4].litellm_params.aws_batch_role_arn",
        "litellm_settings.success_callback",
        "litellm_settings.cache",
        "general_settings.database_type",
        "general_settings.proxy_batch_write_at",
        "guardrails",
        "callback_settings",
        "mcp_servers",
    }


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        (
            "litellm_settings: {callbacks: [prometheus], success_callback: prometheus, num_retries: 0, cache: false}",
            set(),
        ),
        ("router_settings: {routing_strategy: simple-shuffle, disable_cooldowns: true}", set()),
        ("general_settings: {store_model_in_db: false}", set()),
        ("litellm_settings: {callbacks: [prometheus, langfuse]}", {"litellm_settings.callbacks"}),
        ("litellm_settings: {cache: 0}", {"litellm_settings.cache"}),
        ("router_settings: {routing_strategy: least-busy}", set()),
        ("router_settings: {routing_strategy: lar1}", {"router_settings.routing_strategy"}),
        (
            "router_settings: {routing_groups: [{group_name: a, models: [m], routing_strategy: lar1, more: 1}]}",
            {"router_settings.routing_groups[0].routing_strategy", "router_settings.routing_groups[0].more"},
        ),
        (
            "router_settings: {optional_pre_call_checks: [session_affinity, sesion_affinity, router_budget_limiting]}",
            {"router_settings.optional_pre_call_checks[1]"},
        ),
        ("router_settings: {enable_weighted_failover: true}", set()),
    ],
)
def test_what_is_so_anyway_is_not_warned_of(write: Write, text: str, warned: set[str]) -> None:
    assert {warning.path for warning in load(write(text), {}).warnings} == warned


def test_a_variable_that_is_used_before_the_file_is_read_is_warned_of_there(write: Write) -> None:
    assert frozenset(VARIABLES) >= START_VARIABLES
    for name in START_VARIABLES:
        loaded = load(write(f"environment_variables: {{OLLAMA_HOST: a, {name}: '1'}}\n"), {})
        assert [warning.path for warning in loaded.warnings] == [f"environment_variables.{name}"]


def test_secrets_do_not_print() -> None:
    text = repr(example().settings) + repr(example().environment)
    for value in ("sk-upstream", "azure-key", "sk-0123456789abcdef"):
        assert value not in text


def test_the_process_environment_is_not_touched(write: Write) -> None:
    before = dict(os.environ)
    loaded = load(write("environment_variables: {POINTSMAN_NEVER: '1', LITELLM_MASTER_KEY: sk-from-the-file-0}\n"), {})
    assert dict(os.environ) == before
    assert loaded.variables["POINTSMAN_NEVER"] == "1"
    assert secret_text(loaded.master_key) == "sk-from-the-file-0"


def test_an_unknown_key_is_warned_of_with_the_nearest_known(write: Write) -> None:
    path = write("general_setings: {}\ngeneral_settings:\n  masterkey: x\n  drop_params: true\nzzzz: 1\n")
    assert warned(path) == [
        "1:1: general_setings: is not a known key and has no effect. Did you mean general_settings?",
        "3:3: general_settings.masterkey: is not a known key and has no effect. Did you mean master_key?",
        (
            "4:3: general_settings.drop_params: is not a known key and has no effect."
            " It belongs in litellm_params or litellm_settings."
        ),
        "5:1: zzzz: is not a known key and has no effect.",
    ]


def test_families_of_keys_are_known(write: Write) -> None:
    path = write("general_settings: {mcp_something_new: 1, password_policy_age: 2}\n")
    assert all("is known and has no effect here" in warning for warning in warned(path))
    assert len(warned(path)) == 2


def test_keys_in_the_wrong_place_of_an_entry_are_told(write: Write) -> None:
    path = write("model_list:\n- {model_name: a, rpm: 5, litellm_params: {model: openai/a, api_bas: x}}\n")
    assert warned(path) == [
        "2:19: model_list[0].rpm: has no effect beside model_name. Move it into litellm_params.",
        (
            "2:61: model_list[0].litellm_params.api_bas: is not a known key, so it is sent to the upstream as a field"
            " of the body. Did you mean api_base?"
        ),
    ]


def test_an_operators_own_model_info_is_kept_without_a_word(write: Write) -> None:
    path = write("model_list: [{model_name: a, litellm_params: {model: openai/a}, model_info: {cost_centre: 7}}]")
    loaded = load(path, {})
    assert loaded.warnings == ()
    assert bytes(loaded.settings.model_list[0].model_info.extras["cost_centre"]) == b"7"


@pytest.mark.parametrize(
    ("text", "line", "column", "path", "words"),
    [
        ("model_list: 5", 1, 13, "model_list", "expected a list, found a number"),
        ("model_list:\n- gpt\n", 2, 3, "model_list[0]", "expected a map with model_name, found text"),
        ("model_list:\n- litellm_params: {model: a}\n", 2, 3, "model_list[0]", "model_name is missing"),
        (
            "model_list:\n- {model_name: '', litellm_params: {model: a}}\n",
            2,
            16,
            "model_list[0].model_name",
            "is empty",
        ),
        ("model_list:\n- model_name: a\n", 2, 3, "model_list[0].litellm_params", "is missing"),
        (
            "model_list:\n- {model_name: a, litellm_params: {}}\n",
            2,
            35,
            "model_list[0].litellm_params",
            "model is missing",
        ),
        ("litellm_settings: [1]", 1, 19, "litellm_settings", "expected a map, found a list"),
        (
            "litellm_settings:\n  request_timeout: soon\n",
            2,
            20,
            "litellm_settings.request_timeout",
            "expected a number above 0, found text",
        ),
        (
            "litellm_settings: {request_timeout: -1}",
            1,
            37,
            "litellm_settings.request_timeout",
            "expected a number above 0, found another number",
        ),
        (
            "litellm_settings: {drop_params: 7}",
            1,
            33,
            "litellm_settings.drop_params",
            "expected true or false, found a number",
        ),
        ("litellm_settings: {request_timeout: .nan}", 1, 37, "litellm_settings.request_timeout", "not-a-number"),
        (
            "litellm_settings: {budget_exceeded_status_code: 200}",
            1,
            49,
            "litellm_settings.budget_exceeded_status_code",
            "expected a whole number of at least 400 and at most 599",
        ),
        (
            "litellm_settings: {upperbound_key_generate_params: {duration: 1 month}}",
            1,
            63,
            "litellm_settings.upperbound_key_generate_params.duration",
            "expected a duration such as 30s",
        ),
        ("litellm_settings: {model_alias_map: {a: [b]}}", 1, 41, "litellm_settings.model_alias_map.a", "found a list"),
        ("general_settings: {master_key: 1234}", 1, 32, "general_settings.master_key", "a number; put it in quotes"),
        ('general_settings: {master_key: "a\\nb"}', 1, 32, "general_settings.master_key", "text on one line"),
        ("general_settings: {master_key: ''}", 1, 32, "general_settings.master_key", "is empty"),
        (
            "general_settings: {litellm_key_header_name: 'a b'}",
            1,
            45,
            "general_settings.litellm_key_header_name",
            "HTTP header",
        ),
        (
            "router_settings: {model_group_alias: {a: {hidden: true}}}",
            1,
            42,
            "router_settings.model_group_alias.a",
            "model is missing",
        ),
        (
            "router_settings: {model_group_alias: {a: 5}}",
            1,
            42,
            "router_settings.model_group_alias.a.model",
            "expected a name",
        ),
        (
            "pointsman: {ollama: ['localhost:11434']}",
            1,
            22,
            "pointsman.ollama[0]",
            "an address such as http://localhost:11434",
        ),
        ("pointsman: {num_ctx_max: 0}", 1, 26, "pointsman.num_ctx_max", "at least 1"),
        ("credential_list: [{credential_values: {}}]", 1, 19, "credential_list[0]", "credential_name"),
        (
            "router_settings:\n  default_litellm_params:\n    rpm: x\n",
            3,
            10,
            "router_settings.default_litellm_params.rpm",
            "expected a whole number of at least 0",
        ),
        ("environment_variables: [A]", 1, 24, "environment_variables", "expected a map of NAME: value"),
        ("environment_variables: {A: [1]}", 1, 28, "environment_variables.A", "expected text, found a list"),
    ],
)
def test_a_wrong_value_is_refused_at_its_place(
    write: Write, text: str, line: int, column: int, path: str, words: str
) -> None:
    ((found_line, found_column, found_path, message),) = refused(write(text))
    assert (found_line, found_column, found_path) == (line, column, path)
    assert words in message


@pytest.mark.parametrize(
    ("params", "key", "words"),
    [
        ("api_base: localhost:11434", "api_base", "expected an address such as"),
        ("api_base: 'http://user:pw@host'", "api_base", "without user and password"),
        ("rpm: 1.5", "rpm", "expected a whole number"),
        ("rpm: true", "rpm", "found true or false"),
        ("tags: free", "tags", "expected a list, found text"),
        ("extra_headers: [a]", "extra_headers", "expected a map, found a list"),
        ('extra_headers: {a: "b\\r\\nc: d"}', "extra_headers.a", "text on one line"),
        ("temperature: .inf", "temperature", "JSON has neither infinity"),
        ("input_cost_per_token: cheap", "input_cost_per_token", "expected a number of at least 0"),
        ("model: [a]", "model", "expected a name, found a list"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_path(write: Write, params: str, key: str, words: str) -> None:
    model = "" if params.startswith("model") else "model: openai/a, "
    ((_, _, path, message),) = refused(write(f"model_list: [{{model_name: a, litellm_params: {{{model}{params}}}}}]"))
    assert path == f"model_list[0].litellm_params.{key}"
    assert words in message


def test_all_errors_are_told_at_once_in_the_order_of_the_file(write: Write) -> None:
    path = write(
        "pointsman: {num_ctx_max: x}\nlitellm_settings:\n  drop_params: x\n  request_timeout: x\nmodel_list: x\n"
    )
    assert [line for line, *_ in refused(path)] == [1, 3, 4, 5]
    with pytest.raises(ConfigRefused) as caught:
        load(path, {})
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}:1:26: pointsman.num_ctx_max: expected a whole number of at least 1, found text."
    assert len(lines) == 4


def test_no_message_repeats_a_value(write: Write) -> None:
    path = write("litellm_settings: {drop_params: os.environ/A, request_timeout: sk-secret-one}\n")
    for _, _, _, message in refused(path, {"A": "sk-secret-two"}):
        assert "sk-secret" not in message


def test_an_id_belongs_to_one_deployment(write: Write) -> None:
    entry = "- {model_name: a, litellm_params: {model: openai/a}, model_info: {id: 7}}\n"
    ((line, _, path, message),) = refused(write("model_list:\n" + entry * 2))
    assert (line, path) == (3, "model_list[1]")
    assert "model_list[0] has the same model_info.id" in message


def test_a_star_that_stands_for_nothing_is_told(write: Write) -> None:
    (warning,) = warned(write("model_list: [{model_name: a, litellm_params: {model: openai/*}}]"))
    assert "has a * that stands for nothing" in warning


def test_a_mode_that_is_none_is_told_by_its_value(write: Write) -> None:
    path = write(
        "model_list: [{model_name: a, litellm_params: {model: openai/a}, model_info: {mode: os.environ/MODE}}]"
    )
    assert load(path, {"MODE": "embedding"}).warnings == ()
    (warning,) = load(path, {"MODE": "chatt"}).warnings
    assert str(warning).endswith("model_list[0].model_info.mode: is no mode that is known. Did you mean chat?")


@pytest.mark.parametrize(
    ("section", "said", "words"),
    [
        ("litellm_params", "provider_affinity_header: Authorization", "something else"),
        ("litellm_params", "silent_model: {a: 1}", "a list of names"),
        ("litellm_params", 'daily_reset_time: "25:00"', "a time of day"),
        ("model_info", "access_windows: [{start: 8, end: 9, timezone: UTC, team_ids: [t]}]", "expected a list like"),
        ("model_info", 'access_windows: [{start: "08:00", end: "08:00", timezone: UTC, team_ids: [t]}]', "the same"),
        ("model_info", 'access_windows: [{start: "08:00", end: "09:00", timezone: No/One, team_ids: [t]}]', "No/One"),
        ("model_info", "supported_environments: [prod]", "staging"),
        ("model_info", "max_embedding_batch_size: 0", "above 0"),
        ("model_info", 'discoverable: "no"', "true or false"),
    ],
)
def test_what_cannot_be_meant_of_single_deployments_is_refused(
    write: Write, section: str, said: str, words: str
) -> None:
    params = "model: openai/a" + (f", {said}" if section == "litellm_params" else "")
    info = said if section == "model_info" else ""
    entry = f"{{model_name: a, litellm_params: {{{params}}}, model_info: {{{info}}}}}"
    ((_, _, path, message),) = refused(write(f"model_list: [{entry}]"))
    assert path == f"model_list[0].{section}.{said.partition(':')[0]}" and words in message


def test_what_is_said_of_a_model_is_there_for_those_who_heed_it(write: Write) -> None:
    info = "{allow_fail_open: true, health_check_model: other, discoverable: false, mine: 1}"
    loaded = load(
        write(f"model_list: [{{model_name: a, litellm_params: {{model: openai/a}}, model_info: {info}}}]"), {}
    )
    said = {name: bytes(raw) for name, raw in loaded.settings.model_list[0].model_info.extras.items()}
    assert said == {
        "allow_fail_open": b"true", "health_check_model": b'"other"', "discoverable": b"false", "mine": b"1",
    }  # fmt: skip


def test_what_an_anchor_repeats_is_told_once(write: Write) -> None:
    first = "- {model_name: a, litellm_params: &p {model: openai/a, milvus_db_name: x}}\n"
    entries = first + "- {model_name: b, litellm_params: *p}\n"
    assert len(warned(write("model_list:\n" + entries))) == 1
    assert len(refused(write("model_list:\n" + entries.replace("milvus_db_name: x", "rpm: x")))) == 1


def test_an_empty_api_key_is_no_key_and_told(write: Write) -> None:
    path = write("model_list: [{model_name: a, litellm_params: {model: openai/a, api_key: os.environ/K}}]")
    loaded = load(path, {"K": ""})
    assert loaded.settings.model_list[0].litellm_params.api_key is None
    assert "is empty, so no key is sent" in loaded.warnings[0].message


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ("sk-0123456789abcdef", {"POINTSMAN_MASTER_KEY": "sk-ours-0123456789"}, "sk-0123456789abcdef"),
        (None, {"POINTSMAN_MASTER_KEY": "sk-ours-0123456789", "LITELLM_MASTER_KEY": "sk-x"}, "sk-ours-0123456789"),
        (None, {"LITELLM_MASTER_KEY": "sk-theirs-0123456789"}, "sk-theirs-0123456789"),
        (None, {}, None),
    ],
)
def test_the_files_master_key_comes_before_the_environments(
    write: Write, configured: str | None, environment: dict[str, str], expected: str | None
) -> None:
    loaded = load(write(f"general_settings: {{master_key: {configured or '~'}}}"), environment)
    assert secret_text(loaded.master_key) == expected
    assert loaded.warnings == ()


def test_a_weak_master_key_is_told(write: Write) -> None:
    assert len(warned(write("general_settings: {master_key: secret}"))) == 2
    (warning,) = load(None, {"LITELLM_MASTER_KEY": "sk-1234"}).warnings
    assert str(warning).startswith("environment: the master key: has fewer than 16 characters")


def test_set_verbose_is_a_level_unless_the_environment_names_one(write: Write) -> None:
    path = write("litellm_settings: {set_verbose: true}")
    assert load(path, {}).log_level == "DEBUG"
    assert load(path, {"LOG_LEVEL": "ERROR"}).log_level == "ERROR"


def test_a_wrong_variable_is_refused_with_the_file(write: Write) -> None:
    path = write("environment_variables: {POINTSMAN_PORT: x}\nmodel_list: 5\n")
    assert {error[2] for error in refused(path)} == {"model_list", "POINTSMAN_PORT"}


@pytest.mark.parametrize(
    ("text", "words"), [("", "is empty"), ("# x\n", "is empty"), ("- a\n", "is a list"), ("5", "is a number")]
)
def test_a_file_that_is_no_map_is_refused(write: Write, text: str, words: str) -> None:
    ((_, _, _, message),) = refused(write(text))
    assert words in message


def test_a_large_configuration_loads_in_good_time_and_a_huge_one_is_refused(write: Write) -> None:
    entry = "- {{model_name: m{0}, litellm_params: {{model: openai/m{0}, api_key: k, rpm: {0}}}}}\n"
    path = write("model_list:\n" + "".join(entry.format(number) for number in range(2000)))
    assert len(load(path, {}).settings.model_list) == 2000
    assert "larger than 4 MiB" in refused(write("model_list: # " + "x" * 5_000_000))[0][3]


KEYS = sorted({key for section in known_keys().keys.values() for key in section})
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["os.environ/A", "os.environ/", "oidc/x", "openai/*", "*", "http://h", "30d", "5", "sk-x", ""])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=25,
)
SECTIONS = st.dictionaries(st.sampled_from(sorted(known_keys().keys["top"])), VALUES, max_size=6)
ENTRIES = st.dictionaries(
    st.sampled_from(["model_name", "litellm_params", "model_info"]),
    VALUES
    | st.dictionaries(
        st.sampled_from(sorted({**known_keys().keys["litellm_params"], **known_keys().keys["model_info"]})), VALUES
    ),
)


@given(SECTIONS, st.lists(ENTRIES, max_size=3), st.booleans())
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_configuration_is_loaded_or_refused_at_a_place(
    tmp_path: Path, sections: dict[str, object], entries: list[object], set_a: bool
) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump({"model_list": entries, **sections}))
    outcome = loaded_or_refused(path, {"A": "x"} if set_a else {})
    assert outcome.sources
    if isinstance(outcome, ConfigRefused):
        assert outcome.errors
        assert all(error.place.file for error in outcome.errors)
    else:
        assert isinstance(outcome.settings, Settings)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_loaded_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(data)
    assert loaded_or_refused(path, {}).sources


def test_a_strategy_that_nobody_knows_is_an_error_that_names_those_there_are(write: Write) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load(write("router_settings: {routing_strategy: fastest-first}\n"), {})
    (error,) = refused.value.errors
    assert error.path == "router_settings.routing_strategy"
    assert "least-busy" in error.message
    assert "warm-first" in error.message


def test_a_local_host_is_read_and_what_is_wrong_in_one_is_told(write: Write) -> None:
    path = write(
        "pointsman:\n  local_hosts:\n"
        "    - {api_base: 'http://gpu1:11434', slots: 2, wake_on_lan: '01:23:45:67:89:ab'}\n"
        "    - {api_base: 'http://gpu2:11434', slot: 3}\n"
    )
    first, second = load(path, {}).settings.local.local_hosts
    assert (first.api_base, first.slots, first.queue_max, first.wake_on_lan, second.slots) == (
        "http://gpu1:11434", 2, None, "01:23:45:67:89:ab", None,
    )  # fmt: skip
    assert any("pointsman.local_hosts[1].slot: is not a known key" in line for line in warned(path))


@pytest.mark.parametrize("said", ["slots: -1", "provider: gemini", "wake_on_lan: my-machine", "weight: -1"])
def test_a_local_host_has_to_make_sense(write: Write, said: str) -> None:
    ((_, _, where, _),) = refused(write(f"pointsman: {{local_hosts: [{{api_base: 'http://gpu:1', {said}}}]}}"))
    assert where == f"pointsman.local_hosts[0].{said.partition(':')[0]}"


def test_a_credential_that_nobody_has_is_warned_of_and_its_model_marked(write: Write) -> None:
    text = """\
credential_list: [{credential_name: openai-key, credential_values: {api_key: sk-a}}]
model_list:
- {model_name: a, litellm_params: {model: openai/a, litellm_credential_name: openai-kye}}
- {model_name: b, litellm_params: {model: openai/b, litellm_credential_name: openai-key}}
"""
    loaded = load(write(text), {})
    (warning,) = loaded.warnings
    assert warning.path == "model_list[0].litellm_params.litellm_credential_name"
    assert "names no entry of credential_list" in warning.message
    assert warning.hint == "Did you mean openai-key?"
    assert [entry.missing_credential for entry in loaded.settings.model_list] == ["openai-kye", None]


def test_a_header_cannot_say_which_user_of_the_gateway_pays(write: Write) -> None:
    mappings = "[{header_name: x-c, litellm_user_role: Customer}, {header_name: x-u, litellm_user_role: internal_user}]"
    loaded = load(write(f"general_settings: {{user_header_mappings: {mappings}}}\n"), {})
    assert [finding.path for finding in loaded.warnings] == ["general_settings.user_header_mappings[1]"]
    with pytest.raises(ConfigRefused):
        load(write("general_settings: {user_header_mappings: [{header_name: x-c, litellm_user_role: admin}]}\n"), {})


def test_a_pattern_for_aliases_is_a_regular_expression(write: Write) -> None:
    assert load(write("litellm_settings: {key_alias_pattern: 'team-[a-z]+'}\n"), {}).warnings == ()
    with pytest.raises(ConfigRefused) as refused:
        load(write("litellm_settings: {key_alias_pattern: '['}\n"), {})
    assert [finding.path for finding in refused.value.errors] == ["litellm_settings.key_alias_pattern"]
