"""Reads ``model_list``: each entry with its credential and the router's default parameters laid under it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from pointsman.config.deployment_sections import wrong_terms
from pointsman.config.findings import Findings, Place, nearest
from pointsman.config.known_keys import HONOURED_OTHERWISE, field_names, is_honoured, is_token_price, known_keys
from pointsman.config.modes import examine_mode
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, kind_of, text_of
from pointsman.config.patterns import is_pattern
from pointsman.config.sections import LiteLLMParams, ModelEntry, ModelInfo
from pointsman.config.typed import TypedReader
from pointsman.config.value_types import Amount
from pointsman.config.watsonx_fields import WATSONX_FIELDS, WATSONX_PREFIXES

__all__ = ["ModelListReader", "OpenEntry", "SharedParams", "catalogue_overrides", "read_shared", "read_values"]

_PARAMS: Final = "litellm_params"
_INFO: Final = "model_info"
_POINTS: Final = "cache_control_injection_points"
_POINT_HINT: Final = "Give it a role, such as system, or an index."
_EMPTY: Final = MapNode({}, Place(""))


def catalogue_overrides(entry: ModelEntry) -> Mapping[str, object]:
    """What the operator says about the model, as the price catalogue reads it; ``litellm_params`` win."""
    info, params = entry.model_info, entry.litellm_params
    numbers = {
        "mode": info.mode,
        "max_tokens": info.max_tokens,
        "max_input_tokens": info.max_input_tokens,
        "max_output_tokens": info.max_output_tokens,
    }
    said: dict[str, object] = {key: value for key, value in numbers.items() if value is not None}
    said |= {**info.supports, **info.prices, **params.prices}
    tiers = params.tiered_pricing or info.tiered_pricing
    if tiers is not None:
        said["tiered_pricing"] = msgspec.json.decode(tiers)
    return said


class SharedParams(msgspec.Struct, frozen=True):
    """What entries take from elsewhere, sound already: ``router_settings.default_litellm_params``, and credentials."""

    defaults: MapNode = _EMPTY
    credentials: Mapping[str, MapNode] = {}


class OpenEntry(msgspec.Struct, frozen=True):
    """An entry whose credential is none of the file's, and may be one that is stored.

    ``position`` is among the entries that were read.
    """

    position: int
    node: MapNode
    path: str


def read_shared(
    reader: TypedReader, findings: Findings, *, defaults: Node | None, credentials: Node | None
) -> SharedParams:
    """``router_settings.default_litellm_params`` and ``credential_list``; what is not sound leaves findings."""
    partial = _PartialReader(reader, findings)
    read = partial.read(defaults, "router_settings.default_litellm_params", pins=True)
    return SharedParams(read, dict(partial.credentials(credentials)))


def read_values(reader: TypedReader, findings: Findings, node: MapNode, path: str) -> MapNode:
    """The values of one credential that are sound; the others leave findings."""
    return _PartialReader(reader, findings).read(node, path, pins=False)


class ModelListReader:
    """Reads the entries of one configuration. ``open_entries`` are those with a credential that is not known."""

    def __init__(self, reader: TypedReader, findings: Findings, shared: SharedParams) -> None:
        self._reader = reader
        self._findings = findings
        self._shared = shared
        self.open_entries: list[OpenEntry] = []

    def read(self, node: Node | None) -> tuple[ModelEntry, ...]:
        """The entries that are sound; the others have left findings."""
        if node is None:
            return ()
        if not isinstance(node, ListNode):
            self._findings.error(node.place, "model_list", f"expected a list, found {kind_of(node)}.")
            return ()
        entries: list[ModelEntry] = []
        seen: dict[str, str] = {}
        for index, item in enumerate(node.items):
            path = f"model_list[{index}]"
            for entry, one in self._entries(item, path):
                if entry.missing_credential is not None:
                    self.open_entries.append(OpenEntry(len(entries), one, path))
                earlier = seen.setdefault(entry.model_info.id, path) if entry.model_info.id else path
                if earlier != path:
                    message = f"{earlier} has the same model_info.id; an id belongs to one deployment."
                    self._findings.error(item.place, path, message)
                entries.append(entry)
        return tuple(entries)

    def _entries(self, node: Node, path: str) -> Iterator[tuple[ModelEntry, MapNode]]:
        """One entry, or several, as LiteLLM has it, when ``organization`` is a list; each with its own node."""
        if not isinstance(node, MapNode):
            self._findings.error(node.place, path, f"expected a map with model_name, found {kind_of(node)}.")
            return
        self._tell_misplaced(node, path)
        params = node.get(_PARAMS)
        organizations = params.get("organization") if isinstance(params, MapNode) else None
        if not isinstance(organizations, ListNode) or not isinstance(params, MapNode):
            entry = self.read_one(node, path)
            if entry is not None:
                yield entry, node
            return
        for organization in organizations.items:
            one = {**params.entries, "organization": Entry(organization.place, organization)}
            changed = {**node.entries, _PARAMS: Entry(params.place, MapNode(one, params.place))}
            whole = MapNode(changed, node.place)
            entry = self.read_one(whole, path)
            if entry is not None:
                yield entry, whole

    def _tell_misplaced(self, node: MapNode, path: str) -> None:
        for key, entry in node.present():
            if key in field_names(ModelEntry):
                continue
            if known_keys().knows(_PARAMS, key) or key in known_keys().body:
                hint = f"Move it into {_PARAMS}."
                self._findings.warn(entry.place, f"{path}.{key}", "has no effect beside model_name.", hint)
            else:
                self._reader.tell_one(key, entry, f"{path}.{key}", "model_entry")

    def read_one(self, node: MapNode, path: str) -> ModelEntry | None:
        """One entry; None: it is not sound, and has left findings."""
        name = self._name(node, path)
        params_node, info_node = node.get(_PARAMS), node.get(_INFO)
        params = self._params(params_node, node, f"{path}.{_PARAMS}")
        info = ModelInfo() if info_node is None else self._info(info_node, f"{path}.{_INFO}")
        for section, key, wrong in wrong_terms(params, {} if info is None else info.extras):
            where = node.get(section)
            said = where.get(key) if isinstance(where, MapNode) else None
            self._findings.error((said or node).place, f"{path}.{section}.{key}", wrong)
        if name is None or params is None or info is None:
            return None
        if is_pattern(params.model) and not is_pattern(name):
            message = "has a * that stands for nothing, since model_name has none."
            self._findings.warn(node.place, f"{path}.{_PARAMS}.model", message)
        credential = params.litellm_credential_name
        missing = credential if credential is not None and credential not in self._shared.credentials else None
        return ModelEntry(
            model_name=name,
            litellm_params=params,
            model_info=info,
            missing_credential=missing,
            place=str(node.place),
        )

    def _name(self, node: MapNode, path: str) -> str | None:
        name = node.get("model_name")
        if name is None:
            self._findings.error(node.place, path, "model_name is missing.", "It is what clients ask for.")
            return None
        value = self._reader.value(name, str, f"{path}.model_name")
        if value == "":
            self._findings.error(name.place, f"{path}.model_name", "is empty.")
        return value if isinstance(value, str) and value else None

    def _params(self, node: Node | None, entry: MapNode, path: str) -> LiteLLMParams | None:
        if node is None:
            hint = "Write at least its model, as in ollama_chat/llama3.2."
            self._findings.error(entry.place, path, "is missing.", hint)
            return None
        if not isinstance(node, MapNode):
            self._findings.error(node.place, path, f"expected a map, found {kind_of(node)}.")
            return None
        whole = self._with_credential(node, path).with_defaults(self._shared.defaults)
        params = self._reader.struct(whole, LiteLLMParams, path)
        prices = self._prices(whole, path)
        pinned = self._pinned(whole, path)
        self._tell_params(node, path)
        if params is None or prices is None or pinned is None:
            return None
        self._tell_points(node.get(_POINTS), params, f"{path}.{_POINTS}")
        for index, pattern in enumerate(params.tag_regex):
            try:
                re.compile(pattern)
            except re.error as wrong:
                self._findings.error(node.place, f"{path}.tag_regex[{index}]", f"is no regular expression: {wrong}.")
        if params.api_key is not None and not params.api_key:
            self._findings.warn(node.place, f"{path}.api_key", "is empty, so no key is sent.")
            params = msgspec.structs.replace(params, api_key=None)
        return msgspec.structs.replace(params, prices=prices, pinned=pinned)

    def _with_credential(self, node: MapNode, path: str) -> MapNode:
        credential = node.get("litellm_credential_name")
        name = text_of(credential) if credential is not None else None
        if name is None or credential is None:
            return node
        values = self._shared.credentials.get(name)
        if values is None:
            like = nearest(name, self._shared.credentials)
            self._findings.warn(
                credential.place,
                f"{path}.litellm_credential_name",
                "names no entry of credential_list; without a stored credential of that name the model is left out.",
                f"Did you mean {like}?" if like else None,
            )
            return node
        return node.with_defaults(values)

    def _prices(self, node: MapNode, path: str) -> dict[str, float] | None:
        priced = {key: entry for key, entry in node.present() if is_token_price(key)}
        values = {key: self._reader.value(entry.node, Amount, f"{path}.{key}") for key, entry in priced.items()}
        prices = {key: value for key, value in values.items() if isinstance(value, float)}
        return prices if len(prices) == len(values) else None

    def _pinned(self, node: MapNode, path: str) -> dict[str, msgspec.Raw] | None:
        chosen = {key: entry for key, entry in node.present() if _is_pinned(key)}
        return self._raws(chosen, path)

    def _raws(self, entries: Mapping[str, Entry], path: str) -> dict[str, msgspec.Raw] | None:
        values = {key: self._reader.raw(entry.node, f"{path}.{key}") for key, entry in entries.items()}
        raws = {key: value for key, value in values.items() if value is not None}
        return raws if len(raws) == len(values) else None

    def _tell_params(self, node: MapNode, path: str) -> None:
        known = known_keys()
        model = node.get("model")
        is_watsonx = model is not None and (text_of(model) or "").startswith(WATSONX_PREFIXES)
        for key, entry in node.present():
            if is_honoured(_PARAMS, key) or key in known.body or (is_watsonx and key in WATSONX_FIELDS):
                continue
            if known.knows(_PARAMS, key):
                self._reader.tell_one(key, entry, f"{path}.{key}", _PARAMS)
                continue
            like = nearest(key, [*known.keys[_PARAMS], *known.body])
            message = "is not a known key, so it is sent to the upstream as a field of the body."
            self._findings.warn(entry.place, f"{path}.{key}", message, f"Did you mean {like}?" if like else None)

    def _tell_points(self, node: Node | None, params: LiteLLMParams, path: str) -> None:
        """Warn of marks for the prompt cache that mean no message, and of keys in them that nobody knows."""
        items = node.items if isinstance(node, ListNode) else ()
        for index, (item, point) in enumerate(zip(items, params.cache_control_injection_points, strict=False)):
            place = f"{path}[{index}]"
            if isinstance(item, MapNode):
                self._reader.tell_without_effect(item, place, _POINTS)
            if point.location == "message" and point.role is None and point.index is None:
                self._findings.warn(item.place, place, "has no effect, since it names no message.", _POINT_HINT)

    def _info(self, node: Node, path: str) -> ModelInfo | None:
        info = self._reader.struct(node, ModelInfo, path)
        if info is None or not isinstance(node, MapNode):
            return None
        flags = {key: entry for key, entry in node.present() if key.startswith("supports_")}
        values = {key: self._reader.value(entry.node, bool, f"{path}.{key}") for key, entry in flags.items()}
        supports = {key: value for key, value in values.items() if isinstance(value, bool)}
        said = node.get("mode") or node
        examine_mode(info.mode, said.place, f"{path}.mode", self._findings)
        prices = self._prices(node, path)
        extras = self._raws(dict(self._extras(node, path)), path)
        if len(supports) != len(values) or prices is None or extras is None:
            return None
        return msgspec.structs.replace(info, supports=supports, prices=prices, extras=extras)

    def _extras(self, node: MapNode, path: str) -> Iterator[tuple[str, Entry]]:
        """What is echoed: what is read where it acts, known keys without effect, and the operator's own."""
        known = known_keys()
        for key, entry in node.present():
            if is_honoured(_INFO, key):
                if key in HONOURED_OTHERWISE[_INFO]:
                    yield key, entry
                continue
            if known.knows(_INFO, key) or nearest(key, known.keys[_INFO]):
                self._reader.tell_one(key, entry, f"{path}.{key}", _INFO)
            if key not in field_names(ModelInfo):
                yield key, entry


class _PartialReader:
    """Reads parts of ``litellm_params`` that many entries share; checked here once, not once per deployment."""

    def __init__(self, reader: TypedReader, findings: Findings) -> None:
        self._reader = reader
        self._findings = findings

    def credentials(self, node: Node | None) -> Iterator[tuple[str, MapNode]]:
        """The entries of ``credential_list`` by name."""
        if node is None:
            return
        if not isinstance(node, ListNode):
            self._findings.error(node.place, "credential_list", f"expected a list, found {kind_of(node)}.")
            return
        for index, item in enumerate(node.items):
            path = f"credential_list[{index}]"
            name = item.get("credential_name") if isinstance(item, MapNode) else None
            text = text_of(name) if name is not None else None
            if not text or not isinstance(item, MapNode):
                self._findings.error(item.place, path, "expected a map with a credential_name.")
                continue
            self._reader.tell_without_effect(item, path, "credential")
            yield text, self.read(item.get("credential_values"), f"{path}.credential_values", pins=False)

    def read(self, node: Node | None, path: str, *, pins: bool) -> MapNode:
        """Those entries of a map of ``litellm_params`` that are sound."""
        if node is None:
            return _EMPTY
        if not isinstance(node, MapNode):
            self._findings.error(node.place, path, f"expected a map, found {kind_of(node)}.")
            return _EMPTY
        sound = {key: entry for key, entry in node.present() if self._is_sound(key, entry, f"{path}.{key}", pins=pins)}
        return MapNode(sound, node.place)

    def _is_sound(self, key: str, entry: Entry, path: str, *, pins: bool) -> bool:
        wanted = self._reader.annotation(LiteLLMParams, key)
        if wanted is not None:
            if not is_honoured(_PARAMS, key):
                self._reader.tell_one(key, entry, path, _PARAMS)
            return self._reader.value(entry.node, wanted, path) is not msgspec.UNSET
        if is_token_price(key):
            return self._reader.value(entry.node, Amount, path) is not msgspec.UNSET
        if (pins and _is_pinned(key)) or key in WATSONX_FIELDS:
            return self._reader.raw(entry.node, path) is not None
        self._reader.tell_one(key, entry, path, _PARAMS)
        return False


def _is_pinned(key: str) -> bool:
    """Whether a key of ``litellm_params`` is none of LiteLLM's own, and so a field of the upstream body."""
    known = known_keys()
    if key in field_names(LiteLLMParams) or is_token_price(key):
        return False
    return key in known.body or not known.knows(_PARAMS, key)
