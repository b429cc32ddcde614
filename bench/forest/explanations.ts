/** Explanations: exact, path-dependent TreeSHAP, against the Python package shap on the very same trees. */
import { join } from "node:path";
import { Model } from "../../contract/src/index.ts";
import { markdownTable } from "../../training/src/report/text.ts";
import { PythonScript } from "../python.ts";
import { atLeast, atMost, type Findings, median } from "../results.ts";
import { FIT_SEED, firstRows, generate, JUDGE_SEED, readTables, train, writeBytes } from "./customers.ts";

const [ROWS, QUICK_ROWS] = [200_000, 10_000];
/** Customers that each side explains in each of some turns. */
const [EXPLAINED, QUICK_EXPLAINED] = [48, 4];
const TURNS = 3;

/** Per customer the contributions of the features, and milliseconds a customer. */
interface Explanations {
  readonly milliseconds: number;
  readonly contributions: readonly ArrayLike<number>[];
}

export async function measureExplanations(folder: string, quick: boolean): Promise<Findings> {
  const rows = quick ? QUICK_ROWS : ROWS;
  const directory = train(folder, generate(folder, rows, FIT_SEED));
  const [table] = await readTables(generate(folder, QUICK_ROWS, JUDGE_SEED));
  const explained = firstRows(table, quick ? QUICK_EXPLAINED : EXPLAINED);
  const model = Model.load(directory);
  const columns = model.encoder.encodeTable(explained);
  const customers = Array.from({ length: explained.rows }, (_, row) => Float32Array.from(columns, (x) => x[row]));

  const python = new PythonScript(new URL("exported.py", import.meta.url), "peers");
  await python.ask({ command: "load", model: directory, features: writeBytes(join(folder, "x.f32"), columns) });
  const start = performance.now();
  explain(model, customers.slice(0, 1)); // lays the forest out
  const layOut = performance.now() - start;
  const turns: { alone: Explanations; together: number; theirs: Explanations }[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const alone = explain(model, customers);
    const together = timeTogether(model, columns, customers.length);
    turns.push({ alone, together, theirs: await python.ask<Explanations>({ command: "explain" }) });
  }
  const versions = await python.ask<Record<string, string>>({ command: "versions" });
  python.close();

  const alone = median(turns.map((turn) => turn.alone.milliseconds));
  const together = median(turns.map((turn) => turn.together));
  const theirs = median(turns.map((turn) => turn.theirs.milliseconds));
  const times = (milliseconds: number): string => `${(milliseconds / together).toFixed(1)} ×`;
  const text = [
    [
      `A model with default parameters, trained on ${rows} generated customers, explains ${customers.length} others, ${TURNS} times in turns, on one thread.`,
      '`shap.TreeExplainer(feature_perturbation="tree_path_dependent")` explains them with the same trees. The forest has been laid',
      `out before; that takes ours ${layOut.toFixed(0)} ms, once.`,
    ].join("\n"),
    markdownTable([
      ["", "ms a customer", "to ours"],
      ["this model, all at once", together.toFixed(2), times(together)],
      ["this model, one by one (median)", alone.toFixed(2), times(alone)],
      ["shap, all at once", theirs.toFixed(1), times(theirs)],
    ]),
  ];
  const checks = [
    atMost("difference of the contributions to shap's, ×10⁻⁹", 1e9 * difference(turns[0].alone, turns[0].theirs), 1, 6),
    atLeast("times as fast as shap", theirs / together, 20, 1),
    atMost("one customer, ms", alone, 10, 2),
  ];
  return { versions, text, checks };
}

/** Explains customers one by one; the time is the median. */
function explain({ explainer }: Model, customers: readonly Float32Array[]): Explanations {
  const times: number[] = [];
  const contributions = customers.map((features) => {
    const start = performance.now();
    const explanation = explainer.explain(features);
    times.push(performance.now() - start);
    return explanation;
  });
  return { milliseconds: median(times), contributions };
}

/** Milliseconds a customer when all are explained at once. */
function timeTogether({ explainer }: Model, columns: readonly Float32Array[], rows: number): number {
  const start = performance.now();
  explainer.explainColumns(columns, rows);
  return (performance.now() - start) / rows;
}

/** The greatest between two contributions. */
function difference(a: Explanations, b: Explanations): number {
  const distances = a.contributions.flatMap((row, i) =>
    Array.from(row, (value, f) => Math.abs(value - b.contributions[i][f])),
  );
  return Math.max(...distances);
}
