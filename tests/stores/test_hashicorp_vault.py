"""References that HashiCorp Vault answers: found, missed, remembered through an outage, and asked for again."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.config.findings import ConfigRefused
from pointsman.config.load import Loaded, load
from pointsman.config.secret_sources import SecretsUnavailable
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret
from pointsman.stores.secret_sources import SecretSources, VaultSource
from pointsman.stores.secret_sources.hashicorp_vault import VaultSettings, vault_settings
from pointsman.stores.secret_sources.vault_wire import VaultWire
from tests.support.fake_vault import FakeVault

MASTER = "sk-master-of-the-vault-0123"


class SetClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with FakeVault() as running:
        yield running


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def source(vault: FakeVault, clock: SetClock, **said: str) -> VaultSource:
    return VaultSource(vault_settings({**vault.environment, **said}), clock)


def test_a_secret_is_found_where_litellm_has_it(vault: FakeVault, clock: SetClock) -> None:
    vault.put("OPENAI_API_KEY", "sk-a")
    assert source(vault, clock).find("OPENAI_API_KEY") == "sk-a"
    assert vault.asked[0][2]["x-vault-token"] == vault.token


def test_mount_prefix_namespace_and_field_are_heeded(vault: FakeVault, clock: SetClock) -> None:
    vault.put("team/openai", "sk-b", field="api_key", at="kv/data/litellm")
    said = {"HCP_VAULT_MOUNT_NAME": "kv", "HCP_VAULT_PATH_PREFIX": "/litellm/", "HCP_VAULT_NAMESPACE": "admin"}
    made = source(vault, clock, **said)
    assert made.find("team/openai#api_key") == "sk-b"
    assert vault.asked[0][2]["x-vault-namespace"] == "admin"
    assert made.where("team/openai#api_key") == f"{vault.address} kv/data/litellm/team/openai (field api_key)"
    assert made.find("../../../sys/health") is None  # a name never leaves its place
    assert vault.asked[-1][1] == "/v1/kv/data/litellm/sys/health"


def test_what_was_told_is_remembered_for_a_while_and_through_an_outage(vault: FakeVault, clock: SetClock) -> None:
    vault.put("K", "first")
    made = source(vault, clock, HCP_VAULT_REFRESH_INTERVAL="60")
    assert made.find("K") == "first"
    assert made.find("K") == "first" and len(vault.asked) == 1
    vault.put("K", "second")
    clock.now += 61
    vault.down = True
    assert made.find("K") == "first"
    assert made.trouble is not None and "sealed" in made.trouble
    with pytest.raises(SecretsUnavailable, match="sealed"):
        made.find("never-asked-for")
    vault.down = False
    clock.now += 11
    assert made.find("K") == "second"
    assert made.trouble is None


def test_an_outage_is_waited_for_once_and_not_by_every_name(vault: FakeVault, clock: SetClock) -> None:
    vault.down = True
    made = source(vault, clock)
    for name in ("A", "B", "C"):
        with pytest.raises(SecretsUnavailable):
            made.find(name)
    assert len(vault.asked) == 1


def test_a_refresh_tells_whether_anything_changed(vault: FakeVault, clock: SetClock) -> None:
    vault.put("K", "first")
    made = source(vault, clock)
    made.find("K"), made.find("MISSING")
    assert not made.refresh()
    vault.put("K", "second")
    assert made.refresh()
    assert made.find("K") == "second"
    vault.put("MISSING", "now-there")
    assert made.refresh() and made.find("MISSING") == "now-there"
    vault.down = True
    assert not made.refresh()
    assert made.find("K") == "second"


def test_an_approle_logs_in_and_again_once_its_token_is_old_or_revoked(vault: FakeVault, clock: SetClock) -> None:
    vault.put("K", "v")
    vault.lease_seconds = 100
    said = {"HCP_VAULT_APPROLE_ROLE_ID": "role", "HCP_VAULT_APPROLE_SECRET_ID": "role-secret", "HCP_VAULT_TOKEN": "x"}
    made = source(vault, clock, HCP_VAULT_REFRESH_INTERVAL="1", **said)

    def logins() -> int:
        return sum(method == "POST" for method, _, _ in vault.asked)

    assert made.find("K") == "v" and logins() == 1
    clock.now += 5
    assert made.find("K") == "v" and logins() == 1
    clock.now += 80
    assert made.find("K") == "v" and logins() == 2
    vault.token = "hvs.another"
    clock.now += 5
    assert made.find("K") == "v" and logins() == 3


@pytest.mark.parametrize(("renewable", "renewals"), [(True, 3), (False, 1)])
def test_a_token_that_was_given_lives_as_long_as_it_may(
    vault: FakeVault, clock: SetClock, renewable: bool, renewals: int
) -> None:
    vault.put("K", "v")
    vault.lease_seconds, vault.renewable = 100, renewable
    made = source(vault, clock, HCP_VAULT_REFRESH_INTERVAL="1")
    for _ in range(20):
        assert made.find("K") == "v"
        clock.now += 10
    assert vault.renewals == renewals


def test_a_token_is_renewed_in_time_however_seldom_secrets_are_asked_for(vault: FakeVault, clock: SetClock) -> None:
    vault.put("K", "v")
    vault.lease_seconds, vault.renewable = 100, True
    made = source(vault, clock, HCP_VAULT_REFRESH_INTERVAL="86400")
    assert made.find("K") == "v"

    def wait() -> int:
        """As who follows secrets does; how often the token was renewed in that time."""
        before, clock.now = vault.renewals, clock.now + made.refresh_seconds
        made.refresh()
        return vault.renewals - before

    for _ in range(3):
        assert made.refresh_seconds < vault.lease_seconds
        assert wait() == 1
    # What fails is tried again while the token still lives.
    vault.down = True
    wait()
    vault.down = False
    assert made.refresh_seconds <= 10 and wait() == 1 and made.trouble is None
    vault.renewable = False
    assert wait() == 1 and made.refresh_seconds == 86400


def test_an_expired_token_is_told_and_what_was_known_holds(vault: FakeVault, clock: SetClock) -> None:
    vault.put("K", "v")
    made = source(vault, clock, HCP_VAULT_REFRESH_INTERVAL="1")
    assert made.find("K") == "v"
    vault.token, clock.now = "hvs.another", clock.now + 60
    assert made.find("K") == "v"
    assert made.trouble is not None and "HCP_VAULT_TOKEN may have expired" in made.trouble


def test_a_refused_login_tells_why_and_no_secret(vault: FakeVault, clock: SetClock) -> None:
    said = {"HCP_VAULT_APPROLE_ROLE_ID": "role", "HCP_VAULT_APPROLE_SECRET_ID": "wrong-secret-id"}
    with pytest.raises(SecretsUnavailable, match="status 400") as caught:
        source(vault, clock, **said).find("K")
    assert "wrong-secret-id" not in str(caught.value)


def test_nobody_there_is_told(clock: SetClock) -> None:
    made = VaultSource(VaultSettings(address="http://127.0.0.1:9", token=Secret("t")), clock)
    with pytest.raises(SecretsUnavailable, match=r"127\.0\.0\.1:9 cannot be reached"):
        made.find("K")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "how to come in"),
        ({"HCP_VAULT_ADDR": "vault.example.com", "HCP_VAULT_TOKEN": "t"}, "HCP_VAULT_ADDR"),
        ({"HCP_VAULT_ADDR": "https://u:p@v", "HCP_VAULT_TOKEN": "t"}, "HCP_VAULT_ADDR"),
        ({"HCP_VAULT_TOKEN": "t", "HCP_VAULT_REFRESH_INTERVAL": "often"}, "REFRESH_INTERVAL"),
        ({"HCP_VAULT_TOKEN_FILE": "/nowhere/token"}, "HCP_VAULT_TOKEN_FILE"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(said: dict[str, str], told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        vault_settings(said)


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hvs.from-file\n")
    found = vault_settings({"HCP_VAULT_TOKEN_FILE": str(tmp_path / "token")}).token
    assert found is not None and found.matches("hvs.from-file")


# -- as a configuration asks it -------------------------------------------------------------------------------------


CONFIG = """\
general_settings:
  key_management_system: hashicorp_vault
  master_key: os.environ/MASTER
model_list:
- {model_name: a, litellm_params: {model: openai/a, api_key: os.environ/OPENAI_API_KEY}}
"""


def read(tmp_path: Path, environment: dict[str, str], text: str = CONFIG) -> Loaded:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load(path, environment, SecretSources())


def test_references_are_asked_of_the_vault_first_and_then_of_the_environment(tmp_path: Path, vault: FakeVault) -> None:
    vault.put("OPENAI_API_KEY", "sk-from-vault")
    loaded = read(tmp_path, {**vault.environment, "OPENAI_API_KEY": "sk-from-env", "MASTER": MASTER})
    key = loaded.settings.model_list[0].litellm_params.api_key
    assert key is not None and key.matches("sk-from-vault")
    assert loaded.master_key is not None and loaded.master_key.matches(MASTER)
    assert loaded.warnings == ()


def test_a_missing_secret_is_told_with_its_path(tmp_path: Path, vault: FakeVault) -> None:
    with pytest.raises(ConfigRefused) as caught:
        read(tmp_path, {**vault.environment, "MASTER": MASTER})
    (error,) = caught.value.errors
    assert error.path == "model_list[0].litellm_params.api_key"
    assert f"neither {vault.address} secret/data/OPENAI_API_KEY (field key) nor" in error.message


def test_an_outage_at_the_start_is_told_unless_the_environment_helps(tmp_path: Path, vault: FakeVault) -> None:
    vault.down = True
    with pytest.raises(ConfigRefused, match=r"cannot be looked up at .* status 503"):
        read(tmp_path, {**vault.environment, "MASTER": MASTER})
    loaded = read(tmp_path, {**vault.environment, "MASTER": MASTER, "OPENAI_API_KEY": "sk-from-env"})
    assert any("was taken from the environment" in warning.message for warning in loaded.warnings)


def test_only_hosted_keys_are_asked_for_where_they_are_listed(tmp_path: Path, vault: FakeVault) -> None:
    vault.put("OPENAI_API_KEY", "sk-from-vault")
    listed = CONFIG.replace("  master_key", "  key_management_settings: {hosted_keys: [OPENAI_API_KEY]}\n  master_key")
    loaded = read(tmp_path, {**vault.environment, "MASTER": MASTER}, listed)
    assert [path for _, path, _ in vault.asked] == ["/v1/secret/data/OPENAI_API_KEY"]
    assert loaded.secrets is not None


@pytest.mark.parametrize("line", ["access_mode: write_only", "access_mode: write_only, store_virtual_keys: false"])
def test_a_vault_that_is_only_written_to_is_not_asked(tmp_path: Path, vault: FakeVault, line: str) -> None:
    text = CONFIG.replace("  master_key", f"  key_management_settings: {{{line}}}\n  master_key")
    read(tmp_path, {**vault.environment, "MASTER": MASTER, "OPENAI_API_KEY": "x"}, text)
    assert vault.asked == []


def test_another_service_is_warned_of_and_the_environment_used(tmp_path: Path) -> None:
    text = CONFIG.replace("hashicorp_vault", "aws_secret_manager")
    loaded = read(tmp_path, {"MASTER": MASTER, "OPENAI_API_KEY": "x"}, text)
    assert [warning.path for warning in loaded.warnings] == ["general_settings.key_management_system"]


def test_settings_that_are_missing_are_an_error_at_their_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match=r"config\.yaml:2:26: general_settings\.key_management_system: Noth"):
        read(tmp_path, {"MASTER": MASTER, "OPENAI_API_KEY": "x"})


def test_the_service_stays_open_through_reloads(tmp_path: Path, vault: FakeVault) -> None:
    vault.put("OPENAI_API_KEY", "sk-from-vault")
    vault.put("MASTER", MASTER)
    sources = SecretSources()
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    first = load(path, vault.environment, sources)
    vault.down = True
    again = load(path, vault.environment, sources)
    assert again.secrets is first.secrets
    assert len(vault.asked) == 2


# -- a cluster, and who keeps us waiting ------------------------------------------------------------------------


def test_a_standbys_word_is_taken_for_where_the_active_node_is(vault: FakeVault, clock: SetClock) -> None:
    with FakeVault() as standby:
        vault.put("K", "from-the-active-one")
        standby.active = vault.address
        for said in ({}, {"HCP_VAULT_APPROLE_ROLE_ID": "role", "HCP_VAULT_APPROLE_SECRET_ID": "role-secret"}):
            assert source(standby, clock, **said).find("K") == "from-the-active-one"
        assert vault.asked[-1][2]["x-vault-token"] == vault.token


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("ftp://127.0.0.1:1/v1/secret/data/K", "names no active node"),
        ("http://user:pass@127.0.0.1:1/v1/secret/data/K", "names no active node"),
        ("http://127.0.0.1:1/v1/sys/other", "names no active node"),
        ("http://127.0.0.1:1/v1/secret/data/K?then=more", "names no active node"),
        ("http://127.0.0.1:99999/v1/secret/data/K", "names no active node"),
        ("itself", "round in circles"),
    ],
)
def test_a_standbys_word_leads_to_the_same_path_of_a_server_alone(
    vault: FakeVault, clock: SetClock, place: str, words: str
) -> None:
    vault.active = vault.address if place == "itself" else place
    with pytest.raises(SecretsUnavailable, match=words):
        source(vault, clock).find("K")
    assert len(vault.asked) <= 3


def test_no_token_goes_from_tls_to_plain_text() -> None:
    wire = VaultWire("https://vault.example:8200", ssl.create_default_context)
    with pytest.raises(SecretsUnavailable, match="without TLS"):
        wire._active_node("https://vault.example:8200", "/v1/secret/data/K", "http://10.0.0.1:8200/v1/secret/data/K")
    active = wire._active_node("https://vault.example:8200", "/v1/a", "https://[fd00::1]:8200/v1/a")
    assert active == "https://[fd00::1]:8200"


def test_who_answers_byte_by_byte_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        enough = threading.Event()

        def drip() -> None:
            one, _ = server.accept()
            with one:
                one.recv(65536)
                one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not enough.wait(0.02):
                    try:
                        one.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SecretsUnavailable, match=r"no answer within 0\.2 s"):
            VaultWire(address, ssl.create_default_context, timeout_seconds=0.2).send("GET", "/v1/a", b"", {})
        enough.set()
        thread.join(5)
