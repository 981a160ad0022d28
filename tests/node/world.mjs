// What every journey has in common: the libraries, where the gateway is, and the words that the upstreams react to.
import { createRequire } from 'node:module';
import { env } from 'node:process';

export const require = createRequire(`${env.PACKAGES}/package.json`);
export const url = env.GATEWAY_URL;
export const key = env.GATEWAY_KEY;
export const model = env.MODEL;

export const GREETING = 'Hello from the upstream.';
export const WEATHER = {
  name: 'get_weather',
  description: 'The weather of a city',
  schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

/** The pieces of an async iterable. */
export async function all(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
