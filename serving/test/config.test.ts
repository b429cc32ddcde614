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

const summary = (environment: Record<string, string>) => {
  const { keys, ...config } = readConfig(environment);
  return { ...config, keys: keys.size };
};

test("an empty environment listens on loopback, port 8000, with the champion, and keeps predictions in SQLite", () => {
  assert.deepEqual(summary({}), {
    port: 8000,
    host: "127.0.0.1",
    logLevel: "info",
    modelDirectory: "models/best_model",
    keys: 0,
    rateLimit: undefined,
    workers: 1,
    store: {
      url: "sqlite:data/live/predictions.db",
      retentionDays: undefined,
      hashSecret: undefined,
      spoolDirectory: "data/live/spool",
      spoolLimitBytes: 256 * 2 ** 20,
    },
  });
});

test("every variable is read", () => {
  const environment = {
    PORT: "0",
    HOST: "::1",
    LOG_LEVEL: "warn",
    MODEL_DIR: "elsewhere",
    API_KEYS: "predict:one,two",
    RATE_LIMIT: "600",
    WEB_CONCURRENCY: "2",
    PREDICTION_STORE_URL: "postgres://localhost/churn",
    STORE_RETENTION_DAYS: "90",
    STORE_HASH_SECRET: "sixteen letters.",
    SPOOL_DIR: "spool",
    SPOOL_LIMIT_MB: "8",
  };
  assert.deepEqual(summary(environment), {
    port: 0,
    host: "::1",
    logLevel: "warn",
    modelDirectory: "elsewhere",
    keys: 2,
    rateLimit: 600,
    workers: 2,
    store: {
      url: "postgres://localhost/churn",
      retentionDays: 90,
      hashSecret: "sixteen letters.",
      spoolDirectory: "spool",
      spoolLimitBytes: 8 * 2 ** 20,
    },
  });
});

test("a variable set to nothing counts as not set", () => {
  const environment = { PORT: "", HOST: "", LOG_LEVEL: "", MODEL_DIR: "", API_KEYS: "", ALLOW_UNAUTHENTICATED: "" };
  assert.deepEqual(summary(environment), summary({}));
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
      `HOST: expected 127.0.0.1 (or API_KEYS, or ALLOW_UNAUTHENTICATED=true, as the service asks for no key), got "${HOST}"`,
    ]);
  }
});

test("a service with keys may answer other machines", () => {
  assert.equal(readConfig({ API_KEYS: "a-key" }).host, "0.0.0.0");
  assert.equal(readConfig({ API_KEYS: "a-key", HOST: "10.0.0.7" }).host, "10.0.0.7");
});

test("faults of secrets are named without the secret", () => {
  const secrets = [
    { API_KEYS: "predict+admin:marked" },
    { API_KEYS: "marked one" },
    { API_KEYS: "marked,predict:marked" },
    { API_KEYS: "first,,marked" },
    { STORE_HASH_SECRET: "marked" },
    { PREDICTION_STORE_URL: "mysql://marked@host" },
    { PREDICTION_STORE_URL: "postgres://" },
    { PREDICTION_STORE_URL: "sqlite:" },
  ];
  for (const environment of secrets) {
    const [issue, ...others] = issuesOf(environment);
    assert.match(issue, new RegExp(`^${Object.keys(environment)[0]}: `));
    assert.doesNotMatch(issue, /marked/);
    assert.deepEqual(others, []);
  }
});

test("every problem is listed at once", () => {
  const environment = {
    PORT: "80x",
    HOST: "0.0.0.0",
    LOG_LEVEL: "loud",
    ALLOW_UNAUTHENTICATED: "yes",
    RATE_LIMIT: "0",
  };
  assert.deepEqual(
    issuesOf(environment).map((issue) => issue.split(":", 1)[0]),
    ["ALLOW_UNAUTHENTICATED", "PORT", "HOST", "LOG_LEVEL", "RATE_LIMIT"],
  );
});

test("a port is a whole number up to 65535", () => {
  for (const PORT of ["-1", "65536", "8e3", "80.5", " 80", "0x50", "port"]) {
    assert.deepEqual(issuesOf({ PORT }), [`PORT: expected a whole number from 0 to 65535, got "${PORT}"`]);
  }
});
