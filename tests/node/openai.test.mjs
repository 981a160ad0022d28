// The official `openai` package: chat and responses, whole and streamed, tools, errors, and a client that goes away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { all, GREETING, key, model, require, url, WEATHER } from './world.mjs';

const { OpenAI } = require('openai');
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const say = (content) => [{ role: 'user', content }];
const tool = {
  type: 'function',
  function: { name: WEATHER.name, description: WEATHER.description, parameters: WEATHER.schema },
};

test('a chat', async () => {
  const chat = await client.chat.completions.create({ model, messages: say('hello') });
  assert.equal(chat.choices[0].message.content, GREETING);
  assert.equal(chat.choices[0].finish_reason, 'stop');
  assert.ok(chat.usage.prompt_tokens > 0 && chat.usage.completion_tokens > 0);
});

test('a streamed chat with its usage', async () => {
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = await all(await client.chat.completions.create({ model, messages: say('hello'), ...options }));
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), GREETING);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

for (const stream of [false, true]) {
  test(`a tool and its result, stream: ${stream}`, async () => {
    const messages = say('weather');
    const asked = { model, messages, tools: [tool], parallel_tool_calls: true };
    const completion = stream
      ? await client.chat.completions.stream(asked).finalChatCompletion()
      : await client.chat.completions.create(asked);
    const { message, finish_reason } = completion.choices[0];
    assert.equal(finish_reason, 'tool_calls');
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: 'Paris' });
    messages.push(message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'sunny' });
    const after = await client.chat.completions.create({ ...asked, messages });
    assert.equal(after.choices[0].message.content, 'Sunny.');
  });

  test(`a response with a tool, stream: ${stream}`, async () => {
    const tools = [{ type: 'function', name: WEATHER.name, parameters: WEATHER.schema, strict: false }];
    const asked = { model, input: say('weather'), tools, store: false };
    const response = stream
      ? await client.responses.stream(asked).finalResponse()
      : await client.responses.create(asked);
    const call = response.output.find((item) => item.type === 'function_call');
    assert.deepEqual(JSON.parse(call.arguments), { city: 'Paris' });
    const result = { type: 'function_call_output', call_id: call.call_id, output: 'sunny' };
    const after = await client.responses.create({ ...asked, input: [...asked.input, call, result] });
    assert.equal(after.output_text, 'Sunny.');
  });
}

test('a response and its stream', async () => {
  const response = await client.responses.create({ model, input: 'hello', store: false });
  assert.equal(response.output_text, GREETING);
  const events = await all(await client.responses.create({ model, input: 'hello', store: false, stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, number) => number));
  assert.equal(events.at(-1).type, 'response.completed');
});

test('errors have their class, their words and when to come back', async () => {
  await assert.rejects(client.chat.completions.create({ model: 'nobody', messages: say('hello') }), OpenAI.BadRequestError);
  const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'sk-wrong', maxRetries: 0 });
  await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model, messages: say('fail') }), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.match(error.message, /Slow down/);
    return error.headers.get('retry-after') === '7';
  });
});

test('a stream that breaks is an error and no end', async () => {
  const stream = await client.chat.completions.create({ model, messages: say('break'), stream: true });
  await assert.rejects(all(stream), /broke/);
});

test('a client that goes away', async () => {
  const stream = await client.chat.completions.create({ model, messages: say('slow'), stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
});

test('the models', async () => {
  const models = await all(client.models.list());
  assert.ok(models.some((each) => each.id === model));
});
