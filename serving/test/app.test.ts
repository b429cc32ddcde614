import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { requestSchema } from "@churn/contract";
import { buildTestApp, type TestApp } from "./test-app.ts";

let service: TestApp;
before(async () => {
  service = await buildTestApp();
});
after(() => service.app.close());

const get = async (url: string) => (await service.app.inject({ url })).json();

test("GET / is the seed's health answer and the model version", async () => {
  assert.deepEqual(await get("/"), { status: "ok", model_version: service.model.manifest.version });
});

test("the process is live and ready", async () => {
  assert.deepEqual(await get("/health/live"), { status: "live" });
  assert.deepEqual(await get("/health/ready"), { status: "ready" });
});

test("GET /model tells what is served, and loses nothing on the way through the serializer", async () => {
  const { manifest } = service.model;
  assert.deepEqual(await get("/model"), {
    name: "gym-churn",
    version: manifest.version,
    created: "2026-11-23T20:45:00.000Z",
    dataset: { name: "gym", description: "Members of a made-up gym.", target: "left" },
    features: manifest.features,
    metrics: manifest.metrics,
    confusion_matrix: { true_positives: 5, false_positives: 2, false_negatives: 3, true_negatives: 10 },
    baselines: manifest.baselines,
    threshold: manifest.threshold,
    request_schema: requestSchema(manifest.dataset),
    card: `# gym-churn ${manifest.version}\n`,
    lineage: {
      data: { sha256: "00".repeat(32), rows: 100, training_rows: 80 },
      seed: 42,
      code: { commit: null, contract_tree: null, training_tree: null, lockfile_sha256: null, modified: null },
      engine: { node: "26.10.0" },
      content_sha256: manifest.contentSha256,
      duration_ms: 12.5,
    },
  });
});

test("GET /model keeps the reference data and the training machine's paths to itself", async () => {
  assert.doesNotMatch(JSON.stringify(await get("/model")), /quantiles|somebody/);
});

test("names on the wire are snake_case", async () => {
  const names = (value: unknown): string[] =>
    typeof value !== "object" || value === null
      ? []
      : Object.entries(value).flatMap(([name, inner]) => [...(Array.isArray(value) ? [] : [name]), ...names(inner)]);
  const { request_schema: _, ...model } = await get("/model"); // JSON Schema has words of its own
  for (const name of names(model)) assert.match(name, /^[a-z][a-z0-9_]*$/);
});
