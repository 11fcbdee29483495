// The types of every operation in the folder given, on ./schema.graphql: what graphql-codegen's typescript and
// typescript-operations plugins make of them, into ./generated/operations.ts.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { codegen } from "@graphql-codegen/core";
import * as typescript from "@graphql-codegen/typescript";
import * as operations from "@graphql-codegen/typescript-operations";
import { buildSchema, parse, printSchema } from "graphql";

const folder = process.argv[2];
const schema = buildSchema(readFileSync("schema.graphql", "utf-8"));
const documents = readdirSync(folder)
  .filter((name) => name.endsWith(".graphql"))
  .map((name) => ({ location: name, document: parse(readFileSync(join(folder, name), "utf-8")) }));
const text = "string";
const output = await codegen({
  filename: "operations.ts",
  schema: parse(printSchema(schema)),
  schemaAst: schema,
  documents,
  config: {
    strictScalars: true,
    scalars: { BigInt: text, Cidr: text, DateTime: text, Decimal: text, IpAddress: text, JSON: "unknown" },
  },
  plugins: [{ typescript: {} }, { operations: {} }],
  pluginMap: { typescript, operations },
});
mkdirSync("generated", { recursive: true });
writeFileSync("generated/operations.ts", output);
