"""``os.environ/NAME`` and ``file:///path``: a setting that stands elsewhere than in the file.

A reference is looked up when the setting that holds it is read, so one in a setting that nobody uses does no harm.
Nothing from a request is ever looked up: only files of the operator's pass through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.config.findings import ConfigRefused, Findings, nearest
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar, kind_of, text_of
from pointsman.config.secret_sources import FILE_ENDING, FILE_PREFIX, Hosted, SecretFiles, SecretsUnavailable

__all__ = ["REFERENCE_PREFIX", "References", "is_reference", "layered_environment"]

REFERENCE_PREFIX: Final = "os.environ/"
_IDENTITY_PREFIX: Final = "oidc/"
_LONG_NAME: Final = 4


def is_reference(text: str) -> bool:
    """Whether a setting says that its value stands elsewhere."""
    return text.startswith((REFERENCE_PREFIX, FILE_PREFIX))


class References:
    """Looks references up, and notes those that lead nowhere. ``hosted`` is a service that keeps secrets."""

    def __init__(
        self,
        environment: Mapping[str, str],
        findings: Findings,
        files: SecretFiles | None = None,
        hosted: Hosted | None = None,
    ) -> None:
        self._environment = environment
        self._findings = findings
        self._files = SecretFiles() if files is None else files
        self._hosted = hosted

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment that they refer to."""
        return self._environment

    def resolve(self, node: Node, path: str) -> Node | None:
        """The node with every reference in it replaced by text; None if one leads nowhere."""
        if isinstance(node, Scalar):
            return self._resolve_scalar(node, path)
        if isinstance(node, ListNode):
            items = [self.resolve(item, f"{path}[{index}]") for index, item in enumerate(node.items)]
            return None if None in items else ListNode(tuple(item for item in items if item is not None), node.place)
        entries: dict[str, Entry] = {}
        for key, entry in node.entries.items():
            value = self.resolve(entry.node, f"{path}.{key}")
            if value is None:
                return None
            entries[key] = Entry(entry.place, value)
        return MapNode(entries, node.place)

    def _resolve_scalar(self, node: Scalar, path: str) -> Scalar | None:
        text = text_of(node)
        if text is None:
            return node
        if text.startswith(_IDENTITY_PREFIX):
            self._findings.warn(node.place, path, "oidc/ references are not supported yet; the text is used as it is.")
            return node
        if not is_reference(text):
            return node
        value = self._in_file(text, node, path) if text.startswith(FILE_PREFIX) else self._named(text, node, path)
        return None if value is None else Scalar(value, value, node.place)

    def _in_file(self, reference: str, node: Scalar, path: str) -> str | None:
        name = reference.removeprefix(FILE_PREFIX)
        if not name.startswith("/"):
            message = "names no file: a path has to follow that begins with a slash."
            self._findings.error(node.place, path, message, "Write file:///run/secrets/name.")
            return None
        return self._read(name, node, path)

    def _named(self, reference: str, node: Scalar, path: str) -> str | None:
        name = reference.removeprefix(REFERENCE_PREFIX).strip()
        hosted = self._hosted is not None and self._hosted.has(name)
        outage = None
        if self._hosted is not None and hosted:
            try:
                value = self._hosted.source.find(name)
            except SecretsUnavailable as problem:
                outage, value = str(problem), None
            if value is not None:
                return value
        value = self._environment.get(name)
        if value is not None:
            if outage is not None:
                message = f"was taken from the environment, since {outage}"
                self._findings.warn(node.place, path, message)
            return value
        file = self._environment.get(name + FILE_ENDING)
        if file:
            return self._read(file, node, path)
        self._tell_missing(name, node, path, outage)
        return None

    def _read(self, file: str, node: Scalar, path: str) -> str | None:
        try:
            return self._files.read(file)
        except ConfigRefused as refusal:
            problem = refusal.errors[0]
            self._findings.error(node.place, path, f"{problem.place.file}: {problem.message}.", problem.hint)
            return None

    def _tell_missing(self, name: str, node: Scalar, path: str, outage: str | None) -> None:
        if not name:
            message = f"{REFERENCE_PREFIX} names no variable."
            self._findings.error(node.place, path, message, f"Write it like {REFERENCE_PREFIX}OPENAI_API_KEY.")
            return
        if self._hosted is None or not self._hosted.has(name):
            self._findings.error(node.place, path, f"the environment has no {name}.", self._advice(name))
            return
        where = self._hosted.source.where(name)
        if outage is not None:
            self._findings.error(node.place, path, f"cannot be looked up at {where}: {outage}")
            return
        hint = f"Store it there, or set {name} where the gateway is started."
        self._findings.error(node.place, path, f"neither {where} nor the environment has {name}.", hint)

    def _advice(self, name: str) -> str:
        advice = f"Set it where the gateway is started, or under environment_variables: {name}."
        candidates = {known.lower(): known for known in self._environment if len(known) >= _LONG_NAME}
        like = nearest(name, candidates)
        return f"Did you mean {candidates[like]}? {advice}" if like else advice


def layered_environment(
    section: Node | None, environment: Mapping[str, str], findings: Findings, files: SecretFiles | None = None
) -> Mapping[str, str]:
    """The environment with the ``environment_variables`` of a configuration laid over it.

    The process's own environment is never changed. A value may refer to the environment or to a variable above it.
    """
    if section is None:
        return environment
    if not isinstance(section, MapNode):
        findings.error(
            section.place, "environment_variables", f"expected a map of NAME: value, found {kind_of(section)}."
        )
        return environment
    layered = dict(environment)
    references = References(layered, findings, files)
    for name, entry in section.present():
        path = f"environment_variables.{name}"
        if not isinstance(entry.node, Scalar):
            findings.error(entry.node.place, path, f"expected text, found {kind_of(entry.node)}.")
            continue
        resolved = references.resolve(entry.node, path)
        if isinstance(resolved, Scalar):
            layered[name] = resolved.text
    return MappingProxyType(layered)
