// The official `@anthropic-ai/sdk` package: messages, whole and streamed, tools, counting, errors, going away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { all, GREETING, key, model, require, url, WEATHER } from './world.mjs';

const { Anthropic } = require('@anthropic-ai/sdk');
const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const say = (content) => [{ role: 'user', content }];
const tools = [{ name: WEATHER.name, description: WEATHER.description, input_schema: WEATHER.schema }];
const asked = { model, max_tokens: 64 };

test('a message', async () => {
  const message = await client.messages.create({ ...asked, messages: say('hello'), system: 'Be brief.' });
  assert.equal(message.content[0].text, GREETING);
  assert.equal(message.stop_reason, 'end_turn');
  assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
});

test('a stream', async () => {
  const stream = client.messages.stream({ ...asked, messages: say('hello') });
  assert.equal(await stream.finalText(), GREETING);
  assert.equal((await stream.finalMessage()).stop_reason, 'end_turn');
});

for (const stream of [false, true]) {
  test(`a tool and its result, stream: ${stream}`, async () => {
    const messages = say('weather');
    const message = stream
      ? await client.messages.stream({ ...asked, messages, tools }).finalMessage()
      : await client.messages.create({ ...asked, messages, tools });
    assert.equal(message.stop_reason, 'tool_use');
    const use = message.content.find((block) => block.type === 'tool_use');
    assert.deepEqual(use.input, { city: 'Paris' });
    messages.push({ role: 'assistant', content: message.content });
    messages.push({ role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'sunny' }] });
    const after = await client.messages.create({ ...asked, messages, tools });
    assert.equal(after.content[0].text, 'Sunny.');
  });
}

test('tokens are counted', async () => {
  const counted = await client.messages.countTokens({ model, messages: say('hello '.repeat(50)) });
  assert.ok(counted.input_tokens > 10);
});

test('errors have their class, their words and when to come back', async () => {
  const unknown = client.messages.create({ ...asked, model: 'nobody', messages: say('hello') });
  await assert.rejects(unknown, Anthropic.BadRequestError);
  const wrong = new Anthropic({ baseURL: url, apiKey: 'sk-wrong', maxRetries: 0 });
  await assert.rejects(wrong.messages.create({ ...asked, messages: say('hello') }), Anthropic.AuthenticationError);
  await assert.rejects(client.messages.create({ ...asked, messages: say('fail') }), (error) => {
    assert.ok(error instanceof Anthropic.RateLimitError);
    assert.match(error.message, /Slow down/);
    return error.headers.get('retry-after') === '7';
  });
});

test('a stream that breaks is an error and no end', async () => {
  const stream = await client.messages.create({ ...asked, messages: say('break'), stream: true });
  await assert.rejects(all(stream), /broke/);
});

test('a client that goes away', async () => {
  const stream = client.messages.stream({ ...asked, messages: say('slow') });
  for await (const event of stream) if (event.type === 'content_block_delta') break;
  stream.abort();
});
