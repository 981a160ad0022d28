// The official `@google/genai` package: whole and streamed, tools, a schema, embeddings, counts, models, errors, going away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { all, GREETING, key, model, require, url, WEATHER } from './world.mjs';

const { GoogleGenAI } = require('@google/genai');
const at = (apiVersion) => new GoogleGenAI({ apiKey: key, apiVersion, httpOptions: { baseUrl: url } });
const client = at('v1beta');
const declaration = { name: WEATHER.name, description: WEATHER.description, parametersJsonSchema: WEATHER.schema };
const tools = [{ functionDeclarations: [declaration] }];
const user = (...parts) => ({ role: 'user', parts });
const textOf = (pieces) => pieces.map((piece) => piece.text ?? '').join('');

test('an answer', async () => {
  const config = { systemInstruction: 'be brief', maxOutputTokens: 64 };
  const answer = await client.models.generateContent({ model, contents: 'hello', config });
  assert.equal(answer.text, GREETING);
  assert.equal(answer.candidates[0].finishReason, 'STOP');
  assert.equal(answer.modelVersion, model);
  assert.ok(answer.usageMetadata.promptTokenCount > 0 && answer.usageMetadata.candidatesTokenCount > 0);
});

for (const version of ['v1beta', 'v1']) {
  test(`a stream, ${version}`, async () => {
    const pieces = await all(await at(version).models.generateContentStream({ model, contents: 'hello' }));
    assert.equal(textOf(pieces), GREETING);
    assert.ok(pieces.length > 2);
    assert.equal(pieces.at(-1).candidates[0].finishReason, 'STOP');
    assert.ok(pieces.at(-1).usageMetadata.totalTokenCount > 0);
  });

  test(`the models, ${version}`, async () => {
    const listed = await all(await at(version).models.list({ config: { pageSize: 1 } }));
    assert.deepEqual(listed.map((each) => each.name).sort(), ['models/claude', 'models/cloud', 'models/local']);
    assert.equal((await at(version).models.get({ model })).name, `models/${model}`);
  });
}

for (const stream of [false, true]) {
  test(`a tool and its result, stream: ${stream}`, async () => {
    const asked = { model, contents: [user({ text: 'weather' })], config: { tools } };
    const pieces = stream
      ? await all(await client.models.generateContentStream(asked))
      : [await client.models.generateContent(asked)];
    const parts = pieces.flatMap((piece) => piece.candidates?.[0]?.content?.parts ?? []).filter((p) => p.functionCall);
    assert.equal(parts.length, 1);
    const { id, name, args } = parts[0].functionCall;
    assert.deepEqual([name, args], [WEATHER.name, { city: 'Paris' }]);
    const result = user({ functionResponse: { id, name, response: { result: 'sunny' } } });
    const contents = [...asked.contents, { role: 'model', parts }, result];
    assert.equal((await client.models.generateContent({ ...asked, contents })).text, 'Sunny.');
  });
}

test('a chat that remembers', async () => {
  const chat = client.chats.create({ model });
  assert.equal((await chat.sendMessage({ message: 'hello' })).text, GREETING);
  assert.equal(textOf(await all(await chat.sendMessageStream({ message: 'again' }))), GREETING);
  assert.deepEqual(chat.getHistory().slice(0, 3).map((turn) => turn.role), ['user', 'model', 'user']);
});

test('an answer of a schema', async () => {
  const schema = { type: 'OBJECT', properties: { n: { type: 'INTEGER' } }, required: ['n'] };
  const config = { responseMimeType: 'application/json', responseSchema: schema };
  const asked = { model, contents: 'number', config };
  if (model === 'claude') {
    // Where a model has no structured output the request is refused, and not answered without it.
    await assert.rejects(client.models.generateContent(asked), { status: 400 });
    return;
  }
  assert.deepEqual(JSON.parse((await client.models.generateContent(asked)).text), { n: 4 });
  assert.deepEqual(JSON.parse(textOf(await all(await client.models.generateContentStream(asked)))), { n: 4 });
});

test('tokens are counted', async () => {
  const { totalTokens } = await client.models.countTokens({ model, contents: 'one two three four' });
  // Claude is asked, and its stand-in counts a thousand more than there are; the others' are estimates.
  assert.ok(model === 'claude' ? totalTokens === 1004 : totalTokens >= 4 && totalTokens <= 20);
});

test('embeddings', async () => {
  if (model === 'claude') {
    await assert.rejects(client.models.embedContent({ model, contents: ['a', 'b'] }), { status: 400 });
    return;
  }
  const { embeddings } = await client.models.embedContent({ model, contents: ['a', 'b'] });
  assert.equal(embeddings.length, 2);
  assert.ok(embeddings.every((each) => each.values.length > 0));
});

test('errors have their class and words', async () => {
  const { ApiError } = require('@google/genai');
  const failing = async (asked) => {
    const error = await client.models.generateContent(asked).then(() => null, (reason) => reason);
    assert.ok(error instanceof ApiError, String(error));
    return { status: error.status, told: JSON.parse(error.message).error };
  };
  const limited = await failing({ model, contents: 'fail' });
  assert.deepEqual([limited.status, limited.told.status], [429, 'RESOURCE_EXHAUSTED']);
  assert.match(limited.told.message, /Slow down/);
  const unknown = await failing({ model: 'nobody', contents: 'hello' });
  assert.ok([400, 404].includes(unknown.status));
  assert.match(unknown.told.message, /nobody/);
  const stranger = new GoogleGenAI({ apiKey: 'sk-wrong', httpOptions: { baseUrl: url } });
  await assert.rejects(stranger.models.generateContent({ model, contents: 'hello' }), { status: 401 });
});

test('a stream that breaks is an error and no end', async () => {
  const stream = await client.models.generateContentStream({ model, contents: 'break' });
  await assert.rejects(all(stream), /broke/);
});

test('a client that goes away', async () => {
  const leaving = new AbortController();
  const config = { abortSignal: leaving.signal };
  for await (const piece of await client.models.generateContentStream({ model, contents: 'slow', config })) {
    if (piece.text) break;
  }
  leaving.abort();
});
