"""One answer of each kind of upstream: a thought, a text and two calls of a tool, so that much can be made of it."""

from __future__ import annotations

from typing import Final

import msgspec

from pointsman.core.events import (
    Event,
    Finished,
    LogprobsDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from pointsman.core.usage import Usage

__all__ = ["ANTHROPIC", "BEDROCK", "COHERE", "EVENTS", "GEMINI", "OLLAMA", "OPENAI", "OPENAI_STREAM", "RESPONSES"]

EVENTS: Final[tuple[Event, ...]] = (
    Started("answer-1", "model", 1_700_000_000),
    ThinkingDelta("Hm."),
    TextDelta("Hello"),
    LogprobsDelta(msgspec.Raw(b'[{"token":"Hello","logprob":-0.1,"bytes":null,"top_logprobs":[]}]')),
    ToolCallStarted(0, "call_1", "weather"),
    ToolCallDelta(0, '{"city":"Rome"}'),
    ToolCallStarted(1, "call_2", "weather"),
    ToolCallDelta(1, '{"city":"Paris"}'),
    Finished("tool_calls"),
    UsageReported(Usage(10, 20)),
)
"""The same as it happens, in the common tongue."""

OPENAI: Final = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"model","choices":[{"index":0,'
    b'"finish_reason":"tool_calls","message":{"role":"assistant","content":"Hello","reasoning_content":"Hm.",'
    b'"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\\"city\\":\\"Rome\\"}"'
    b'}},{"id":"call_2","type":"function","function":{"name":"weather","arguments":"{\\"city\\":\\"Paris\\"}"}}]}}],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}'
)

RESPONSES: Final = (
    b'{"id":"resp_1","object":"response","created_at":1700000000,"status":"completed","model":"model","output":['
    b'{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gAAA"},'
    b'{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":['
    b'{"type":"output_text","text":"Hello","annotations":[]}]},'
    b'{"type":"function_call","id":"fc_1","call_id":"call_1","name":"weather","arguments":"{\\"city\\":\\"Rome\\"}"},'
    b'{"type":"function_call","id":"fc_2","call_id":"call_2","name":"weather","arguments":"{\\"city\\":\\"Paris\\"}"}'
    b'],"usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30}}'
)

OPENAI_STREAM: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"model","choices":['
    b'{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"model","choices":[],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}\n\ndata: [DONE]\n\n'
)

ANTHROPIC: Final = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"model","content":[{"type":"thinking","thinking":"Hm.",'
    b'"signature":"c2lnbmVk"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"toolu_1","name":"weather",'
    b'"input":{"city":"Rome"}},{"type":"tool_use","id":"toolu_2","name":"weather","input":{"city":"Paris"}}],'
    b'"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":20}}'
)

GEMINI: Final = (
    b'{"responseId":"r1","modelVersion":"model","candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model",'
    b'"parts":[{"text":"Hm.","thought":true},{"text":"Hello"},{"functionCall":{"id":"call_1","name":"weather","args":'
    b'{"city":"Rome"}}},{"functionCall":{"id":"call_2","name":"weather","args":{"city":"Paris"}}}]}}],'
    b'"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":20,"totalTokenCount":30}}'
)

OLLAMA: Final = (
    b'{"model":"model","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"Hello","thinking":'
    b'"Hm.","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Rome"}}},{"function":{"name":"weather",'
    b'"arguments":{"city":"Paris"}}}]},"done":true,"done_reason":"stop","prompt_eval_count":10,"eval_count":20}'
)

COHERE: Final = (
    b'{"id":"c1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"Hm.","tool_calls":[{"id":"call_1",'
    b'"type":"function","function":{"name":"weather","arguments":"{\\"city\\":\\"Rome\\"}"}},{"id":"call_2","type":'
    b'"function","function":{"name":"weather","arguments":"{\\"city\\":\\"Paris\\"}"}}]},"usage":{"billed_units":'
    b'{"input_tokens":10,"output_tokens":20},"tokens":{"input_tokens":10,"output_tokens":20}}}'
)

BEDROCK: Final = (
    b'{"output":{"message":{"role":"assistant","content":[{"text":"Hello"},{"toolUse":{"toolUseId":"call_1","name":'
    b'"weather","input":{"city":"Rome"}}},{"toolUse":{"toolUseId":"call_2","name":"weather","input":{"city":"Paris"}}}]}},'
    b'"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":20,"totalTokens":30},"metrics":{"latencyMs":1}}'
)
