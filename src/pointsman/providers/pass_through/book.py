"""From a request under ``/{provider}/…`` to what is sent there, and with whose key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

import msgspec

from pointsman.core.errors import Malformed, NotFound
from pointsman.core.exchange import Inbound
from pointsman.core.passage import Passage
from pointsman.core.price import Price
from pointsman.core.secret import Secret
from pointsman.core.upstream import Ask, Deployment, Operation, Outbound, Timeouts
from pointsman.providers.azure import azure_key_header
from pointsman.providers.pass_through.answer import PassageAnswer
from pointsman.providers.pass_through.heads import forwarded_headers, returned_lines
from pointsman.providers.pass_through.signing import SignerMaker
from pointsman.providers.pass_through.target import read_target
from pointsman.providers.registry import Provider, find_provider, providers
from pointsman.wire.limits import MODEL_NAME_BYTES_MAX
from pointsman.wire.multipart import opening_boundary, read_form

__all__ = ["PassageBook", "passage_names"]

_VERSION: Final = re.compile(r"/v[0-9]+(?:alpha|beta)?[0-9]*$")
_IDLE_PATH: Final = re.compile(
    r"(?:api/(?:show|pull|push|create|copy|blobs|delete)|(?:de)?tokenize|apply-template|models|v1/models)\b"
)
"""What local servers answer without working with a model: management, and counting of tokens."""
_PATH_MODEL: Final = re.compile(r"/(?:models?|tunedModels|deployments|engines)/([^/:?]+)", re.IGNORECASE)
_CONVERSE_MODEL: Final = re.compile(
    r"/model/(.+)/(?:converse|converse-stream|invoke|invoke-with-(?:response|bidirectional)-stream|count-tokens)$"
)
"""Bedrock's names of models have colons, and those of profiles slashes."""
_FORM: Final = b"multipart/form-data"
_FORM_TYPE: Final = re.compile(
    rb'multipart/form-data[ \t]*;[ \t]*boundary=(?:"([^"\\]*)"|([^";\s]+))[ \t]*', re.IGNORECASE
)
_OTHER_NAMES: Final = {"openai_passthrough": "openai"}
"""LiteLLM's way to what is served here under ``/openai`` as well, past the gateway's own dialects."""
_CALLERS_TO_CHOOSE: Final = frozenset({"anthropic-beta", "anthropic-version", "openai-beta", "user-agent"})
_AZURE: Final = "azure"
_IBM: Final = "ibm"

_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any: Final = msgspec.json.Decoder(msgspec.Raw).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


def passage_names() -> tuple[str, ...]:
    """Every provider, since each has an API of its own to pass on to."""
    return (*providers(), *_OTHER_NAMES)


class PassageBook:
    """See :class:`pointsman.core.passage.Passages`.

    ``deployments`` are those that are configured: of a provider's, the first that is meant to lends its address and its
    key, else the first that is not meant not to. Where there is none, the ``environment`` may have a key, which is then
    sent to the provider's usual address. ``price`` knows what a model of a provider costs, ``signer`` lets in what
    needs more than a key.
    """

    def __init__(
        self,
        deployments: Callable[[], Sequence[Deployment]],
        environment: Callable[[], Mapping[str, str]],
        price: Callable[[str, str], Price | None],
        credential_headers: frozenset[bytes],
        signer: SignerMaker = lambda _deployment: None,
    ) -> None:
        self._deployments = deployments
        self._environment = environment
        self._price = price
        self._credential_headers = credential_headers
        self._signer = signer

    def passage(self, inbound: Inbound) -> Passage:
        """See the protocol."""
        head = inbound.head
        called, _, rest = (head.path_model or "").partition("/")
        name = _OTHER_NAMES.get(called, called)
        path, query = read_target(rest)
        lent = self._lender(name)
        deployment, version = _way_to(name, lent)
        if version and not _VERSION.match(f"/{path.partition('/')[0]}"):
            path = f"{version}/{path}"
        if head.header(b"content-encoding") not in (None, b"", b"identity"):
            message = "A body in a content encoding cannot be passed on, since its model cannot be read."
            raise Malformed(message, hint="Send it as it is.", status=415, code="unsupported_content_encoding")
        content_type = head.header(b"content-type")
        fields = _fields(content_type, inbound.body)
        model = _model(fields, path) or _form_model(content_type, inbound.body)
        deployment = self._with_model(deployment, model)
        body = inbound.body
        if fields:
            # Whoever reads a field twice must find the one model that was asked about.
            body = msgspec.json.encode(fields)
        target = f"/{path.lstrip('/')}" + (f"?{query}" if query else "")
        outbound = Outbound(
            target.encode("ascii"),
            body,
            content_type or b"application/json",
            forwarded_headers(head.headers, head.key, self._credential_headers | _own_names(deployment)),
            head.method,
        )
        ask = Ask(Operation.PASS_THROUGH, model, fields)
        works = head.method == b"POST" and not _IDLE_PATH.match(path.lstrip("/"))
        key = b"" if deployment.api_key is None else deployment.api_key.reveal().encode()
        signer = self._signer(msgspec.structs.replace(lent, api_base=deployment.api_base))
        spellings = _spellings(name, path)
        if signer is None:
            return Passage(ask, deployment, outbound, PassageAnswer(key=key), spellings, works)
        answer = PassageAnswer(key=key, on_error=signer.answered)
        return Passage(ask, deployment, outbound, answer, spellings, works, lambda: signer.signed(outbound))

    returned = staticmethod(returned_lines)

    def _lender(self, name: str) -> Deployment:
        provider = find_provider(name)
        if provider is None:
            raise NotFound(f"There is no provider {name!r} here.")
        may = [each for each in self._deployments() if each.provider == name and each.handling.lends is not False]
        lent = next((each for each in may if each.handling.lends), may[0] if may else None)
        return self._from_environment(provider, name) if lent is None else lent

    def _from_environment(self, provider: Provider, name: str) -> Deployment:
        environment = self._environment()
        base, key = provider.base_in(environment), provider.key_in(environment)
        if provider.cloud == _IBM:
            key = None  # it is never sent itself, and only a model's entry says where it is exchanged
        if base is None or (key is None and not provider.local):
            wanted = " or ".join(provider.keys) or "its address"
            or_set = "" if provider.cloud == _IBM else f", or set {wanted}"
            raise NotFound(
                f"Nothing is configured for {name}.",
                hint=f"Add a model of {name} to model_list{or_set}.",
                code="pass_through_not_configured",
            )
        return Deployment(
            id="",
            group=name,
            provider=name,
            model="",
            litellm_model=name,
            api_base=base,
            price=None,
            api_key=None if key is None else Secret(key),
            key_header=azure_key_header(name, base, "") if provider.cloud == _AZURE else provider.key_header,
            headers={header: Secret(value) for header, value in provider.headers.items()},
            timeouts=Timeouts(),
            local=provider.local,
        )

    def _with_model(self, deployment: Deployment, model: str) -> Deployment:
        name = deployment.provider
        if not model:
            return msgspec.structs.replace(deployment, group=name, litellm_model=name, access_groups=frozenset())
        same = (each for each in self._deployments() if each.provider == name and each.model == model)
        known = next(same, None)
        price = self._price(name, model) if known is None else known.price
        return msgspec.structs.replace(
            deployment,
            model=model,
            group=f"{name}/{model}" if known is None else known.group,
            litellm_model=f"{name}/{model}",
            access_groups=frozenset() if known is None else known.access_groups,
            price=price,
            charges=price is not None and not price.is_free,
        )


def _way_to(name: str, lent: Deployment) -> tuple[Deployment, str]:
    """A deployment that stands for the whole provider, and the version that the address of ``lent`` has."""
    base = lent.api_base.partition("?")[0].rstrip("/")
    version = _VERSION.search(base)
    found = msgspec.structs.replace(
        lent,
        id=f"pass-through/{name}",
        api_base=base if version is None else base[: version.start()],
        model="",
        price=None,
        charges=False,
        pinned={},
    )
    return found, "" if version is None else version[0][1:]


def _own_names(deployment: Deployment) -> frozenset[bytes]:
    """The headers that are the operator's; which version and betas of an API are meant, a caller may say."""
    names = (name.lower() for name in (*deployment.headers, deployment.key_header))
    return frozenset(name.encode("latin-1", "replace") for name in names if name not in _CALLERS_TO_CHOOSE)


def _spellings(name: str, path: str) -> tuple[str, ...]:
    """Every path of ours that leads where ``path`` does: under each name, and with and without the version."""
    first, _, rest = path.partition("/")
    paths = (path, rest) if _VERSION.match(f"/{first}") else (path,)
    names = (name, *(other for other, meant in _OTHER_NAMES.items() if meant == name))
    return tuple(f"/{each}/{way}" for each in names for way in paths)


def _fields(content_type: bytes | None, body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object, whatever its type is said to be; none where the body is something else.

    Raises:
        Malformed: it is said to be JSON and is not, as it is read here: some servers read more than that.
    """
    if not body:
        return {}
    said = (content_type or b"application/json").partition(b";")[0].strip().lower()
    try:
        return _decode_fields(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if said == b"application/json" or said.endswith(b"+json"):
            _demand_json(body)
        return {}


def _demand_json(body: bytes) -> None:
    try:
        _decode_any(body)
        body.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = "The request body is not valid JSON in UTF-8."
        raise Malformed(message, hint="Send JSON, or the content type of what is sent.", code="invalid_json") from None


def _form_model(content_type: bytes | None, body: bytes) -> str:
    """The model that a form names.

    Raises:
        Malformed: it is no form, or one that could be read in two ways.
    """
    if content_type is None or not content_type.lower().startswith(_FORM):
        return ""
    said = _FORM_TYPE.fullmatch(content_type)
    if said is None or (said[1] or said[2]) != opening_boundary(body):
        message = "The boundary of the form is not the one that its content type names."
        raise Malformed(message, hint="Send multipart/form-data as RFC 7578 has it.", code="bad_form")
    model = read_form(body).text("model") or ""
    return model if _may_be_model(model) else ""


def _model(fields: Mapping[str, msgspec.Raw], path: str) -> str:
    """The model that a request is about; empty if it names none that can be one."""
    plain = f"/{unquote(path)}"
    found = _CONVERSE_MODEL.search(plain) or _PATH_MODEL.search(plain)
    model = found[1] if found is not None else ""
    if not model and "model" in fields:
        try:
            model = _decode_text(fields["model"])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return ""
    return model if _may_be_model(model) else ""


def _may_be_model(model: str) -> bool:
    return model.isprintable() and len(model) <= MODEL_NAME_BYTES_MAX
