"""What a client of OpenAI's legacy completions, and one of its embeddings, can say.

Sources: https://platform.openai.com/docs/api-reference/completions/create, …/embeddings/create.
"""

from __future__ import annotations

from typing import Final

from pointsman.providers.mapping.probes import Probe, contents, parameters

__all__ = ["COMPLETION_BASE", "COMPLETION_PROBES", "EMBEDDING_BASE", "EMBEDDING_PROBES"]

COMPLETION_BASE: Final = '{"model":"probe","prompt":"Hello"}'
EMBEDDING_BASE: Final = '{"model":"probe","input":"Hello"}'

COMPLETION_PROBES: Final[tuple[Probe, ...]] = (
    *parameters((
        ("best_of", "3"),
        ("echo", "true"),
        ("frequency_penalty", "0.5"),
        ("logit_bias", '{"50256":-100}'),
        ("logprobs", "3"),
        ("max_tokens", "100"),
        ("n", "2"),
        ("presence_penalty", "0.5"),
        ("seed", "7"),
        ("stop", '["END"]'),
        ("stream", "true"),
        ("suffix", '"the end"'),
        ("temperature", "0.5"),
        ("top_p", "0.5"),
        ("user", '"somebody"'),
        ("top_k", "40"),
        ("num_ctx", "8192"),
    )),
    *parameters((("stream_options: include_usage", '{"include_usage":true}'),), '{"stream":true}'),
    *contents("prompt", (("several prompts", '["a","b"]'), ("token ids", "[1,2,3]"))),
)  # fmt: skip

EMBEDDING_PROBES: Final[tuple[Probe, ...]] = (
    *parameters((
        ("dimensions", "256"),
        ("encoding_format: base64", '"base64"'),
        ("user", '"somebody"'),
        ("num_ctx", "8192"),
    )),
    *contents("input", (("several texts", '["a","b"]'), ("token ids", "[1,2,3]"))),
)  # fmt: skip
