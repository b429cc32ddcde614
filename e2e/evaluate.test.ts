/** Both data sets through `churn train` and `churn evaluate`: the second finds on the same file what the first has said. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readDataset, readModelDirectory } from "../contract/src/index.ts";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));
const DATASETS = fileURLToPath(new URL("../datasets", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "churn-evaluate-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function churn(...args: readonly string[]): string {
  const env = { ...process.env, LOG_LEVEL: "silent" };
  return execFileSync(process.execPath, [MAIN, ...args], { cwd: folder, env, encoding: "utf8" });
}

before(() => {
  churn("generate", "--rows", "4000", "--with-truth", "--out", "customers.csv");
});

for (const [name, data] of Object.entries({
  customers: "customers.csv",
  telco: join(DATASETS, "telco", "Telco-Customer-Churn.csv"),
})) {
  test(`a model of ${name}, evaluated on its training data, has the figures and the report that training gave it`, () => {
    const dataset = join(DATASETS, name, "dataset.json");
    churn("train", "--dataset", dataset, "--data", data, "--out", name, "--report", "a.html", "--n-estimators", "30");

    const found = JSON.parse(churn("evaluate", "--model", name, "--data", data, "--out", "b.html", "--json"));

    const { metrics, baselines, confusionMatrix, slices, threshold, version } = readModelDirectory(
      join(folder, name),
    ).manifest;
    assert.deepEqual(
      [found.metrics, found.baselines, found.confusionMatrix, found.slices, found.threshold, found.modelVersion],
      [metrics, baselines, confusionMatrix, slices, threshold, version],
    );
    assert.equal("truth" in found.baselines, name === "customers");
    assert.equal("profit_per_customer" in found.metrics, readDataset(dataset).economics !== undefined);
    assert(found.importances[0].low > 0, "expected a column that matters");
    assert.equal(readFileSync(join(folder, "b.html"), "utf8"), readFileSync(join(folder, "a.html"), "utf8"));
  });
}

test("a model of one data set refuses the customers of the other, and names a column", () => {
  assert.throws(
    () =>
      execFileSync(process.execPath, [MAIN, "evaluate", "--model", "telco", "--data", "customers.csv"], {
        cwd: folder,
        stdio: "pipe",
      }),
    ({ status, stderr }: { status: number; stderr: Buffer }) => {
      assert.equal(status, 2);
      assert.match(String(stderr), /churn: customers\.csv: expected a column "\w+", got "customer_id"/);
      return true;
    },
  );
});
