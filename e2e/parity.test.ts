/**
 * The proof against training-serving skew: the same customers through batch prediction and through HTTP,
 * with their fields in any order, some values missing and some levels never seen, get the same doubles.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { churn } from "../bench/command.ts";
import { type DatasetSpecification, featureColumnNames, readDataset } from "../contract/src/index.ts";
import { killServices, startService } from "../serving/test/service-process.ts";
import { Random } from "../training/src/random.ts";

const ROWS = 10_000;
const CONNECTIONS = 16;
/** One cell in so many is emptied where it may be, or given a level that no model has seen. */
const CHANGED_CELLS = 20;

type Customer = Readonly<Record<string, string>>;

const folder = mkdtempSync(join(tmpdir(), "churn-parity-"));
after(() => {
  killServices();
  rmSync(folder, { recursive: true, force: true });
});

test("10,000 generated customers get bit-identical probabilities over HTTP and from churn predict", async () => {
  const data = join(folder, "customers.csv");
  churn(folder, "generate", "--rows", String(ROWS), "--seed", "2026", "--out", data);

  await compare("datasets/customers/dataset.json", "models/best_model", readCsv(data));
});

test("10,000 rows of a real data set get bit-identical probabilities over HTTP and from churn predict", async () => {
  const dataset = "datasets/telco/dataset.json";
  const model = join(folder, "telco");
  churn(folder, "train", "--dataset", dataset, "--out", model);
  const customers = readCsv("datasets/telco/Telco-Customer-Churn.csv");

  await compare(
    dataset,
    model,
    Array.from({ length: ROWS }, (_, i) => customers[i % customers.length]),
  );
});

async function compare(datasetPath: string, model: string, originals: readonly Customer[]): Promise<void> {
  const dataset = readDataset(datasetPath);
  const random = new Random(1);
  const customers = originals.map((customer) => changeCells(dataset, customer, random));
  const [data, out] = [join(folder, `${dataset.name}-input.csv`), join(folder, `${dataset.name}-scores.csv`)];
  const columns = [dataset.key as string, ...featureColumnNames(dataset)];
  const lines = customers.map((customer) => columns.map((name) => customer[name]).join());
  writeFileSync(data, [columns.join(), ...lines].join("\n"));

  churn(folder, "predict", "--model", model, "--data", data, "--out", out);
  const batch = readCsv(out).map((score) => Number(score.churn_probability));
  const requests = customers.map((customer) => JSON.stringify(shuffled(toRequest(dataset, customer), random)));
  const single = await ask(model, requests);

  assert.equal(batch.length, ROWS);
  assert.deepEqual(single, batch);
  assert(new Set(batch).size > ROWS / 4, "expected the probabilities to differ between customers");
}

/** The files of this test have no quoted cells in the columns it reads; this says so if that changes. */
function readCsv(path: string): Customer[] {
  const [header, ...lines] = readFileSync(path, "utf8").trimEnd().split(/\r?\n/);
  const names = header.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    assert.equal(cells.length, names.length, `a cell with a comma: ${line}`);
    return Object.fromEntries(names.map((name, i) => [name, cells[i]]));
  });
}

function changeCells(dataset: DatasetSpecification, customer: Customer, random: Random): Customer {
  const change = (name: string): string => {
    if (random.integer(CHANGED_CELLS) > 0) return customer[name].replaceAll('"', "");
    const { nullable, type } = dataset.columns[name];
    if (type === "category") return "never seen";
    return nullable ? "" : customer[name];
  };
  const features = featureColumnNames(dataset).map((name) => [name, change(name)]);
  return { ...Object.fromEntries(features), [dataset.key as string]: customer[dataset.key as string] };
}

/** A CSV row as the JSON a caller would send. */
function toRequest(dataset: DatasetSpecification, customer: Customer): [string, unknown][] {
  const value = (name: string): unknown => {
    const text = customer[name];
    if (text.trim() === "") return null;
    const { type } = dataset.columns[name];
    if (type === "category") return text;
    return type === "boolean" ? text === "true" : Number(text);
  };
  const key = dataset.key as string;
  return [[key, customer[key]], ...featureColumnNames(dataset).map((name): [string, unknown] => [name, value(name)])];
}

function shuffled(fields: [string, unknown][], random: Random): Record<string, unknown> {
  const keyed = fields.map((field) => ({ field, at: random.uniform() }));
  return Object.fromEntries(keyed.sort((a, b) => a.at - b.at).map(({ field }) => field));
}

/** Posts every body over a few connections and gives the probabilities in their order. */
async function ask(model: string, bodies: readonly string[]): Promise<number[]> {
  const service = startService({ MODEL_DIR: model });
  const url = `${await service.url}/predict`;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const probabilities: number[] = new Array(bodies.length);
  let next = 0;
  const connection = async (): Promise<void> => {
    for (let i = next++; i < bodies.length; i = next++) probabilities[i] = await predict(url, agent, bodies[i]);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  agent.destroy();
  service.child.kill("SIGTERM");
  assert.equal((await service.exit).code, 0);
  return probabilities;
}

function predict(url: string, agent: Agent, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const post = request(
      url,
      { method: "POST", agent, headers: { "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part) => {
          text += part;
        });
        response.on("end", () => {
          if (response.statusCode === 200) resolve(JSON.parse(text).churn_probability);
          else reject(new Error(`expected 200, got ${response.statusCode}: ${text} for ${body}`));
        });
      },
    );
    post.on("error", reject);
    post.end(body);
  });
}
