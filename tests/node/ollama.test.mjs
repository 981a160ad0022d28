// The official `ollama` package: chat, whole and streamed, tools, errors, going away, and the list of models.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { all, GREETING, key, model, require, url, WEATHER } from './world.mjs';

const { Ollama } = require('ollama');
const client = new Ollama({ host: url, headers: { Authorization: `Bearer ${key}` } });
const say = (content) => [{ role: 'user', content }];
const tools = [
  { type: 'function', function: { name: WEATHER.name, description: WEATHER.description, parameters: WEATHER.schema } },
];

test('a chat', async () => {
  const reply = await client.chat({ model, messages: say('hello') });
  assert.equal(reply.message.content, GREETING);
  assert.equal(reply.done_reason, 'stop');
  assert.ok(reply.prompt_eval_count > 0 && reply.eval_count > 0);
});

test('a stream', async () => {
  const lines = await all(await client.chat({ model, messages: say('hello'), stream: true }));
  assert.equal(lines.map((line) => line.message.content).join(''), GREETING);
  assert.equal(lines.at(-1).done, true);
});

test('a tool and its result', async () => {
  const messages = say('weather');
  const { message } = await client.chat({ model, messages, tools });
  assert.deepEqual(message.tool_calls[0].function.arguments, { city: 'Paris' });
  messages.push(message, { role: 'tool', tool_name: WEATHER.name, content: 'sunny' });
  const after = await client.chat({ model, messages, tools });
  assert.equal(after.message.content, 'Sunny.');
});

test('errors have their words', async () => {
  await assert.rejects(client.chat({ model: 'nobody', messages: say('hello') }), /nobody/);
  await assert.rejects(client.chat({ model, messages: say('fail') }), /Slow down/);
});

test('a stream that breaks is an error and no end', async () => {
  await assert.rejects(all(await client.chat({ model, messages: say('break'), stream: true })), /broke/);
});

test('a client that goes away', async () => {
  const stream = await client.chat({ model, messages: say('slow'), stream: true });
  for await (const line of stream) if (line.message.content) break;
  stream.abort();
});

test('the models', async () => {
  const { models } = await client.list();
  assert.ok(models.some((each) => each.name.split(':')[0] === model));
});
