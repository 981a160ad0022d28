"""From the operator's ``model_list`` to deployments and wildcard patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Final

import msgspec

from pointsman.assembly.access import key_header, names_cloud_place, pinned_fields, read_access, takes_key, usual_base
from pointsman.assembly.handling import handling_of, sound_mock
from pointsman.assembly.host_rules import host_rules, num_ctx_max
from pointsman.assembly.host_settings import as_its_host_has_it
from pointsman.assembly.terms import out_of_place, terms_of, under_its_public_name
from pointsman.catalog.lookup import Catalog
from pointsman.catalog.models import ModelFacts
from pointsman.catalog.names import embeds
from pointsman.catalog.overrides import Overrides, merge, read_overrides
from pointsman.config.model_entries import catalogue_overrides
from pointsman.config.patterns import fill, is_pattern, match
from pointsman.config.sections import (
    LiteLLMParams,
    ModelEntry,
    ModelInfo,
    Settings,
)
from pointsman.core.errors import Misconfigured
from pointsman.core.price import FREE, picodollars
from pointsman.core.secret import Secret
from pointsman.core.upstream import Deployment, Timeouts
from pointsman.providers.long_tail import is_installed
from pointsman.providers.registry import Provider, find_provider, is_guess, split_model
from pointsman.providers.translated import RESPONSES_MODE
from pointsman.providers.transport import Origin
from pointsman.routing.hosts import HostRules, address_of
from pointsman.routing.table import Pattern, numbered

__all__ = ["Configured", "LeftOut", "configured", "why_left_out"]

_MEASURES: Final = ("weight", "rpm", "tpm")

_AUTO_ROUTER: Final = "auto_router"
_OPENAI: Final = "openai"

_ONLY_RESPONSES: Final = "responses/"
"""What LiteLLM's users put before a model that is to be asked for responses, whatever route the client came by."""

_ONLY_CHATS: Final = "chat_completions/"
"""What they put before a model of OpenAI's that is not to be asked for responses."""

_WITH_RESPONSES: Final = frozenset({None, "azure"})
"""The native dialects of providers that may have that route; None: OpenAI's own."""


class LeftOut(msgspec.Struct, frozen=True):
    """An entry that cannot be served, and why."""

    path: str
    model_name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.model_name!r}: {self.reason}"


class Configured(msgspec.Struct, frozen=True):
    """What a ``model_list`` comes to.

    ``long_tail``: some of it is reached through LiteLLM's library; ``mocked``: some of it asks no upstream.
    """

    deployments: tuple[Deployment, ...]
    patterns: tuple[Pattern, ...]
    skipped: tuple[LeftOut, ...]
    long_tail: bool = False
    mocked: bool = False


class _Skipped(Exception):
    """The entry cannot be served by this version."""


def configured(settings: Settings, environment: Mapping[str, str], catalog: Catalog) -> Configured:
    """Make the deployments.

    Raises:
        Misconfigured: an entry of the file contradicts itself (no address, a bad one, a price that is no number); one
            that is stored is left out.
    """
    rules = host_rules(settings.local.local_hosts)
    makers: list[_Maker] = []
    long_tail = False
    wild: list[_Maker] = []
    skipped: list[LeftOut] = []
    for number, given in enumerate((*settings.model_list, *settings.stored_models)):
        entry = under_its_public_name(given)
        if entry.model_info.blocked:
            continue
        try:
            maker = _Maker(entry, settings, environment, catalog, rules)
        except (_Skipped, Misconfigured) as reason:
            path = _located(entry, f"stored model {entry.model_info.id}" if entry.stored else f"model_list[{number}]")
            if isinstance(reason, Misconfigured) and not entry.stored:
                raise Misconfigured(f"{path}: {reason.message}", hint=reason.hint) from None
            skipped.append(LeftOut(path, entry.model_name, _told_of(reason)))
            continue
        long_tail = long_tail or maker.long_tail
        if is_pattern(entry.model_name):
            wild.append(maker)
        else:
            makers.append(maker)
    shares = _shares([maker.entry for maker in makers])
    deployments = [
        maker.deployment(maker.entry.model_name, maker.model, share)
        for maker, share in zip(makers, shares, strict=True)
    ]
    patterns = tuple(
        Pattern(maker.entry.model_name, partial(maker.expand, share=share), maker.known)
        for maker, share in zip(wild, _shares([maker.entry for maker in wild]), strict=True)
    )
    mocked = any(maker.entry.litellm_params.mock_response is not None for maker in (*makers, *wild))
    return Configured(numbered(deployments), patterns, tuple(skipped), long_tail, mocked)


def _located(entry: ModelEntry, path: str) -> str:
    return f"{entry.place}: {path}" if entry.place else path


def why_left_out(entry: ModelEntry, settings: Settings, environment: Mapping[str, str]) -> str | None:
    """Why an entry that is to be stored could not be served; None: it could."""
    try:
        _Maker(entry, settings, environment, Catalog(), host_rules(settings.local.local_hosts))
    except (_Skipped, Misconfigured) as reason:
        return _told_of(reason)
    return None


def _told_of(reason: _Skipped | Misconfigured) -> str:
    return reason.told() if isinstance(reason, Misconfigured) else str(reason)


class _Maker:
    """Makes the deployments of one entry: one, or for a wildcard one per name asked for."""

    def __init__(
        self,
        entry: ModelEntry,
        settings: Settings,
        environment: Mapping[str, str],
        catalog: Catalog,
        rules: Mapping[str, HostRules],
    ) -> None:
        if entry.missing_credential is not None:
            raise _Skipped(f"there is no credential {entry.missing_credential!r}, in credential_list or stored")
        misplaced = out_of_place(entry, environment)
        if misplaced is not None:
            raise _Skipped(misplaced)
        if entry.address_stored:
            environment = {}  # what the operator keeps there is sent to no address but the operator's
        params = entry.litellm_params
        self.entry = entry
        self._settings = settings
        self._rules = rules
        self._catalog = catalog
        self._mock = sound_mock(entry)
        name, self.model = split_model(params.model, params.custom_llm_provider, has_base=params.api_base is not None)
        has_base = params.api_base is not None or self._mock is not None
        self._guessed = is_guess(params.model, params.custom_llm_provider, has_base=has_base)
        if not is_pattern(self.model) and not self._is_meant(self.model):
            message = f"no provider is named, and {self.model!r} is no model of OpenAI's that is known here;"
            raise _Skipped(message + " write provider/model, such as ollama_chat/… or openai/…")
        self._name = name
        provider = self._provider = _provider_named(name, mocked=self._mock is not None)
        self._access = read_access(params, provider, environment)
        given = provider.completed(params.api_base) if params.api_base else provider.base_in(environment)
        if self._mock is not None:
            given, environment = "", {}
        self._given_base = "" if given is None and provider.long_tail else given
        base = self._base_of(self.model)
        if base is None:
            message = f"The model {entry.model_name!r} has no api_base, and {name} has no usual one."
            set_or = f"Set {' and '.join(provider.needs)}, or a" if provider.needs else "A"
            raise Misconfigured(message, hint=f"{set_or}dd litellm_params.api_base.")
        if base:
            Origin.parse(base)
        self.long_tail = provider.long_tail
        # Here and not for each deployment: what a wildcard stands for is only made when a client asks for it.
        self._said = _said_of(entry)
        self._terms = terms_of(entry)
        self._base = base.rstrip("/")
        key = provider.key_in(environment)
        own = params.api_key if self._mock is None else None
        self._key = (own or (Secret(key) if key else None)) if takes_key(self._access) else None

    def expand(self, name: str, captured: tuple[str, ...], share: float = 1.0) -> Deployment | None:
        """The deployment for ``name``, which a wildcard stood for; None: nobody says whose model that would be.

        Nor may a client choose where it is sent: a region or an account in the name is the operator's to write.
        """
        if any(names_cloud_place(self._access, part) for part in captured):
            return None
        model = fill(self.model, captured) if is_pattern(self.model) else self.model
        return self.deployment(name, model, share) if self._is_meant(model) else None

    def known(self) -> tuple[str, ...]:
        """The names that a wildcard is known to stand for: what the catalogue has of the provider.

        None for an address that the operator gives, and for Azure, where deployments are named by whoever made them:
        what is there, nobody here knows.
        """
        name, model, provider = self.entry.model_name, self.model, self._provider
        if self.entry.litellm_params.api_base is not None or provider.local or provider.cloud == "azure":
            return ()
        if name.count("*") != 1 or model.count("*") != 1:
            return ()
        stood_for = (match(model, each) for each in self._catalog.models_of(self._provider.name))
        return tuple(fill(name, captured) for captured in stood_for if captured is not None)

    def _is_meant(self, model: str) -> bool:
        """Whether the provider was named, or is the one that LiteLLM too takes ``model`` to be of.

        A prompt for somebody's own ``llama3.2`` must not end at OpenAI because a prefix was forgotten.
        """
        return not self._guessed or self._catalog.facts("openai", model) is not None

    def _base_of(self, model: str) -> str | None:
        """The address: as it is given, or where a cloud has the model."""
        return usual_base(self._access, model) if self._given_base is None else self._given_base

    def deployment(self, group: str, model: str, share: float = 1.0) -> Deployment:
        """The deployment that serves ``share`` of the requests for ``group`` with the upstream's ``model``."""
        entry, provider, settings = self.entry, self._provider, self._settings
        params, info = entry.litellm_params, entry.model_info
        only_responses = model.startswith(_ONLY_RESPONSES) and provider.native in _WITH_RESPONSES
        only_chats = model.startswith(_ONLY_CHATS) and provider.name == _OPENAI
        model = model.removeprefix(_ONLY_RESPONSES if only_responses else _ONLY_CHATS if only_chats else "")
        facts = self._catalog.facts(self._name, model, base_model=info.base_model)
        facts = merge(facts, self._said, name=model)
        is_free = provider.local if facts.price is None else self._mock is not None and not _is_priced(entry)
        price = FREE if is_free else facts.price
        drop = settings.litellm_settings.drop_params if params.drop_params is None else params.drop_params
        made = Deployment(
            id=info.id or _identity(entry, group, self._base),
            group=group,
            provider=provider.name,
            model=provider.upstream_model(model, self._base),
            litellm_model=fill(params.model, (model,)) if is_pattern(params.model) else params.model,
            api_base=(self._base_of(model) or self._base).rstrip("/"),
            price=price,
            charges=price is not None and not price.is_free,
            api_key=self._key,
            key_header=key_header(provider, self._base, model),
            access=self._access,
            headers={name: Secret(value) for name, value in provider.headers.items()} | _headers(entry),
            pinned={**pinned_fields(params, self._access), **params.extra_body},
            timeouts=_timeouts(entry, settings),
            weight=share,
            order=params.order,
            rpm=params.rpm,
            tpm=params.tpm,
            budget=None if params.max_budget is None else picodollars(params.max_budget),
            budget_duration=params.budget_duration,
            tags=params.tags,
            tag_patterns=params.tag_regex,
            region=params.region_name,
            mode=RESPONSES_MODE if only_responses else _mode(info, facts, provider, model),
            context_tokens=facts.context_tokens,
            output_tokens_max=facts.output_tokens_max,
            capabilities=facts.capabilities,
            access_groups=frozenset(info.access_groups),
            team_id=info.team_id,
            drop_params=drop,
            additional_drop_params=params.additional_drop_params,
            allowed_openai_params=params.allowed_openai_params,
            modify_params=settings.litellm_settings.modify_params,
            local=provider.local or (bool(self._rules) and address_of(self._base) in self._rules),
            num_ctx=params.num_ctx,
            max_parallel_requests=params.max_parallel_requests,
            num_ctx_max=num_ctx_max(self._base, self._rules, settings.local.num_ctx_max),
            keep_alive=params.keep_alive,
            told=_told(info, params),
            num_retries=params.max_retries if params.num_retries is None else params.num_retries,
            cooldown_seconds=params.cooldown_time,
            stored=entry.stored,
            handling=handling_of(params, provider.name, chats_only=only_chats),
            terms=self._terms,
        )
        return as_its_host_has_it(made, settings.local)


def _provider_named(name: str, *, mocked: bool) -> Provider:
    """The provider of an entry.

    Raises:
        _Skipped: there is none that could be served.
    """
    if name == _AUTO_ROUTER:
        message = "LiteLLM's routers that look at the prompt are not honoured; rules with tiers do that here:"
        raise _Skipped(message + " pointsman.routing_rules, see docs/routing/rules.md")
    # What is answered here is read as OpenAI's words, whoever would be asked otherwise.
    provider = find_provider(_OPENAI if mocked else name)
    if provider is None:
        message = f"the provider {name!r} is not supported yet; an OpenAI-compatible one works as openai/…"
        raise _Skipped(message + " with its api_base")
    if provider.long_tail and not is_installed():
        raise _Skipped(f"{name} is served through LiteLLM's library; install it with: pip install 'pointsman[litellm]'")
    return provider


def _shares(entries: Sequence[ModelEntry]) -> list[float]:
    """The weight of each entry among those of its name, as in LiteLLM's ``simple-shuffle``.

    A group goes by the first of ``weight``, ``rpm`` and ``tpm`` that any of it has above 0; who lacks it gets none.
    """
    groups: dict[str, list[LiteLLMParams]] = {}
    for entry in entries:
        groups.setdefault(entry.model_name, []).append(entry.litellm_params)
    measures = {
        name: next((one for one in _MEASURES if any(getattr(params, one) for params in members)), None)
        for name, members in groups.items()
    }
    chosen = [(entry.litellm_params, measures[entry.model_name]) for entry in entries]
    return [1.0 if measure is None else float(getattr(params, measure) or 0) for params, measure in chosen]


def _is_priced(entry: ModelEntry) -> bool:
    """Whether the operator says what its calls cost."""
    params, info = entry.litellm_params, entry.model_info
    return bool(params.prices or info.prices or params.tiered_pricing or info.tiered_pricing)


def _said_of(entry: ModelEntry) -> Overrides:
    try:
        return read_overrides(catalogue_overrides(entry))
    except Misconfigured as wrong:
        raise Misconfigured(f"The model {entry.model_name!r}: {wrong.message}", hint=wrong.hint) from None


def _told(info: ModelInfo, params: LiteLLMParams) -> dict[str, msgspec.Raw]:
    named: dict[str, str | int | None] = {"base_model": info.base_model, "team_id": info.team_id}
    if "output_vector_size" not in info.extras:
        named["output_vector_size"] = params.output_vector_size
    said = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in named.items() if value is not None}
    return {**info.extras, **said}


def _mode(info: ModelInfo, facts: ModelFacts, provider: Provider, model: str) -> str:
    """What the model is for: as the operator says, else as the catalogue does, else as its name does."""
    if info.mode:
        return info.mode
    if facts.mode == "completion" and provider.native == "ollama":
        return "chat"  # Ollama chats with every model; the catalogue speaks of an older interface of its
    return facts.mode or ("embedding" if embeds(model) else "chat")


def _headers(entry: ModelEntry) -> dict[str, Secret]:
    headers = dict(entry.litellm_params.extra_headers)
    if entry.litellm_params.organization:
        headers["OpenAI-Organization"] = Secret(entry.litellm_params.organization)
    return headers


def _timeouts(entry: ModelEntry, settings: Settings) -> Timeouts:
    params, local, router = entry.litellm_params, settings.local, settings.router_settings
    stream = params.stream_timeout or router.stream_timeout
    total = params.timeout or params.request_timeout or router.timeout or settings.litellm_settings.request_timeout
    # Who lets an answer take longer than usual lets it be silent as long: told as a whole, it says nothing earlier.
    usual = max(Timeouts().load, total or 0.0, stream or 0.0)
    return Timeouts(
        connect=local.upstream_connect_timeout_seconds,
        load=local.upstream_load_timeout_seconds or usual,
        idle=local.upstream_idle_timeout_seconds,
        total=total,
        first_token=stream or local.first_token_timeout_seconds,
    )


def _identity(entry: ModelEntry, group: str, base: str) -> str:
    """A stable id: the same entry has the same one after a restart and in every worker."""
    return sha256(f"{group}\n{entry.litellm_params.model}\n{base}".encode()).hexdigest()
