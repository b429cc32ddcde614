/** The restraint, as an assertion: a new dependency of what runs in production is a visible decision. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const manifest = (room: string) =>
  JSON.parse(readFileSync(new URL(`../../${room}/package.json`, import.meta.url), "utf8"));

test("serving depends on exactly these packages", () => {
  const names = [
    "@churn/contract",
    "@fastify/rate-limit",
    "@fastify/swagger",
    "@fastify/swagger-ui",
    "ajv",
    "fastify",
    "pino",
    "postgres",
    "prom-client",
  ];
  assert.deepEqual(Object.keys(manifest("serving").dependencies).sort(), names);
});

test("the contract depends on exactly these packages", () => {
  assert.deepEqual(Object.keys(manifest("contract").dependencies).sort(), ["acorn", "ajv"]);
});

test("their versions are exact, and nothing comes in by another door", () => {
  for (const room of ["serving", "contract"]) {
    const { dependencies, peerDependencies, optionalDependencies, scripts } = manifest(room);
    for (const [name, version] of Object.entries(dependencies)) {
      assert.match(version as string, name.startsWith("@churn/") ? /^\*$/ : /^\d+\.\d+\.\d+$/, name);
    }
    const others = { peerDependencies, optionalDependencies, scripts };
    assert.deepEqual(
      Object.values(others).filter((entry) => entry !== undefined),
      [],
    );
  }
});
