"""``os.environ/NAME``: a setting that stands in the environment instead of in the file.

A reference is looked up when the setting that holds it is read, so one in a setting that nobody uses does no harm.
Nothing from a request is ever looked up: only files of the operator's pass through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.config.findings import Findings, nearest
from pointsman.config.nodes import Entry, ListNode, MapNode, Node, Scalar, kind_of, text_of

__all__ = ["REFERENCE_PREFIX", "References", "layered_environment"]

REFERENCE_PREFIX: Final = "os.environ/"
_IDENTITY_PREFIX: Final = "oidc/"
_LONG_NAME: Final = 4


class References:
    """Looks references up in ``environment`` and notes those that lead nowhere."""

    def __init__(self, environment: Mapping[str, str], findings: Findings) -> None:
        self._environment = environment
        self._findings = findings

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
        if not text.startswith(REFERENCE_PREFIX):
            return node
        name = text.removeprefix(REFERENCE_PREFIX).strip()
        value = self._environment.get(name)
        if value is None:
            self._findings.error(node.place, path, f"the environment has no {name}.", self._advice(name))
            return None
        return Scalar(value, value, node.place)

    def _advice(self, name: str) -> str:
        advice = f"Set it where the gateway is started, or under environment_variables: {name}."
        candidates = {known.lower(): known for known in self._environment if len(known) >= _LONG_NAME}
        like = nearest(name, candidates)
        return f"Did you mean {candidates[like]}? {advice}" if like else advice


def layered_environment(section: Node | None, environment: Mapping[str, str], findings: Findings) -> Mapping[str, str]:
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
    references = References(layered, findings)
    for name, entry in section.present():
        path = f"environment_variables.{name}"
        if not isinstance(entry.node, Scalar):
            findings.error(entry.node.place, path, f"expected text, found {kind_of(entry.node)}.")
            continue
        resolved = references.resolve(entry.node, path)
        if isinstance(resolved, Scalar):
            layered[name] = resolved.text
    return MappingProxyType(layered)
