"use strict";
// Text only ever enters the page as text nodes, so nothing in the document can become markup.
const make = (name, text, kind) => {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
};

const named = (schema, spec) => {
  const place = schema && schema.$ref;
  return place ? spec.components.schemas[place.split("/").pop()] : schema;
};

const typeName = (schema) => {
  if (!schema) return "any";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeName).join(" or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.type === "array") return "list of " + typeName(schema.items || schema.prefixItems);
  return schema.type || "any";
};

const fieldTable = (title, rows) => {
  const box = make("div");
  box.append(make("strong", title));
  const table = make("table");
  for (const [name, type, note] of rows) {
    const row = make("tr");
    const first = make("td");
    first.append(make("code", name));
    row.append(first, make("td", type), make("td", note || ""));
    table.append(row);
  }
  box.append(table);
  return box;
};

const properties = (schema, spec) => {
  const whole = named(schema, spec) || {};
  const required = new Set(whole.required || []);
  return Object.entries(whole.properties || {}).map(([name, one]) => [
    name, typeName(one), [required.has(name) ? "required" : "", one.description || ""].filter(Boolean).join("; "),
  ]);
};

const example = (path, method, operation) => {
  const url = location.origin + location.pathname.replace(/\/docs\/?$/, "") + path;
  const lines = ["curl " + (method === "get" ? "" : "-X " + method.toUpperCase() + " ") + "'" + url + "'"];
  if ((operation.security || []).length) lines.push("-H 'Authorization: Bearer sk-…'");
  if (operation.requestBody) lines.push("-H 'Content-Type: application/json'", "-d '{…}'");
  return lines.join(" \\\n  ");
};

const json = (holder) => holder && holder.content && holder.content["application/json"];

const block = (path, method, operation, spec) => {
  const box = make("details");
  const head = make("summary");
  head.append(make("span", method.toUpperCase(), "method"), make("code", path), make("span", operation.summary));
  head.append(make("span", operation["x-pointsman-scope"], "scope"));
  box.append(head);
  if (operation.description) box.append(make("p", operation.description));
  box.append(make("pre", example(path, method, operation)));
  const parameters = (operation.parameters || []).map((one) => [one.name, typeName(one.schema), "in " + one.in]);
  if (parameters.length) box.append(fieldTable("Parameters", parameters));
  const body = json(operation.requestBody);
  if (body) box.append(fieldTable("Body: " + typeName(body.schema), properties(body.schema, spec)));
  const reply = json(operation.responses["200"]);
  if (reply) box.append(fieldTable("Reply: " + typeName(reply.schema), properties(reply.schema, spec)));
  box.dataset.words = [path, method, operation.summary].join(" ").toLowerCase();
  return box;
};

const show = (spec) => {
  document.getElementById("version").textContent = spec.info.version;
  const groups = new Map();
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(block(path, method, operation, spec));
    }
  }
  const main = document.getElementById("routes");
  main.replaceChildren();
  for (const [tag, blocks] of groups) {
    const section = make("section");
    section.append(make("h2", tag), ...blocks);
    main.append(section);
  }
};

document.getElementById("filter").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const box of document.querySelectorAll("details")) box.hidden = !box.dataset.words.includes(wanted);
  for (const section of document.querySelectorAll("section")) {
    section.hidden = !section.querySelector("details:not([hidden])");
  }
});

fetch("openapi.json")
  .then((reply) => { if (!reply.ok) throw new Error("openapi.json: " + reply.status); return reply.json(); })
  .then(show)
  .catch((error) => { document.getElementById("routes").textContent = String(error); });
