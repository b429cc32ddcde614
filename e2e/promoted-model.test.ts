/**
 * The model in the repository, as it would be served: its files alone, verified, in a service of its own, give customers over HTTP the
 * doubles that batch scoring gives them. Made from what the model says of itself, so that it holds for a model of any data.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { churn } from "../bench/command.ts";
import {
  type ColumnSpecification,
  featureColumnNames,
  MODEL_FILES,
  type ModelManifest,
  readModelDirectory,
} from "../contract/src/index.ts";
import { killServices, ROOT, startService } from "../serving/test/service-process.ts";
import { Random } from "../training/src/random.ts";

const MODEL = join(ROOT, "models/best_model");
const CUSTOMERS = 300;

type Value = string | number | boolean | null;
type Customer = Readonly<Record<string, Value>>;

const folder = mkdtempSync(join(tmpdir(), "churn-promoted-"));
after(() => {
  killServices();
  rmSync(folder, { recursive: true, force: true });
});

test("the champion's directory holds the files of a model, with the sums that it says, and nothing else", () => {
  const { manifest } = readModelDirectory(MODEL);

  assert.deepEqual(readdirSync(MODEL).sort(), [...MODEL_FILES].sort());
  assert.match(manifest.version, new RegExp(`-${manifest.contentSha256.slice(0, 8)}$`));
});

test("those files alone, served, answer with the doubles of batch scoring", async () => {
  const { manifest } = readModelDirectory(MODEL);
  const customers = drawCustomers(manifest, new Random(1));
  const model = join(folder, "model");
  cpSync(MODEL, model, { recursive: true });

  const batch = scoreFile(model, customers);
  const served = await scoreByService(model, customers);

  assert.deepEqual(served, batch);
  assert.ok(new Set(batch).size > CUSTOMERS / 4, "expected probabilities that differ");
});

/** The typical customer, changed in some columns: within their range, to a level nobody knows, or to nothing. */
function drawCustomers({ dataset, inputExample, encodings }: ModelManifest, random: Random): Customer[] {
  const names = featureColumnNames(dataset);
  const draw = (name: string): Value => {
    if (random.integer(2) === 0) return inputExample[name] ?? null;
    return drawValue(dataset.columns[name], inputExample[name] ?? null, encodings[name] ?? [], random);
  };
  return Array.from({ length: CUSTOMERS }, () => Object.fromEntries(names.map((name) => [name, draw(name)])));
}

function drawValue(column: ColumnSpecification, usual: Value, levels: readonly string[], random: Random): Value {
  const { type, nullable = false, minimum = 0, maximum = 100 } = column;
  if (nullable && random.integer(5) === 0) return null;
  if (type === "boolean") return random.integer(2) === 1;
  if (type === "category") return [...levels, "a level that nobody knows"][random.integer(levels.length + 1)];
  // Near the typical one rather than anywhere in a range that is wide to be safe.
  const value = (typeof usual === "number" ? usual : minimum) + (random.uniform() - 0.5) * 0.2 * (maximum - minimum);
  const inside = Math.min(maximum, Math.max(minimum, value));
  return type === "integer" ? Math.round(inside) : inside;
}

function scoreFile(model: string, customers: readonly Customer[]): number[] {
  const [data, out] = [join(folder, "customers.csv"), join(folder, "scores.csv")];
  const names = Object.keys(customers[0]);
  const cells = (customer: Customer): string => names.map((name) => JSON.stringify(customer[name] ?? "")).join();
  writeFileSync(data, [names.join(), ...customers.map(cells)].join("\n"));
  churn(folder, "predict", "--model", model, "--data", data, "--out", out);
  const [header, ...lines] = readFileSync(out, "utf8").trimEnd().split("\n");
  const place = header.split(",").indexOf("churn_probability");
  return lines.map((line) => Number(line.split(",")[place]));
}

async function scoreByService(model: string, customers: readonly Customer[]): Promise<number[]> {
  const service = startService({ MODEL_DIR: model });
  const url = await service.url;
  const probabilities: number[] = [];
  for (const customer of customers) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/predict`, { method: "POST", headers, body: JSON.stringify(customer) });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    probabilities.push(JSON.parse(text).churn_probability);
  }
  service.child.kill("SIGTERM");
  assert.equal((await service.exit).code, 0);
  return probabilities;
}
