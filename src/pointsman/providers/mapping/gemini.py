"""What a client of Gemini can say. Source: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from typing import Final

from pointsman.providers.mapping.probes import PIXEL, SCHEMA, Probe, contents

__all__ = ["BASE", "PROBES"]

_FUNCTION: Final = f'{{"name":"weather","description":"x","parametersJsonSchema":{SCHEMA}}}'
_TOOLS: Final = f'{{"tools":[{{"functionDeclarations":[{_FUNCTION}]}}]}}'
_USER: Final = '{"role":"user","parts":[{"text":"Hello"}]}'
_CALLED: Final = '{"role":"model","parts":[{"functionCall":{"id":"call_1","name":"weather","args":{"city":"Rome"}}}]}'
_ANSWER: Final = '{"functionResponse":{"id":"call_1","name":"weather","response":{"output":"sun"}}}'

BASE: Final = f'{{"contents":[{_USER}]}}'


def _config(name: str, value: str, beside: str = "{}") -> Probe:
    path, _, which = name.partition(":")
    return Probe(
        f"generationConfig.{path}{':' if which else ''}{which}", f'{{"generationConfig":{{"{path}":{value}}}}}', beside
    )


def _calling(name: str, config: str) -> Probe:
    says = f'{{"toolConfig":{{"functionCallingConfig":{config}}}}}'
    return Probe(f"toolConfig.functionCallingConfig: {name}", says, _TOOLS)


_KNOBS: Final = (
    _config("temperature", "0.5"),
    _config("topP", "0.5"),
    _config("topK", "40"),
    _config("seed", "7"),
    _config("stopSequences", '["END"]'),
    _config("presencePenalty", "0.5"),
    _config("frequencyPenalty", "0.5"),
    _config("maxOutputTokens", "100"),
    _config("candidateCount", "2"),
    _config("responseLogprobs", "true"),
    Probe("generationConfig.logprobs", '{"generationConfig":{"responseLogprobs":true,"logprobs":3}}',
          '{"generationConfig":{"responseLogprobs":true}}'),
    _config("responseMimeType: JSON", '"application/json"'),
    _config("responseMimeType: enum", '"text/x.enum"'),
    Probe("generationConfig.responseSchema",
          '{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"}}}'),
    Probe("generationConfig.responseJsonSchema",
          f'{{"generationConfig":{{"responseMimeType":"application/json","responseJsonSchema":{SCHEMA}}}}}'),
    _config("responseModalities", '["TEXT","IMAGE"]'),
    _config("speechConfig", '{"languageCode":"de-DE"}'),
    _config("mediaResolution", '"MEDIA_RESOLUTION_LOW"'),
    _config("thinkingConfig: budget", '{"thinkingBudget":2048}'),
    _config("thinkingConfig: off", '{"thinkingBudget":0}'),
    _config("thinkingConfig: level", '{"thinkingLevel":"LOW"}'),
    _config("thinkingConfig: includeThoughts", '{"includeThoughts":true}'),
    Probe("systemInstruction", '{"systemInstruction":{"parts":[{"text":"Be kind"}]}}'),
    Probe("tools: functionDeclarations", _TOOLS),
    Probe("tools: googleSearch", '{"tools":[{"googleSearch":{}}]}'),
    Probe("tools: codeExecution", '{"tools":[{"codeExecution":{}}]}'),
    _calling("AUTO", '{"mode":"AUTO"}'),
    _calling("ANY", '{"mode":"ANY"}'),
    _calling("NONE", '{"mode":"NONE"}'),
    _calling("one allowed name", '{"mode":"ANY","allowedFunctionNames":["weather"]}'),
    Probe("safetySettings", '{"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]}'),
    Probe("cachedContent", '{"cachedContent":"cachedContents/1"}'),
    Probe("labels", '{"labels":{"team":"x"}}'),
)  # fmt: skip


def _user(part: str) -> str:
    return f'[{{"role":"user","parts":[{{"text":"Hello"}},{part}]}}]'


def _answered(part: str) -> str:
    return f'[{_USER},{{"role":"model","parts":[{part}{{"text":"b"}}]}},{_USER}]'


_CONTENTS: Final = contents("contents", (
    ("model turn", _answered("")),
    ("image: inlineData", _user(f'{{"inlineData":{{"mimeType":"image/png","data":"{PIXEL}"}}}}')),
    ("image: fileData", _user('{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/a.png"}}')),
    ("audio: inlineData", _user('{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}}')),
    ("PDF: inlineData", _user('{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}}')),
    ("video: fileData", _user('{"fileData":{"mimeType":"video/mp4","fileUri":"https://example.com/a.mp4"}}')),
))  # fmt: skip

_THOUGHT: Final = contents("contents", (
    ("thought", _answered('{"text":"Hm.","thought":true},')),
    ("thought with signature", _answered('{"text":"Hm.","thought":true,"thoughtSignature":"c2lnbmVk"},')),
), f'{{"contents":{_answered("")}}}')  # fmt: skip

_TALK_OF_TOOLS: Final = contents("contents", (
    ("function call and its response", f'[{_USER},{_CALLED},{{"role":"user","parts":[{_ANSWER}]}}]'),
), _TOOLS)  # fmt: skip

PROBES: Final[tuple[Probe, ...]] = (*_KNOBS, *_CONTENTS, *_THOUGHT, *_TALK_OF_TOOLS)
"""In the order in which they are told. Whether to stream is in the path there, so no probe asks for it."""
