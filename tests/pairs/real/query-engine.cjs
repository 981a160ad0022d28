#!/usr/bin/env node
"use strict";
/*
 * Prisma's own query engine 5.17.0, which @prisma/client carries as WebAssembly, behind the HTTP and GraphQL that
 * prisma-client-py 0.15 speaks to the engine's native program (which is no package of any registry).
 *
 * Only parse() and plain() are ours: GraphQL documents become the engine's JSON protocol, and its tagged values what
 * GraphQL answers. What a query means, and the SQL, is all the engine's. Queries go to PostgreSQL at DATABASE_URL.
 */
const fs = require("node:fs");
const http = require("node:http");
const { createRequire } = require("node:module");

const packages = createRequire(`${process.env.PRISMA_PACKAGES}/package.json`);
const COMMIT = "393aa359c9ad4a4bb28630fb5613f9c281cde053";
const VERBS = [
  "findFirst", "findMany", "findUnique", "createOne", "createMany", "updateOne", "updateMany", "deleteOne",
  "deleteMany", "upsertOne", "aggregate", "groupBy", "queryRaw", "executeRaw",
];
const SAME_AS = { 19: 25, 1003: 1009 }; // types of PostgreSQL by number: name as text, name[] as text[]
const TOKEN = /\s*,?\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z_][A-Za-z0-9_]*|[{}()[\]:])/y;

function parse(text, types) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) tokens.push(match[1]);
  let at = 0;
  const take = (expected) => {
    if (expected && tokens[at] !== expected) throw new Error(`expected ${expected}, found ${tokens[at]}: ${text}`);
    return tokens[at++];
  };
  const value = () => {
    if (tokens[at] === "{") return members("{", "}");
    if (tokens[at] === "[") {
      const items = [];
      for (take("["); tokens[at] !== "]"; ) items.push(value());
      take("]");
      return items;
    }
    const token = take();
    return /^["\d-]|^(true|false|null)$/.test(token) ? JSON.parse(token) : token; // else an enumeration's word
  };
  const members = (open, close) => {
    const found = {};
    for (take(open); tokens[at] !== close; ) {
      const name = take();
      take(":");
      found[name] = value();
    }
    take(close);
    return found;
  };
  const field = () => {
    const args = tokens[at] === "(" ? members("(", ")") : {};
    const selection = {};
    let any = false;
    if (tokens[at] === "{") {
      for (take("{"); tokens[at] !== "}"; any = true) {
        const name = take();
        const inner = field();
        selection[name] = inner.any || Object.keys(inner.arguments).length ? { arguments: inner.arguments, selection: inner.selection } : true;
      }
      take("}");
    }
    return { arguments: args, selection, any };
  };
  take(); // query or mutation
  take("{");
  take(); // result
  take(":");
  const name = take();
  const { arguments: args, selection } = field();
  const verb = VERBS.find((each) => name.startsWith(each));
  if (!verb) throw new Error(`unknown operation ${name}`);
  let model = name.slice(verb.length);
  const orThrow = model.endsWith("OrThrow");
  if (orThrow) model = model.slice(0, -"OrThrow".length);
  return { ...(model && { modelName: model }), action: orThrow ? `${verb}OrThrow` : verb, query: { arguments: withJson(args, model, types), selection } };
}

/* Which fields of a model hold JSON or other models: {Model: {field: "Json" | "OtherModel"}}. */
function fieldTypes(schema) {
  const found = {};
  for (const [, model, body] of schema.matchAll(/^model\s+(\w+)\s*\{([^]*?)^\}/gm)) {
    found[model] = {};
    for (const [, name, type] of body.matchAll(/^\s+(\w+)\s+(\w+)/gm)) found[model][name] = type;
  }
  return found;
}

/* GraphQL's schema says which texts are JSON documents; the JSON protocol wants to be told. */
function withJson(value, model, types) {
  if (Array.isArray(value)) return value.map((each) => withJson(each, model, types));
  if (value === null || typeof value !== "object") return value;
  const marked = {};
  for (const [name, inner] of Object.entries(value)) {
    const type = types[model]?.[name];
    if (type === "Json") marked[name] = asJson(inner);
    else marked[name] = withJson(inner, types[type] ? type : model, types);
  }
  return marked;
}

function asJson(value) {
  if (typeof value === "string") return { $type: "Json", value };
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  const within = ([name, inner]) => [name, /^(path|mode|string_\w+)$/.test(name) ? inner : asJson(inner)];
  return Object.fromEntries(Object.entries(value).map(within)); // a filter
}

function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if ("$type" in value) return value.value; // dates, JSON as text, big integers as text
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function answer(engineSays) {
  if (engineSays.errors) return { errors: engineSays.errors };
  const [first] = Object.values(engineSays.data);
  return { data: { result: first?.columns && first.types ? rows(first) : plain(first) } };
}

/* What a raw query gave, as engine 5.4 and prisma-client-py 0.11 with it tell it: each value with its type. */
function rows(table) {
  const typed = (value, type) => ({
    prisma__type: value === null ? "null" : type.replace("-array", ""),
    prisma__value: value,
  });
  const cell = (value, type) => type.endsWith("-array") && value !== null
    ? { prisma__type: "array", prisma__value: value.map((each) => typed(each, type.replace("-array", ""))) }
    : typed(value, type);
  return table.rows.map((row) => Object.fromEntries(row.map((value, at) => [table.columns[at], cell(value, table.types[at])])));
}

async function engine() {
  const { Pool } = packages("pg");
  const { PrismaPg } = packages("@prisma/adapter-pg");
  const { bindAdapter } = packages("@prisma/driver-adapter-utils");
  const loader = packages("@prisma/client/runtime/query_engine_bg.postgresql.js");
  const wasm = packages.resolve("@prisma/client/runtime/query_engine_bg.postgresql.js").replace(/\.js$/, ".wasm");
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(wasm), { "./query_engine_bg.js": loader });
  loader.__wbg_set_wasm(instance.exports);
  const url = new URL(process.env.DATABASE_URL);
  const schema = url.searchParams.get("schema") ?? "public";
  for (const name of ["schema", "connection_limit", "pool_timeout"]) url.searchParams.delete(name);
  const queryable = Object.getPrototypeOf(PrismaPg.prototype);
  const perform = queryable.performIO;
  queryable.performIO = async function withNames(query) {
    const result = await perform.call(this, query);
    if (result.ok) for (const field of result.value.fields) field.dataTypeID = SAME_AS[field.dataTypeID] ?? field.dataTypeID;
    return result;
  };
  const pool = new Pool({ connectionString: url.href, max: 10 });
  pool.on("error", () => undefined);
  const made = new loader.QueryEngine(
    {
      datamodel: fs.readFileSync(process.env.PRISMA_DML_PATH, "utf8"), env: {}, logQueries: false,
      ignoreEnvVarErrors: true, datasourceOverrides: {}, logLevel: "error", configDir: ".", engineProtocol: "json",
    },
    (line) => process.stderr.write(`${line}\n`),
    bindAdapter(new PrismaPg(pool, { schema })),
  );
  await made.connect('{"traceparent":"00-0-0-00"}');
  return made;
}

async function respond(running, types, request, body) {
  const trace = '{"traceparent":"00-0-0-00"}';
  const { pathname } = new URL(request.url, "http://engine");
  if (pathname === "/status") return { status: "ok" };
  if (pathname === "/metrics") return { counters: [], gauges: [], histograms: [] };
  const made = await running;
  if (pathname === "/transaction/start") return JSON.parse(await made.startTransaction(body, trace));
  const turn = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(pathname);
  if (turn) return JSON.parse(await made[`${turn[2]}Transaction`](turn[1], trace));
  const asked = JSON.parse(body);
  const within = request.headers["x-transaction-id"];
  if (asked.batch) {
    const batch = asked.batch.map((each) => parse(each.query, types));
    const said = JSON.parse(await made.query(JSON.stringify({ batch, transaction: asked.transaction ? {} : undefined }), trace, within));
    if (said.errors) return { errors: said.errors };
    return { batchResult: said.batchResult.map(answer) };
  }
  return answer(JSON.parse(await made.query(JSON.stringify(parse(asked.query, types)), trace, within)));
}

function main() {
  if (process.argv.includes("--version")) {
    process.stdout.write(`query-engine ${COMMIT}\n`);
    return;
  }
  const port = Number(process.argv[process.argv.indexOf("-p") + 1]);
  const types = fieldTypes(fs.readFileSync(process.env.PRISMA_DML_PATH, "utf8"));
  const running = engine();
  running.catch((problem) => {
    process.stderr.write(`${problem.stack ?? problem}\n`);
    process.exit(1);
  });
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      respond(running, types, request, body)
        .catch((problem) => {
          process.stderr.write(`${problem.stack ?? problem}\n`);
          return { errors: [{ error: String(problem), user_facing_error: { error_code: "P0000", message: String(problem), meta: {} } }] };
        })
        .then((said) => {
          response.setHeader("content-type", "application/json");
          response.end(JSON.stringify(said));
        });
    });
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
  server.listen(port); // both families: the client says "localhost"
}

main();
