"use strict";
/* What Prisma's schema compiler says of a schema: the input of a generator of clients. Usage: describe.cjs SCHEMA */
const fs = require("node:fs");
const { createRequire } = require("node:module");

const packages = createRequire(`${process.env.PRISMA_PACKAGES}/package.json`);
const compiler = packages("@prisma/prisma-schema-wasm/src/prisma_schema_build.js");
const prismaSchema = fs.readFileSync(process.argv[2], "utf8");
const dmmf = JSON.parse(compiler.get_dmmf(JSON.stringify({ prismaSchema, noColor: true })));
const asked = { prismaSchema, datasourceOverrides: {}, ignoreEnvVarErrors: true, env: {} };
const { config } = JSON.parse(compiler.get_config(JSON.stringify(asked)));
process.stdout.write(JSON.stringify({ dmmf, config }));
