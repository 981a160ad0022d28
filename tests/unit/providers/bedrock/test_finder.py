from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from pointsman.core.access import AwsAccess
from pointsman.core.errors import Unreachable
from pointsman.core.secret import Secret
from pointsman.providers.bedrock.finder import KeyFinder
from pointsman.providers.bedrock.keys import Grant
from pointsman.providers.bedrock.profiles import profile_region
from pointsman.providers.bedrock.surroundings import AwsSurroundings
from pointsman.providers.transport import FetchReply
from tests.unit.providers.scripted import FakeClock

EXPIRES = "2026-01-02T03:04:05Z"
EXPIRES_AT = 1767323045.0
GRANTED = {"AccessKeyId": "ASIAGRANTED", "SecretAccessKey": "sec/ret", "Token": "tok+en==", "Expiration": EXPIRES}
ROLE = "arn:aws:iam::123456789012:role/x"
STS = "https://sts.eu-central-1.amazonaws.com"
STATIC = AwsAccess(region="eu-central-1", access_key_id=Secret("AKID"), secret_access_key=Secret("secret"))


def role_answer(*, as_json: bool = False) -> bytes:
    credentials = {"AccessKeyId": "ASIAROLE", "SecretAccessKey": "ro/le", "SessionToken": "to/ken"}
    if as_json:
        fields = {"AssumeRoleResult": {"Credentials": {**credentials, "Expiration": 1.767323045e9}}}
        return json.dumps({"AssumeRoleResponse": fields}).replace("/", "\\/").encode()
    fields_as_xml = "".join(f"<{name}>{value}</{name}>" for name, value in credentials.items())
    return f"<R><C>{fields_as_xml}<Expiration>{EXPIRES}</Expiration></C></R>".encode()


class Machine:
    """What a machine has: variables, files under ``home``, and services that answer by method and URL."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.variables = {"HOME": str(home)}
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.finder = KeyFinder(self, lambda: AwsSurroundings.read(self.variables), FakeClock())

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
        timeout_seconds: float = 5.0,
        content_type: str = "application/json",
    ) -> FetchReply:
        line = f"{method} {url}"
        self.asked.append(line)
        self.headers.append(dict(headers))
        self.forms.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
        if line not in self.pages:
            raise Unreachable("nobody there")
        status, answer = self.pages[line]
        return FetchReply(status, (), answer)

    def file(self, name: str, text: str) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    async def found(self, access: AwsAccess | None = None) -> Grant:
        return await self.finder.find(access or AwsAccess(region="eu-central-1"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def said(grant: Grant) -> tuple[str, str, str | None, float | None]:
    keys = grant.keys
    token = None if keys.session_token is None else keys.session_token.reveal()
    return keys.access_key_id, keys.secret_access_key.reveal(), token, grant.expires_at


async def failure(machine: Machine, access: AwsAccess | None = None) -> str:
    with pytest.raises(Unreachable) as caught:
        await machine.found(access)
    assert (caught.value.code, caught.value.sent) == ("aws_credentials_missing", False)
    assert "123456789012" not in caught.value.told()
    return caught.value.message


async def test_keys_of_the_deployment_need_nobody(machine: Machine) -> None:
    assert said(await machine.found(STATIC)) == ("AKID", "secret", None, None)
    assert machine.asked == []


async def test_nothing_at_all(machine: Machine) -> None:
    message = await failure(machine)
    assert all(word in message for word in ("AWS_ACCESS_KEY_ID", "'default'", "container", "EC2"))


async def test_the_usual_profile_of_both_files(machine: Machine) -> None:
    machine.file(".aws/credentials", "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = a=b#c\n")
    machine.file(".aws/config", "[default]\nregion = us-east-2\noutput = json\ns3 =\n  max_queue_size = 10\n")
    assert said(await machine.found()) == ("AKIDFILE", "a=b#c", None, 1900.0)
    assert profile_region(None, AwsSurroundings.read(machine.variables)) == "us-east-2"


async def test_a_named_profile_and_one_that_is_not_there(machine: Machine) -> None:
    text = "[profile two]\naws_access_key_id=AKIDTWO\naws_secret_access_key=s\naws_session_token=t\n[three]\nregion=x\n"
    machine.variables["AWS_CONFIG_FILE"] = str(machine.file("elsewhere", text))
    assert said(await machine.found(AwsAccess(profile="two"))) == ("AKIDTWO", "s", "t", 1900.0)
    assert "'three'" in await failure(machine, AwsAccess(profile="three"))
    machine.variables["AWS_PROFILE"] = "two"
    assert (await machine.found()).keys.access_key_id == "AKIDTWO"


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_role_is_taken_with_the_keys_of_the_deployment(machine: Machine, as_json: bool) -> None:
    machine.pages[f"POST {STS}"] = (200, role_answer(as_json=as_json))
    access = AwsAccess(
        region="eu-central-1",
        access_key_id=Secret("AKID"),
        secret_access_key=Secret("secret"),
        role=ROLE,
        session_name="me",
        external_id="them",
        session_tags=(("team", "genai"), ("cost", "a b")),
    )
    assert said(await machine.found(access)) == ("ASIAROLE", "ro/le", "to/ken", EXPIRES_AT)
    assert machine.forms == [
        {
            "Action": "AssumeRole",
            "RoleArn": ROLE,
            "RoleSessionName": "me",
            "ExternalId": "them",
            "Tags.member.1.Key": "team",
            "Tags.member.1.Value": "genai",
            "Tags.member.2.Key": "cost",
            "Tags.member.2.Value": "a b",
            "Version": "2011-06-15",
        }
    ]
    assert "Credential=AKID/19700101/eu-central-1/sts/aws4_request" in machine.headers[0]["Authorization"]


async def test_a_role_that_is_not_granted(machine: Machine) -> None:
    wrong = f"<E><Message>User: {ROLE} is not authorized to perform: sts:AssumeRole</Message></E>"
    machine.pages[f"POST {STS}"] = (403, wrong.encode())
    access = AwsAccess("eu-central-1", Secret("AKID"), Secret("s"), role=ROLE)
    assert "not authorized" in await failure(machine, access)
    machine.pages[f"POST {STS}"] = (200, b"<html>")
    assert "not AWS credentials" in await failure(machine, access)
    machine.pages.clear()
    assert "could not be asked" in await failure(machine, access)


@pytest.mark.parametrize("given", ["the-token", "oidc/file/{file}", "{file}"])
async def test_a_role_by_the_web_identity_of_the_deployment(machine: Machine, given: str) -> None:
    file = machine.file("token", "the-token\n")
    machine.pages["POST https://sts.us-east-1.amazonaws.com"] = (200, role_answer())
    access = AwsAccess(role=ROLE, web_identity_token=Secret(given.format(file=file)))
    assert (await machine.found(access)).keys.access_key_id == "ASIAROLE"
    assert machine.forms[0]["WebIdentityToken"] == "the-token"
    assert machine.headers == [{}]


async def test_a_provider_of_tokens_that_is_not_supported(machine: Machine) -> None:
    access = AwsAccess(role=ROLE, web_identity_token=Secret("oidc/github/x"))
    assert "not supported" in await failure(machine, access)


async def test_a_role_by_the_web_identity_of_the_machine(machine: Machine) -> None:
    machine.variables |= {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(machine.home / "token")}
    assert "not there" in await failure(machine)
    machine.file("token", "the-token")
    machine.pages[f"POST {STS}"] = (200, role_answer())
    assert (await machine.found()).keys.access_key_id == "ASIAROLE"
    assert machine.forms[-1]["RoleSessionName"].startswith("pointsman-")


async def test_a_role_that_the_machine_has_already_is_not_taken_twice(machine: Machine) -> None:
    machine.variables |= {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(machine.file("token", "the-token")),
    }
    machine.pages[f"POST {STS}"] = (200, role_answer())
    await machine.found(AwsAccess("eu-central-1", role=ROLE))
    assert [form["Action"] for form in machine.forms] == ["AssumeRoleWithWebIdentity"]
    await machine.found(AwsAccess("eu-central-1", role=f"{ROLE}2"))
    assert [form["Action"] for form in machine.forms[1:]] == ["AssumeRoleWithWebIdentity", "AssumeRole"]


async def test_profiles_that_take_roles_by_one_another(machine: Machine) -> None:
    machine.file(
        ".aws/config",
        f"[profile a]\nrole_arn={ROLE}a\nsource_profile=b\nregion=eu-central-1\n"
        f"[profile b]\nrole_arn={ROLE}b\nsource_profile=b\nregion=eu-central-1\nexternal_id=e\n",
    )
    machine.file(".aws/credentials", "[b]\naws_access_key_id=AKIDB\naws_secret_access_key=s\n")
    machine.pages[f"POST {STS}"] = (200, role_answer())
    assert (await machine.found(AwsAccess(profile="a"))).keys.access_key_id == "ASIAROLE"
    assert [form["RoleArn"] for form in machine.forms] == [f"{ROLE}b", f"{ROLE}a"]
    assert ["Credential=AKIDB/" in machine.headers[0]["Authorization"], machine.forms[0]["ExternalId"]] == [True, "e"]


async def test_profiles_in_a_circle_come_to_an_end(machine: Machine) -> None:
    links = [f"[profile p{n}]\nrole_arn=r\nsource_profile=p{(n + 1) % 9}\n" for n in range(9)]
    machine.file(".aws/config", "".join(links))
    assert "too many" in await failure(machine, AwsAccess(profile="p0"))


@pytest.mark.parametrize(
    ("source", "key"),
    [("Environment", "AKIDENV"), ("EcsContainer", "ASIAGRANTED"), ("Ec2InstanceMetadata", "ASIAGRANTED")],
)
async def test_a_profile_that_takes_a_role_by_what_the_machine_has(machine: Machine, source: str, key: str) -> None:
    machine.file(".aws/config", f"[default]\nrole_arn={ROLE}\ncredential_source={source}\n")
    machine.variables |= {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "s"}
    give_container(machine)
    give_instance(machine)
    machine.pages[f"POST {STS}"] = (200, role_answer())
    assert (await machine.found()).keys.access_key_id == "ASIAROLE"
    assert f"Credential={key}/" in machine.headers[-1]["Authorization"]


@pytest.mark.parametrize("field", ["credential_process", "sso_session"])
async def test_what_starts_other_programs_is_refused_by_its_name(machine: Machine, field: str) -> None:
    machine.file(".aws/config", f"[default]\n{field} = something\n")
    assert field in await failure(machine)


@pytest.mark.parametrize("text", ["no section = 1", "[x", "\x00\x01"])
async def test_a_file_that_is_no_list_of_profiles(machine: Machine, text: str) -> None:
    machine.file(".aws/credentials", text)
    assert "format" in await failure(machine)
    assert profile_region(None, AwsSurroundings.read(machine.variables)) is None


def give_container(machine: Machine) -> None:
    machine.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/1"
    machine.pages["GET http://169.254.170.2/v2/credentials/1"] = (200, json.dumps(GRANTED).encode())


def give_instance(machine: Machine) -> None:
    base = "http://169.254.169.254/latest"
    machine.pages[f"PUT {base}/api/token"] = (200, b"imds")
    machine.pages[f"GET {base}/meta-data/iam/security-credentials/"] = (200, b"my-role\n")
    machine.pages[f"GET {base}/meta-data/iam/security-credentials/my-role"] = (200, json.dumps(GRANTED).encode())


async def test_the_role_of_a_container(machine: Machine) -> None:
    give_container(machine)
    assert said(await machine.found()) == ("ASIAGRANTED", "sec/ret", "tok+en==", EXPIRES_AT)


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN": "plain"}, "plain"),
        ({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/token"}, "in-the-file"),
        ({}, None),
    ],
)
async def test_a_container_wants_its_token(machine: Machine, variables: dict[str, str], sent: str | None) -> None:
    machine.file("token", "in-the-file\n")
    url = "http://169.254.170.23/v1/credentials"
    machine.variables |= {name: value.format(home=machine.home) for name, value in variables.items()}
    machine.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
    machine.pages[f"GET {url}"] = (200, json.dumps(GRANTED).encode())
    await machine.found()
    assert machine.headers[-1].get("Authorization") == sent


@pytest.mark.parametrize("url", ["http://example.com/keys", "ftp://127.0.0.1/", "http://169.254.170.2.evil.net/"])
async def test_a_containers_token_goes_nowhere_else_in_plain_sight(machine: Machine, url: str) -> None:
    machine.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url
    await failure(machine)
    assert machine.asked == []


async def test_a_container_that_gives_none(machine: Machine) -> None:
    give_container(machine)
    machine.pages["GET http://169.254.170.2/v2/credentials/1"] = (500, b"")
    assert "container" in await failure(machine)
    machine.pages["GET http://169.254.170.2/v2/credentials/1"] = (200, b'{"AccessKeyId":"x"}')
    assert "not AWS credentials" in await failure(machine)


async def test_the_role_of_an_instance(machine: Machine) -> None:
    give_instance(machine)
    assert said(await machine.found()) == ("ASIAGRANTED", "sec/ret", "tok+en==", EXPIRES_AT)
    assert machine.headers[1] == {"X-aws-ec2-metadata-token": "imds"}


@pytest.mark.parametrize("wrong", [b"", b'{"a":1}', b"<html>"])
async def test_an_instance_without_a_role(machine: Machine, wrong: bytes) -> None:
    give_instance(machine)
    machine.pages["GET http://169.254.169.254/latest/meta-data/iam/security-credentials/"] = (200, wrong)
    assert "EC2" in await failure(machine)


async def test_an_instance_is_not_asked_where_that_is_off(machine: Machine) -> None:
    give_instance(machine)
    machine.variables["AWS_EC2_METADATA_DISABLED"] = "true"
    await failure(machine)
    assert machine.asked == []


async def test_a_time_that_is_none(machine: Machine) -> None:
    give_container(machine)
    answer: dict[str, Any] = {**GRANTED, "Expiration": "soon"}
    machine.pages["GET http://169.254.170.2/v2/credentials/1"] = (200, json.dumps(answer).encode())
    assert "expire" in await failure(machine)


def test_a_files_place_may_begin_at_home(tmp_path: Path) -> None:
    read = AwsSurroundings.read({"HOME": str(tmp_path), "AWS_CONFIG_FILE": "~/aws.ini"})
    assert (read.config_file, read.credentials_file) == (tmp_path / "aws.ini", tmp_path / ".aws" / "credentials")
