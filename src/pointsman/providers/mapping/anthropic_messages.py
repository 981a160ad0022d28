"""What a client of Anthropic's Messages can say. Source: https://platform.claude.com/docs/en/api/messages/create."""

from __future__ import annotations

from typing import Final

from pointsman.providers.mapping.probes import PIXEL, SCHEMA, Probe, contents, parameters

__all__ = ["BASE", "PROBES"]

_TOOL: Final = f'{{"name":"weather","description":"x","input_schema":{SCHEMA}}}'
_TOOLS: Final = f'{{"tools":[{_TOOL}]}}'
_TEXT: Final = '{"type":"text","text":"Hello"}'
_USER: Final = f'{{"role":"user","content":[{_TEXT}]}}'
_CALL: Final = '{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Rome"}}'
_CALLED: Final = f'{{"role":"assistant","content":[{_CALL}]}}'
_IMAGE: Final = f'{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{PIXEL}"}}}}'

BASE: Final = f'{{"model":"probe","max_tokens":4000,"messages":[{_USER}]}}'

_KNOBS: Final = parameters((
    ("max_tokens", "100"),
    ("cache_control", '{"type":"ephemeral"}'),
    ("container", '"container_1"'),
    ("context_management", '{"edits":[]}'),
    ("diagnostics", '{"previous_message_id":"msg_1"}'),
    ("inference_geo", '"us"'),
    ("mcp_servers", '[{"type":"url","url":"https://example.com/sse","name":"x"}]'),
    ("metadata: user_id", '{"user_id":"somebody"}'),
    ("output_config: effort", '{"effort":"low"}'),
    ("output_config: format", f'{{"format":{{"type":"json_schema","schema":{SCHEMA}}}}}'),
    ("service_tier", '"standard_only"'),
    ("speed", '"fast"'),
    ("stop_sequences", '["END"]'),
    ("stream", "true"),
    ("system", '"Be kind"'),
    ("system: with cache_control", '[{"type":"text","text":"Be kind","cache_control":{"type":"ephemeral"}}]'),
    ("temperature", "0.5"),
    ("thinking: enabled", '{"type":"enabled","budget_tokens":2048}'),
    ("thinking: adaptive", '{"type":"adaptive"}'),
    ("thinking: disabled", '{"type":"disabled"}'),
    ("tools: custom", f"[{_TOOL}]"),
    ("tools: web_search", '[{"type":"web_search_20250305","name":"web_search"}]'),
    ("top_k", "40"),
    ("top_p", "0.5"),
    ("user_profile_id", '"x"'),
    ("workspace_id", '"x"'),
))  # fmt: skip

_BESIDE: Final = parameters((
    ("tool_choice: none", '{"type":"none"}'),
    ("tool_choice: auto", '{"type":"auto"}'),
    ("tool_choice: any", '{"type":"any"}'),
    ("tool_choice: tool", '{"type":"tool","name":"weather"}'),
    ("tool_choice: disable_parallel_tool_use", '{"type":"auto","disable_parallel_tool_use":true}'),
), _TOOLS)  # fmt: skip


def _user(part: str) -> str:
    return f'[{{"role":"user","content":[{_TEXT},{part}]}}]'


def _resulted(fields: str) -> str:
    result = f'{{"type":"tool_result","tool_use_id":"toolu_1",{fields}}}'
    return f'[{_USER},{_CALLED},{{"role":"user","content":[{result}]}}]'


def _answered(blocks: str) -> str:
    return f'[{_USER},{{"role":"assistant","content":[{blocks}{{"type":"text","text":"b"}}]}},{_USER}]'


_CONTENTS: Final = contents("messages", (
    ("assistant message", _answered("")),
    ("image: base64", _user(_IMAGE)),
    ("image: http URL", _user('{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}')),
    ("document: PDF",
     _user('{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}')),
    ("document: text", _user('{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}')),
    ("document: http URL", _user('{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}')),
    ("document: file id", _user('{"type":"document","source":{"type":"file","file_id":"file_1"}}')),
    ("text with cache_control", _user('{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}')),
))  # fmt: skip

_THOUGHT: Final = contents("messages", (
    ("thinking block", _answered('{"type":"thinking","thinking":"Hm.","signature":"c2lnbmVk"},')),
    ("redacted thinking block", _answered('{"type":"redacted_thinking","data":"c2VjcmV0"},')),
), f'{{"messages":{_answered("")}}}')  # fmt: skip

_TALK_OF_TOOLS: Final = (
    *contents("messages", (("tool use and its result", _resulted('"content":"sun"')),), _TOOLS),
    *contents("messages", (
        ("tool result: error", _resulted('"content":"sun","is_error":true')),
        ("tool result: image", _resulted(f'"content":[{_IMAGE}]')),
    ), f"""{{"tools":[{_TOOL}],"messages":{_resulted('"content":"sun"')}}}"""),
)  # fmt: skip

PROBES: Final[tuple[Probe, ...]] = (*_KNOBS, *_BESIDE, *_CONTENTS, *_THOUGHT, *_TALK_OF_TOOLS)
"""In the order in which they are told."""
