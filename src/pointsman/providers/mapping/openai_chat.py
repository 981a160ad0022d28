"""What a client of OpenAI's Chat Completions can say.

Source: https://platform.openai.com/docs/api-reference/chat/create; at the end, what LiteLLM and local servers add.
"""

from __future__ import annotations

from typing import Final

from pointsman.providers.mapping.probes import PIXEL, SCHEMA, Probe, contents, parameters

__all__ = ["BASE", "PROBES"]

_TOOL: Final = f'{{"type":"function","function":{{"name":"weather","description":"x","parameters":{SCHEMA}}}}}'
_FUNCTION: Final = f'{{"name":"weather","parameters":{SCHEMA}}}'
_PDF: Final = '{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}'
_TOOLS: Final = f'{{"tools":[{_TOOL}]}}'
_TEXT: Final = '{"type":"text","text":"Hello"}'
_URL: Final = f"data:image/png;base64,{PIXEL}"
_IMAGE: Final = f'{{"type":"image_url","image_url":{{"url":"{_URL}"}}}}'
_SIGNED: Final = '{"type":"thinking","thinking":"Hm.","signature":"c2lnbmVk"}'
_USER: Final = f'{{"role":"user","content":[{_TEXT}]}}'
_CALL: Final = '{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\\"city\\":\\"Rome\\"}"}}'
_CALLED: Final = f'{{"role":"assistant","content":null,"tool_calls":[{_CALL}]}}'

BASE: Final = f'{{"model":"probe","messages":[{_USER}]}}'

_KNOBS: Final = parameters((
    ("audio: wav", '{"voice":"alloy","format":"wav"}'),
    ("audio: mp3", '{"voice":"alloy","format":"mp3"}'),
    ("frequency_penalty", "0.5"),
    ("logit_bias", '{"50256":-100}'),
    ("logprobs", "true"),
    ("max_completion_tokens", "100"),
    ("max_tokens", "100"),
    ("metadata", '{"topic":"x"}'),
    ("modalities: text and audio", '["text","audio"]'),
    ("modalities: text and image", '["text","image"]'),
    ("moderation", '{"model":"omni-moderation-latest"}'),
    ("n", "2"),
    ("prediction", '{"type":"content","content":"Hello"}'),
    ("presence_penalty", "0.5"),
    ("prompt_cache_key", '"x"'),
    ("prompt_cache_options", '{"mode":"implicit"}'),
    ("prompt_cache_retention", '"24h"'),
    ("reasoning_effort: low", '"low"'),
    ("reasoning_effort: none", '"none"'),
    ("response_format: text", '{"type":"text"}'),
    ("response_format: json_object", '{"type":"json_object"}'),
    ("response_format: json_schema", f'{{"type":"json_schema","json_schema":{{"name":"place","schema":{SCHEMA}}}}}'),
    ("safety_identifier", '"x"'),
    ("seed", "7"),
    ("service_tier", '"flex"'),
    ("stop", '["END"]'),
    ("store", "true"),
    ("stream", "true"),
    ("temperature", "0.5"),
    ("top_p", "0.5"),
    ("user", '"somebody"'),
    ("verbosity", '"low"'),
    ("web_search_options", "{}"),
    ("tools: function", f"[{_TOOL}]"),
    ("tools: custom", '[{"type":"custom","custom":{"name":"patch","description":"x"}}]'),
    ("tools: web_search", '[{"type":"web_search"}]'),
    ("tools: file_search", '[{"type":"file_search","vector_store_ids":["v"]}]'),
    ("tools: Anthropic's web_search_20250305", '[{"type":"web_search_20250305","name":"web_search"}]'),
    ("tools: Anthropic's code_execution_20250825", '[{"type":"code_execution_20250825","name":"code_execution"}]'),
    ("tools: Anthropic's computer_20250124",
     '[{"type":"computer_20250124","name":"computer","display_width_px":800,"display_height_px":600}]'),
    ("tools: Gemini's googleSearch", '[{"googleSearch":{}}]'),
    ("tools: Gemini's urlContext", '[{"urlContext":{}}]'),
    ("functions", f"[{_FUNCTION}]"),
))  # fmt: skip

_BESIDE: Final = (
    *parameters((("stream_options: include_usage", '{"include_usage":true}'),), '{"stream":true}'),
    *parameters((("top_logprobs", "3"),), '{"logprobs":true}'),
    *parameters((
        ("tools: strict", f'[{_TOOL[:-2]},"strict":true}}}}]'),
        ("tool_choice: none", '"none"'),
        ("tool_choice: auto", '"auto"'),
        ("tool_choice: required", '"required"'),
        ("tool_choice: named", '{"type":"function","function":{"name":"weather"}}'),
        ("parallel_tool_calls: false", "false"),
    ), _TOOLS),
    *parameters((("function_call", '{"name":"weather"}'),), f'{{"functions":[{_FUNCTION}]}}'),
)  # fmt: skip

_BEYOND: Final = parameters((
    ("thinking: enabled", '{"type":"enabled","budget_tokens":2048}'),
    ("reasoning", '{"effort":"high"}'),
    ("top_k", "40"),
    ("min_p", "0.1"),
    ("repetition_penalty", "1.1"),
    ("num_ctx", "8192"),
    ("keep_alive", '"5m"'),
))  # fmt: skip


def _user(part: str) -> str:
    return f'[{{"role":"user","content":[{_TEXT},{part}]}}]'


def _answered(fields: str) -> str:
    return f'[{_USER},{{"role":"assistant",{fields}}},{_USER}]'


def _resulted(content: str) -> str:
    return f'[{_USER},{_CALLED},{{"role":"tool","tool_call_id":"call_1","content":{content}}}]'


def _before(message: str) -> str:
    return f"[{message},{_USER}]"


_CONTENTS: Final = contents("messages", (
    ("system message", _before('{"role":"system","content":"Be kind"}')),
    ("developer message", _before('{"role":"developer","content":"Be kind"}')),
    ("assistant message", _answered('"content":"b"')),
    ("name of a speaker", f'[{{"role":"user","name":"ann","content":[{_TEXT}]}}]'),
    ("image: data URL", _user(_IMAGE)),
    ("image: http URL", _user('{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}')),
    ("audio input", _user('{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}')),
    ("video: http URL", _user('{"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}')),
    ("video: data URL", _user('{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}}')),
    ("file: data", _user(f'{{"type":"file","file":{_PDF}}}')),
    ("file: id", _user('{"type":"file","file":{"file_id":"file-1"}}')),
    ("refusal", _answered('"content":null,"refusal":"No."')),
    ("audio of an answer: id", _answered('"audio":{"id":"audio_1"}')),
    ("audio of an answer: whole",
     _answered('"audio":{"id":"audio_1","data":"UklGRg==","transcript":"b","expires_at":1}')),
))  # fmt: skip

_DETAIL: Final = contents("messages", (
    ("file: http URL", _user('{"type":"file","file":{"file_id":"https://example.com/a.pdf"}}')),
    ("image: detail", _user(f'{{"type":"image_url","image_url":{{"url":"{_URL}","detail":"low"}}}}')),
), f'{{"messages":{_user(_IMAGE)}}}')  # fmt: skip

_MARKED: Final = contents("messages", (
    ("cache_control", _user(f'{_TEXT[:-1]},"cache_control":{{"type":"ephemeral"}}}}')),
), f'{{"messages":{_user(_TEXT)}}}')  # fmt: skip

_THOUGHT: Final = contents("messages", (
    ("reasoning: without signature", _answered('"content":"b","reasoning_content":"Hm."')),
    ("reasoning: signed", _answered(f'"content":"b","thinking_blocks":[{_SIGNED}]')),
), f"""{{"messages":{_answered('"content":"b"')}}}""")  # fmt: skip

_TALK_OF_TOOLS: Final = (
    *contents("messages", (("tool call and its result", _resulted('"sun"')),), _TOOLS),
    *contents("messages", (("tool result: image", _resulted(f"[{_IMAGE}]")),),
              f"""{{"tools":[{_TOOL}],"messages":{_resulted('"sun"')}}}"""),
)  # fmt: skip

PROBES: Final[tuple[Probe, ...]] = (
    *_KNOBS,
    *_BESIDE,
    *_BEYOND,
    *_CONTENTS,
    *_DETAIL,
    *_MARKED,
    *_THOUGHT,
    *_TALK_OF_TOOLS,
)
"""In the order in which they are told."""
