"""From a path and an environment to settings that are whole and valid, or to every reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from pointsman.config.customer_check import examine_user_headers
from pointsman.config.environment import ENVIRONMENT_PLACE, START_VARIABLES, EnvironmentSettings
from pointsman.config.findings import ConfigRefused, Finding, Findings, Place, SourceFile
from pointsman.config.include import read_tree
from pointsman.config.known_keys import STRUCTS
from pointsman.config.model_entries import ModelListReader, OpenEntry, SharedParams, read_shared
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar, kind_of, text_of
from pointsman.config.people_check import examine_key_names
from pointsman.config.references import References, layered_environment
from pointsman.config.routing_check import examine_routing
from pointsman.config.routing_values import tell_routing_values
from pointsman.config.rule_check import examine_rules
from pointsman.config.secret_sources import Hosted, OpenSource, SecretFiles, SecretSource, no_source
from pointsman.config.sections import (
    GeneralSettings,
    KeyManagementSettings,
    LiteLLMSettings,
    PointsmanSettings,
    RouterSettings,
    Settings,
)
from pointsman.config.traffic import examine_traffic
from pointsman.config.typed import TypedReader
from pointsman.core.errors import Misconfigured
from pointsman.core.secret import Secret

__all__ = ["Loaded", "load"]

_MASTER_KEY_CHARACTERS: Final = 16
_SYSTEM: Final = "general_settings.key_management_system"
_MAPS_BY_NAME: Final = frozenset({
    "bulkheads", "model_group_alias", "model_limits", "provider_budget_config", "tag_budget_config",
})  # fmt: skip
"""Keys whose value is a map from a name to what is meant by that name."""
_STRICT: Final = frozenset({"when", "then"})
"""Sections whose unknown keys are errors, which others tell."""
_S = TypeVar("_S", bound=msgspec.Struct)


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration ready for use.

    ``environment`` is what the environment says after the file's ``environment_variables`` were laid over it;
    ``variables`` is that environment itself, for the few who look up names of their own. ``sources`` are the files
    that were read, with their digests, for a watcher. ``hosted`` is the service that was asked for references.

    ``shared`` and ``open_entries`` are for :func:`pointsman.config.stored.with_stored`, which lays over it what is
    stored.
    """

    settings: Settings
    environment: EnvironmentSettings
    variables: Mapping[str, str]
    warnings: tuple[Finding, ...] = ()
    sources: tuple[SourceFile, ...] = ()
    hosted: Hosted | None = None
    shared: SharedParams = SharedParams()
    open_entries: tuple[OpenEntry, ...] = ()

    @property
    def secrets(self) -> SecretSource | None:
        """The service that keeps secrets, if there is one."""
        return None if self.hosted is None else self.hosted.source

    @property
    def master_key(self) -> Secret | None:
        """The administrator's key: as in LiteLLM the file's, else the environment's."""
        return self.settings.general_settings.master_key or self.environment.master_key

    @property
    def database_url(self) -> tuple[Secret, str] | None:
        """Where everything is kept, and which setting says so: as in LiteLLM the file's, else the environment's."""
        if self.settings.general_settings.database_url:
            return self.settings.general_settings.database_url, "general_settings.database_url"
        return (self.environment.database_url, "DATABASE_URL") if self.environment.database_url else None

    @property
    def log_level(self) -> str:
        """A level of the standard library's logging, by name."""
        return self.environment.log_level or ("DEBUG" if self.settings.litellm_settings.set_verbose else "INFO")


def load(path: Path | None, environment: Mapping[str, str], open_source: OpenSource = no_source) -> Loaded:
    """Read the configuration at ``path``, with ``environment`` behind its references. No path: the defaults.

    Blocks while it reads files and while it asks the service that ``open_source`` gives, where the file names one.
    Nothing outside is changed, above all not ``os.environ``.

    Raises:
        ConfigRefused: something is wrong; it has every error found, each with file, line and column.
    """
    findings = Findings()
    root, sources = (_NOTHING, ()) if path is None else read_tree(path, findings)
    files = SecretFiles()
    variables = layered_environment(root.get("environment_variables"), environment, findings, files)
    _tell_too_late(root.get("environment_variables"), findings)
    plain = References(variables, findings, files)
    hosted = _hosted(root.get("general_settings"), plain, findings, open_source)
    reader = _SettingsReader(References(variables, findings, files, hosted), findings)
    settings = reader.read(root)
    said = EnvironmentSettings()
    try:
        said = EnvironmentSettings.read(variables, files)
    except ConfigRefused as refusal:
        findings.add(refusal.errors)
        findings.add(refusal.warnings)
    findings.add(said.warnings)
    sources = (*sources, *files.sources)
    loaded = Loaded(
        settings=settings,
        environment=said,
        variables=variables,
        sources=sources,
        hosted=hosted,
        shared=reader.shared,
        open_entries=reader.open_entries,
    )
    _examine_master_key(loaded, root, findings)
    if findings.errors:
        raise ConfigRefused(findings.errors, findings.warnings, sources)
    return msgspec.structs.replace(loaded, warnings=findings.warnings)


def _hosted(general: Node | None, references: References, findings: Findings, open_source: OpenSource) -> Hosted | None:
    """The service that ``general_settings.key_management_system`` names, as far as it is to be read from."""
    named = general.get("key_management_system") if isinstance(general, MapNode) else None
    resolved = None if named is None else references.resolve(named, _SYSTEM)
    system = None if resolved is None else text_of(resolved)
    if named is None or system is None or not isinstance(general, MapNode):
        return None
    said = general.get("key_management_settings")
    reader = TypedReader(references, Findings())  # what is wrong there is told where the section is read
    wanted = reader.struct(said, KeyManagementSettings, "") if said is not None else None
    wanted = wanted or KeyManagementSettings()
    if wanted.access_mode == "write_only" or system == "local":
        return None
    try:
        source = open_source(system, references.environment)
    except Misconfigured as wrong:
        findings.error(named.place, _SYSTEM, wrong.message, wrong.hint)
        return None
    if source is None:
        message = f"{system} is not supported yet; references are looked up in the environment alone."
        findings.warn(named.place, _SYSTEM, message, "hashicorp_vault is.")
        return None
    names = None if wanted.hosted_keys is None else frozenset(wanted.hosted_keys)
    return Hosted(source, names)


def _tell_too_late(section: Node | None, findings: Findings) -> None:
    for name, entry in section.present() if isinstance(section, MapNode) else ():
        if name in START_VARIABLES:
            message = "has no effect here, since it is used before this file is read."
            findings.warn(entry.place, f"environment_variables.{name}", message, "Set it where the gateway is started.")


_NOTHING: Final = MapNode({}, Place(""))


class _SettingsReader:
    """Reads the sections of one tree; a broken section is replaced by its defaults and leaves findings."""

    def __init__(self, references: References, findings: Findings) -> None:
        self._findings = findings
        self._typed = TypedReader(references, findings)
        self.shared = SharedParams()
        self.open_entries: tuple[OpenEntry, ...] = ()

    def read(self, root: MapNode) -> Settings:
        """All sections."""
        self._typed.tell_without_effect(root, "", "top")
        router = _with_long_aliases(root.get("router_settings"))
        tell_routing_values(router, self._findings)
        defaults = router.get("default_litellm_params") if isinstance(router, MapNode) else None
        self.shared = read_shared(
            self._typed, self._findings, defaults=defaults, credentials=root.get("credential_list")
        )
        models = ModelListReader(self._typed, self._findings, self.shared)
        entries = models.read(root.get("model_list"))
        self.open_entries = tuple(models.open_entries)
        settings = Settings(
            model_list=entries,
            litellm_settings=self._section(root.get("litellm_settings"), "litellm_settings", LiteLLMSettings()),
            general_settings=self._section(root.get("general_settings"), "general_settings", GeneralSettings()),
            router_settings=self._section(router, "router_settings", RouterSettings()),
            local=self._section(root.get("pointsman"), "pointsman", PointsmanSettings()),
        )
        examine_rules(settings, root.get("pointsman"), self._findings)
        examine_routing(settings, root, self._findings)
        examine_key_names(settings, root.get("litellm_settings"), self._findings)
        examine_user_headers(settings, root.get("general_settings"), self._findings)
        examine_traffic(settings, root.get("pointsman"), self._findings)
        return settings

    def _section(self, node: Node | None, name: str, default: _S) -> _S:
        if node is None:
            return default
        if not isinstance(node, MapNode):
            self._findings.error(node.place, name, f"expected a map, found {kind_of(node)}.")
            return default
        section = self._typed.section(node, type(default), name, name)
        for key, entry in node.present():
            self._tell_nested(key, entry.node, f"{name}.{key}")
        return default if section is None else section

    def _tell_nested(self, key: str, node: Node, path: str) -> None:
        """Warn of keys without effect in the maps within a section."""
        if key not in STRUCTS:
            return
        if isinstance(node, ListNode):
            for index, item in enumerate(node.items):
                self._tell_map(key, item, f"{path}[{index}]")
        elif key not in _MAPS_BY_NAME:
            self._tell_map(key, node, path)
        elif isinstance(node, MapNode):
            for name, entry in node.present():
                self._tell_map(key, entry.node, f"{path}.{name}")

    def _tell_map(self, section: str, node: Node, path: str) -> None:
        if isinstance(node, MapNode) and section not in _STRICT:
            self._typed.tell_without_effect(node, path, section)
        for key, entry in node.present() if isinstance(node, MapNode) else ():
            self._tell_nested(key, entry.node, f"{path}.{key}")


def _with_long_aliases(router: Node | None) -> Node | None:
    """``router_settings`` with every ``alias: name`` of ``model_group_alias`` written as ``alias: {model: name}``."""
    aliases = router.get("model_group_alias") if isinstance(router, MapNode) else None
    if not isinstance(router, MapNode) or not isinstance(aliases, MapNode):
        return router
    long = {alias: Entry(entry.place, _long_alias(entry.node)) for alias, entry in aliases.present()}
    changed = Entry(router.entries["model_group_alias"].place, MapNode(long, aliases.place))
    return MapNode({**router.entries, "model_group_alias": changed}, router.place)


def _long_alias(node: Node) -> Node:
    return MapNode({"model": Entry(node.place, node)}, node.place) if isinstance(node, Scalar) else node


def _examine_master_key(loaded: Loaded, root: MapNode, findings: Findings) -> None:
    configured = loaded.settings.general_settings.master_key
    section = root.get("general_settings")
    node = section.get("master_key") if isinstance(section, MapNode) else None
    place, path = (node.place, "general_settings.master_key") if node is not None else (ENVIRONMENT_PLACE, "")
    if configured is not None and not configured:
        findings.error(place, path, "is empty, so that anybody would be the administrator.", "Remove it or set it.")
        return
    key = loaded.master_key
    if key is None:
        return
    path = path if configured is not None else "the master key"
    text = key.reveal()
    if not text.startswith("sk-"):
        findings.warn(place, path, "does not begin with sk-, as LiteLLM and some clients want it.")
    if len(text) < _MASTER_KEY_CHARACTERS:
        findings.warn(place, path, f"has fewer than {_MASTER_KEY_CHARACTERS} characters and can be guessed.")
