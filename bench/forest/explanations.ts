/** Explanations: exact, path-dependent TreeSHAP by the Python package shap, of the very same trees. */
import { join } from "node:path";
import { Model } from "../../contract/src/index.ts";
import { PythonScript } from "../python.ts";
import type { Findings } from "../results.ts";
import { FIT_SEED, firstRows, generate, JUDGE_SEED, readTables, train, writeBytes } from "./customers.ts";

const [ROWS, QUICK_ROWS] = [200_000, 10_000];
const [EXPLAINED, QUICK_EXPLAINED] = [48, 4];

export async function measureExplanations(folder: string, quick: boolean): Promise<Findings> {
  const rows = quick ? QUICK_ROWS : ROWS;
  const directory = train(folder, generate(folder, rows, FIT_SEED));
  const [table] = await readTables(generate(folder, QUICK_ROWS, JUDGE_SEED));
  const explained = firstRows(table, quick ? QUICK_EXPLAINED : EXPLAINED);
  const columns = Model.load(directory).encoder.encodeTable(explained);

  const python = new PythonScript(new URL("exported.py", import.meta.url), { peers: true });
  await python.ask({ command: "load", model: directory, features: writeBytes(join(folder, "x.f32"), columns) });
  const theirs = await python.ask<{ milliseconds: number }>({ command: "explain", rows: explained.rows });
  const versions = await python.ask<Record<string, string>>({ command: "versions" });
  python.close();
  const text = [
    `A model with default parameters, trained on ${rows} generated customers. \`shap.TreeExplainer\`, path-dependent, takes ` +
      `${theirs.milliseconds.toFixed(0)} ms a row for ${explained.rows} rows at once.`,
  ];
  return { versions, text, checks: [] };
}
