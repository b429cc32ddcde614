/**
 * The forest's two kernels side by side: the same rows, the same threads, taking turns in one process.
 *
 *     npm run bench:kernel
 *
 * Exit code 1 when a figure that must hold fails.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFeatures, encodeForest, type ForestParameters, readDataset } from "../contract/src/index.ts";
import { openCustomers } from "../training/src/data/reader.ts";
import { findData } from "../training/src/data/source.ts";
import { readTrainingSet, type TrainingSet } from "../training/src/data/training-set.ts";
import { DEFAULT_FOREST_PARAMETERS } from "../training/src/forest/parameters.ts";
import { fitForest } from "../training/src/forest/random-forest.ts";
import type { KernelName } from "../training/src/forest/tree-kernel.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { churn } from "./command.ts";
import { atLeast, type Check, checkTable, describeMachine, median, writeSection } from "./results.ts";

const DATASET = fileURLToPath(new URL("../datasets/customers/dataset.json", import.meta.url));
const SEED = 42;
const KERNELS: readonly KernelName[] = ["plain", "webassembly"];

interface Setting {
  readonly name: string;
  readonly rows: number;
  readonly parameters?: Partial<ForestParameters>;
  readonly rounds: number;
}

const SETTINGS: readonly Setting[] = [
  { name: "200,000 customers, our parameters", rows: 200_000, rounds: 5 },
  {
    name: "the same, scikit-learn's leaf size and sample, 4 features per split",
    rows: 200_000,
    parameters: { maxSamples: 1, minSamplesLeaf: 1, maxFeatures: 4 },
    rounds: 3,
  },
  { name: "1,000,000 customers, our parameters", rows: 1_000_000, rounds: 3 },
];

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));
try {
  const measured: { name: string; seconds: Record<KernelName, number> }[] = [];
  for (const setting of SETTINGS) measured.push({ name: setting.name, seconds: await measure(setting) });
  if (!report(measured)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Median seconds of a fit with each kernel. */
async function measure({ name, rows, parameters, rounds }: Setting): Promise<Record<KernelName, number>> {
  const { columns, labels } = await readCustomers(rows);
  const seconds: Record<KernelName, number[]> = { plain: [], webassembly: [] };
  const forests: Uint8Array[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const kernel of KERNELS) {
      const start = performance.now();
      const all = { ...DEFAULT_FOREST_PARAMETERS, ...parameters };
      const fitted = await fitForest(columns, labels, all, { seed: SEED, kernel });
      seconds[kernel].push((performance.now() - start) / 1000);
      if (fitted.kernel !== kernel) throw new Error(`expected the ${kernel} kernel, got the ${fitted.kernel} one`);
      forests.push(encodeForest(fitted.forest));
      process.stderr.write(`${name}: ${kernel}: ${seconds[kernel].at(-1)?.toFixed(2)} s\n`);
    }
  }
  if (forests.some((forest) => Buffer.compare(forest, forests[0]) !== 0)) throw new Error("the forests differ");
  return { plain: median(seconds.plain), webassembly: median(seconds.webassembly) };
}

async function readCustomers(rows: number): Promise<TrainingSet> {
  const path = join(folder, `${rows}.parquet`);
  churn(folder, "generate", "--rows", String(rows), "--seed", String(SEED), "--out", path);
  const dataset = readDataset(DATASET);
  const reader = await openCustomers(findData(path), dataset, { labelled: true });
  return readTrainingSet(reader, path, dataset, compileFeatures(dataset, DATASET)).finally(reader.close);
}

function report(measured: readonly { name: string; seconds: Record<KernelName, number> }[]): boolean {
  const ratio = ({ plain, webassembly }: Record<KernelName, number>): number => plain / webassembly;
  const checks: Check[] = measured.map(({ name, seconds }) =>
    atLeast(`${name}: times as fast`, ratio(seconds), 1.5, 2),
  );
  const table = markdownTable([
    ["fit", "plain, seconds", "WebAssembly, seconds", "times as fast"],
    ...measured.map(({ name, seconds }) => [
      name,
      seconds.plain.toFixed(2),
      seconds.webassembly.toFixed(2),
      ratio(seconds).toFixed(2),
    ]),
  ]);
  const body = [
    "`npm run bench:kernel`",
    describeMachine({}),
    table,
    "Median of fits that take turns, with binning, the start of threads and out-of-bag scores. The forests are the same bytes.",
    checkTable(checks),
  ].join("\n\n");
  writeSection("The forest's kernels", body);
  process.stdout.write(`${body}\n`);
  return checks.every(({ holds }) => holds);
}
