"""The commands that end at once: what they print, and with which status."""

from __future__ import annotations

import io
import socket
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from pointsman.assembly.plan import ServePlan
from pointsman.cli.main import cli
from pointsman.cli.serve import _tell_open
from pointsman.cli.streams import show_what_can_be_shown
from pointsman.cli.worker import held_port, listening_socket
from pointsman.core.errors import Misconfigured

GOOD = "model_list:\n  - model_name: a\n    litellm_params: {model: ollama_chat/x, api_base: 'http://127.0.0.1:1'}\n"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["check"],
        ["config"],
        ["config", "schema"],
        ["doctor"],
        ["explain"],
        ["grammar"],
        ["mapping"],
        ["providers"],
        ["spend"],
    ],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = CliRunner().invoke(cli, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage: " in done.output
    assert "..." not in done.output.partition("Commands:")[2], "no explanation is cut"


def test_a_check_names_the_models_whose_price_nobody_knows(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(12)]
    entries = "".join(
        f"  - {{model_name: {name}, litellm_params: {{model: openai/{name}-of-mine, api_key: k}}}}\n" for name in names
    )
    known = "  - {model_name: known, litellm_params: {model: openai/gpt-4o, api_key: k}}\n"
    free = "  - {model_name: free, litellm_params: {model: openai/f, api_key: k, input_cost_per_token: 0}}\n"
    file = tmp_path / "config.yaml"
    file.write_text(f"model_list:\n{entries}{known}{free}")
    done = CliRunner().invoke(cli, ["check", str(file)])
    assert done.exit_code == 0
    assert "note     no price is known for m0, m1, m10, m11, m2, m3, m4, m5, m6, m7 and 2 more: " in done.output


def test_check_counts_what_it_found(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GOOD + "litellm_settings: {cache: true}\n")
    done = CliRunner().invoke(cli, ["check", str(file)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"{file}: 1 model, 1 deployment, no errors, 1 warning")


def test_check_shows_an_entry_that_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GOOD + "  - {model_name: b, litellm_params: {model: llama3.2}}\n")
    done = CliRunner().invoke(cli, ["check", str(file)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"{file}: 1 model, 1 deployment, no errors, 1 warning")
    assert f"{file}:4:5: model_list[1] 'b': no provider is named" in done.output


def test_check_fails_with_the_place_of_the_error(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GOOD + "general_settings: {max_parallel_requests: many}\n")
    done = CliRunner().invoke(cli, ["check", str(file)])
    assert done.exit_code == 1
    assert f"{file}:4:43: general_settings.max_parallel_requests: " in done.output
    assert done.output.splitlines()[-1] == f"{file}: 1 error, 0 warnings"


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ("{model: openai_like/x}", "model_list[1]: The model 'b' has no api_base"),
        ("{model: openai/x, api_base: 'http://h:65536/v1'}", "litellm_params.api_base: expected an address"),
        ("{model: openai/x, api_base: 'http://[::1/v1'}", "litellm_params.api_base: expected an address"),
        ("{model: openai/x, api_key: os.environ/}", "litellm_params.api_key: os.environ/ names no variable."),
        ("{model: openai/x, input_cost_per_token: 1e400}", "input_cost_per_token: expected"),
    ],
)
def test_an_entry_that_is_wrong_is_told_with_its_place(tmp_path: Path, params: str, told: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GOOD + f"  - {{model_name: b, litellm_params: {params}}}\n")
    done = CliRunner().invoke(cli, ["check", str(file)])
    assert (done.exit_code == 1 and done.exception is None) or isinstance(done.exception, SystemExit)
    assert done.output.startswith(f"error    {file}:4:") and told in done.output
    assert done.output.splitlines()[-1] == f"{file}: 1 error, 0 warnings"


@pytest.mark.parametrize("port", [1, 80, 9999, 11434, 65535])
def test_an_address_with_any_port_there_is_is_one(tmp_path: Path, port: int) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        GOOD + f"  - {{model_name: b, litellm_params: {{model: openai/x, api_base: 'http://[::1]:{port}/v1?a=b'}}}}\n"
    )
    assert CliRunner().invoke(cli, ["check", str(file)]).exit_code == 0


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_terminal_that_lacks_a_character_is_shown_the_rest(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding=encoding))
    show_what_can_be_shown()
    sys.stdout.write("a → b\n")
    sys.stdout.flush()
    assert shown.getvalue().decode(encoding) in {"a ? b\n", "a → b\n"}


def test_a_port_in_use_is_told_with_the_option_that_helps() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Misconfigured) as caught:
            listening_socket(ServePlan("127.0.0.1", taken.getsockname()[1], Path("data")), shared=False)
    assert "--port" in (caught.value.hint or "")


def test_of_two_that_start_at_once_the_second_is_told() -> None:
    first = listening_socket(ServePlan("127.0.0.1", 0, Path("data")), shared=False)
    with first, pytest.raises(Misconfigured, match="in use"):
        listening_socket(ServePlan("127.0.0.1", first.getsockname()[1], Path("data")), shared=False)


def test_a_port_that_is_held_is_for_workers_only() -> None:
    with held_port(ServePlan("127.0.0.1", 0, Path("data"))) as port:
        plan = ServePlan("127.0.0.1", port, Path("data"))
        for _ in range(2):
            with listening_socket(plan, shared=True) as one, listening_socket(plan, shared=True) as other:
                one.listen()
                other.listen()
                socket.create_connection(("127.0.0.1", port)).close()
            # Between workers nobody is let in, and nobody waits for an answer that nobody will give.
            with pytest.raises(Misconfigured, match="in use"):
                listening_socket(plan, shared=False)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
    listening_socket(plan, shared=False).close()


def test_a_port_that_workers_of_another_have_is_not_shared_with_them() -> None:
    with listening_socket(ServePlan("127.0.0.1", 0, Path("data")), shared=True) as theirs:
        theirs.listen()
        with (
            pytest.raises(Misconfigured, match="in use"),
            held_port(ServePlan("127.0.0.1", theirs.getsockname()[1], Path("data"))),
        ):
            pass


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told_with_the_option_that_helps(host: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        listening_socket(ServePlan(host, 0, Path("data")), shared=False)
    assert "--host" in (caught.value.hint or "")


@pytest.mark.parametrize(("mode", "warned"), [(0o777, True), (0o702, True), (0o700, False), (0o755, False)])
def test_a_data_directory_that_everybody_can_write_to_is_warned_of(tmp_path: Path, mode: int, warned: bool) -> None:
    tmp_path.chmod(mode)
    console = Console(record=True, width=400)
    _tell_open(tmp_path, console)
    text = console.export_text()
    assert ("WARNING" in text) is warned
    assert (f"chmod 700 {tmp_path}" in text) is warned


def test_mapping_tells_what_becomes_of_each_parameter() -> None:
    done = CliRunner().invoke(cli, ["mapping", "openai_chat", "anthropic"])
    assert done.exit_code == 0
    assert any(line.split() == ["stop", "mapped", "stop_sequences"] for line in done.output.splitlines())
    rows = msgspec.json.decode(CliRunner().invoke(cli, ["mapping", "openai_chat", "anthropic", "--json"]).output)
    assert {"name": "stop", "kind": "parameter", "outcome": "mapped", "targets": ["stop_sequences"], "note": ""} in rows


def test_mapping_says_what_an_upstream_does_not_have() -> None:
    done = CliRunner().invoke(cli, ["mapping", "openai_embeddings", "anthropic"])
    assert done.exit_code == 2 and "Anthropic does not have OpenAI embeddings." in done.output


def test_mapping_names_the_dialects_there_are() -> None:
    done = CliRunner().invoke(cli, ["mapping", "openai_chat", "somebody"])
    assert done.exit_code == 2 and "'ollama'" in done.output
