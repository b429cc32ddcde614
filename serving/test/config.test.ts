import assert from "node:assert/strict";
import { test } from "node:test";
import { ChurnError } from "@churn/contract";
import { readConfig } from "../src/config.ts";

const issuesOf = (environment: Record<string, string>): string[] => {
  try {
    readConfig(environment);
  } catch (error) {
    assert.ok(error instanceof ChurnError);
    assert.equal(error.code, "CHURN_ERR_OPTION_INVALID");
    return error.issues.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
};

test("an empty environment listens on loopback, port 8000, with the champion", () => {
  assert.deepEqual(readConfig({}), {
    port: 8000,
    host: "127.0.0.1",
    logLevel: "info",
    modelDirectory: "models/best_model",
  });
});

test("every variable is read", () => {
  const environment = { PORT: "0", HOST: "::1", LOG_LEVEL: "warn", MODEL_DIR: "elsewhere" };
  assert.deepEqual(readConfig(environment), { port: 0, host: "::1", logLevel: "warn", modelDirectory: "elsewhere" });
});

test("a variable set to nothing counts as not set", () => {
  const environment = { PORT: "", HOST: "", LOG_LEVEL: "", MODEL_DIR: "", API_KEYS: "", ALLOW_UNAUTHENTICATED: "" };
  assert.deepEqual(readConfig(environment), readConfig({}));
});

test("ALLOW_UNAUTHENTICATED=true opens the service to other machines", () => {
  assert.equal(readConfig({ ALLOW_UNAUTHENTICATED: "true" }).host, "0.0.0.0");
  assert.equal(readConfig({ ALLOW_UNAUTHENTICATED: "true", HOST: "10.0.0.7" }).host, "10.0.0.7");
  assert.equal(readConfig({ ALLOW_UNAUTHENTICATED: "false" }).host, "127.0.0.1");
});

test("without it, only loopback addresses are accepted", () => {
  for (const HOST of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) assert.deepEqual(issuesOf({ HOST }), []);
  for (const HOST of ["0.0.0.0", "::", "10.0.0.7", "127.evil.example", "localhost.example"]) {
    assert.deepEqual(issuesOf({ HOST }), [
      `HOST: expected 127.0.0.1 (or ALLOW_UNAUTHENTICATED=true, as the service asks for no key), got "${HOST}"`,
    ]);
  }
});

test("keys are refused rather than ignored, and not repeated", () => {
  const [issue, ...others] = issuesOf({ API_KEYS: "secret-key" });
  assert.match(issue, /^API_KEYS: .*no keys yet/);
  assert.doesNotMatch(issue, /secret-key/);
  assert.deepEqual(others, []);
});

test("every problem is listed at once", () => {
  const environment = { PORT: "80x", HOST: "0.0.0.0", LOG_LEVEL: "loud", API_KEYS: "k", ALLOW_UNAUTHENTICATED: "yes" };
  assert.deepEqual(
    issuesOf(environment).map((issue) => issue.split(":", 1)[0]),
    ["ALLOW_UNAUTHENTICATED", "PORT", "HOST", "LOG_LEVEL", "API_KEYS"],
  );
});

test("a port is a whole number up to 65535", () => {
  for (const PORT of ["-1", "65536", "8e3", "80.5", " 80", "0x50", "port"]) {
    assert.deepEqual(issuesOf({ PORT }), [`PORT: expected a whole number from 0 to 65535, got "${PORT}"`]);
  }
});
