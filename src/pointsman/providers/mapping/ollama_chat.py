"""What a client of Ollama's ``/api/chat`` can say. Source: Ollama's ``docs/api.md`` and ``api/types.go``."""

from __future__ import annotations

from typing import Final

from pointsman.providers.mapping.probes import PIXEL, SCHEMA, Probe, contents, parameters

__all__ = ["BASE", "PROBES"]

_TOOL: Final = f'{{"type":"function","function":{{"name":"weather","description":"x","parameters":{SCHEMA}}}}}'
_TOOLS: Final = f'{{"tools":[{_TOOL}]}}'
_USER: Final = '{"role":"user","content":"Hello"}'
_CALLED: Final = (
    '{"role":"assistant","content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"Rome"}}}]}'
)

BASE: Final = f'{{"model":"probe","stream":false,"messages":[{_USER}]}}'

_OPTIONS: Final = tuple(
    Probe(f"options.{name}", f'{{"options":{{"{name}":{value}}}}}')
    for name, value in (
        ("temperature", "0.5"), ("top_p", "0.5"), ("top_k", "40"), ("min_p", "0.1"), ("typical_p", "0.5"),
        ("seed", "7"), ("stop", '["END"]'), ("num_predict", "100"), ("num_ctx", "8192"), ("num_keep", "4"),
        ("presence_penalty", "0.5"), ("frequency_penalty", "0.5"), ("repeat_penalty", "1.1"), ("repeat_last_n", "64"),
        ("penalize_newline", "true"), ("mirostat", "1"), ("mirostat_tau", "5.0"), ("mirostat_eta", "0.1"),
        ("tfs_z", "1.0"), ("num_batch", "512"), ("num_gpu", "1"), ("main_gpu", "1"), ("num_thread", "8"),
        ("numa", "true"), ("low_vram", "true"), ("use_mmap", "true"), ("use_mlock", "true"), ("f16_kv", "true"),
        ("logits_all", "true"), ("vocab_only", "true"), ("embedding_only", "true"),
    )
)  # fmt: skip

_KNOBS: Final = parameters((
    ("format: json", '"json"'),
    ("format: schema", SCHEMA),
    ("keep_alive", '"5m"'),
    ("logprobs", "true"),
    ("stream", "true"),
    ("think: on", "true"),
    ("think: off", "false"),
    ("think: high", '"high"'),
    ("tools", f"[{_TOOL}]"),
    ("truncate", "false"),
))  # fmt: skip

_BESIDE: Final = parameters((("top_logprobs", "3"),), '{"logprobs":true}')

_CONTENTS: Final = contents("messages", (
    ("system message", f'[{{"role":"system","content":"Be kind"}},{_USER}]'),
    ("assistant message", f'[{_USER},{{"role":"assistant","content":"b"}},{_USER}]'),
    ("images", f'[{{"role":"user","content":"Hello","images":["{PIXEL}"]}}]'),
))  # fmt: skip

_THOUGHT: Final = contents(
    "messages",
    (("thinking", f'[{_USER},{{"role":"assistant","content":"b","thinking":"Hm."}},{_USER}]'),),
    f'{{"messages":[{_USER},{{"role":"assistant","content":"b"}},{_USER}]}}',
)

_TALK_OF_TOOLS: Final = contents("messages", (
    ("tool call and its result", f'[{_USER},{_CALLED},{{"role":"tool","tool_name":"weather","content":"sun"}}]'),
), _TOOLS)  # fmt: skip

PROBES: Final[tuple[Probe, ...]] = (*_KNOBS, *_BESIDE, *_OPTIONS, *_CONTENTS, *_THOUGHT, *_TALK_OF_TOOLS)
"""In the order in which they are told."""
