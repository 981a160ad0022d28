"""What a client of OpenAI's Responses can say. Source: https://platform.openai.com/docs/api-reference/responses/create."""

from __future__ import annotations

from typing import Final

from pointsman.providers.mapping.probes import PIXEL, SCHEMA, Probe, contents, parameters

__all__ = ["BASE", "PROBES"]

_TOOL: Final = f'{{"type":"function","name":"weather","parameters":{SCHEMA}}}'
_TOOLS: Final = f'{{"tools":[{_TOOL}]}}'
_TEXT: Final = '{"type":"input_text","text":"Hello"}'
_URL: Final = f"data:image/png;base64,{PIXEL}"
_USER: Final = f'{{"role":"user","content":[{_TEXT}]}}'
_CALL: Final = '{"type":"function_call","call_id":"call_1","name":"weather","arguments":"{\\"city\\":\\"Rome\\"}"}'

BASE: Final = f'{{"model":"probe","input":[{_USER}]}}'

_KNOBS: Final = parameters((
    ("access_programs", '["x"]'),
    ("background", "true"),
    ("background_options", "{}"),
    ("context_management", '[{"type":"compaction","compact_threshold":1000}]'),
    ("conversation", '"conv_1"'),
    ("image", '{"size":"auto"}'),
    ("include: reasoning.encrypted_content", '["reasoning.encrypted_content"]'),
    ("include: message.output_text.logprobs", '["message.output_text.logprobs"]'),
    ("instructions", '"Be kind"'),
    ("max_output_tokens", "100"),
    ("max_tool_calls", "3"),
    ("metadata", '{"topic":"x"}'),
    ("moderation", '{"model":"omni-moderation-latest"}'),
    ("previous_response_id", '"resp_1"'),
    ("prompt", '{"id":"pmpt_1"}'),
    ("prompt_cache_key", '"x"'),
    ("prompt_cache_options", '{"mode":"implicit"}'),
    ("prompt_cache_retention", '"24h"'),
    ("reasoning: effort", '{"effort":"low"}'),
    ("reasoning: summary", '{"summary":"auto"}'),
    ("safety_identifier", '"x"'),
    ("service_tier", '"flex"'),
    ("store: false", "false"),
    ("stream", "true"),
    ("temperature", "0.5"),
    ("text: format json_object", '{"format":{"type":"json_object"}}'),
    ("text: format json_schema", f'{{"format":{{"type":"json_schema","name":"place","schema":{SCHEMA}}}}}'),
    ("text: verbosity", '{"verbosity":"low"}'),
    ("tools: function", f"[{_TOOL}]"),
    ("tools: custom", '[{"type":"custom","name":"shell","description":"x"}]'),
    ("tools: web_search", '[{"type":"web_search"}]'),
    ("top_logprobs", "3"),
    ("top_p", "0.5"),
    ("truncation: auto", '"auto"'),
    ("user", '"somebody"'),
))  # fmt: skip

_BESIDE: Final = (
    *parameters((("stream_options: include_obfuscation", '{"include_obfuscation":false}'),), '{"stream":true}'),
    *parameters((
        ("tool_choice: none", '"none"'),
        ("tool_choice: required", '"required"'),
        ("tool_choice: named", '{"type":"function","name":"weather"}'),
        ("parallel_tool_calls: false", "false"),
    ), _TOOLS),
)  # fmt: skip


def _user(part: str) -> str:
    return f'[{{"role":"user","content":[{_TEXT},{part}]}}]'


_CONTENTS: Final = contents("input", (
    ("text alone", '"Hello"'),
    ("system message", f'[{{"role":"system","content":"Be kind"}},{_USER}]'),
    ("developer message", f'[{{"role":"developer","content":"Be kind"}},{_USER}]'),
    ("assistant message",
     f'[{_USER},{{"role":"assistant","content":[{{"type":"output_text","text":"b"}}]}},{_USER}]'),
    ("image: data URL", _user(f'{{"type":"input_image","image_url":"{_URL}"}}')),
    ("image: http URL", _user('{"type":"input_image","image_url":"https://example.com/a.png"}')),
    ("file: http URL", _user('{"type":"input_file","file_url":"https://example.com/a.pdf"}')),
    ("file: data",
     _user('{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}')),
    ("file: id", _user('{"type":"input_file","file_id":"file-1"}')),
    ("audio input", _user('{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}')),
    ("item reference", f'[{_USER},{{"type":"item_reference","id":"msg_1"}}]'),
))  # fmt: skip

_ITEM: Final = '{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"c2lnbmVk"},'
_SUMMARY: Final = '{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}]},'


def _answered(item: str) -> str:
    return f'[{_USER},{item}{{"role":"assistant","content":"b"}},{_USER}]'


_THOUGHT: Final = contents("input", (
    ("reasoning item: encrypted", _answered(_ITEM)),
    ("reasoning item: summary", _answered(_SUMMARY)),
), f'{{"input":{_answered("")}}}')  # fmt: skip

_TALK_OF_TOOLS: Final = contents("input", (
    ("tool call", f'[{_USER},{_CALL},{{"type":"function_call_output","call_id":"call_1","output":"sun"}}]'),
), _TOOLS)  # fmt: skip

PROBES: Final[tuple[Probe, ...]] = (*_KNOBS, *_BESIDE, *_CONTENTS, *_THOUGHT, *_TALK_OF_TOOLS)
"""In the order in which they are told."""
