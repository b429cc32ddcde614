/** A thread of the false-alarm bench: checks of windows in which nothing has changed, and how small a change is found. */
import { parentPort, workerData } from "node:worker_threads";
import { judgeWindow, measureWindow, type WindowMeasurement } from "../training/src/drift/check.ts";
import { DEFAULT_FLOORS } from "../training/src/drift/harm.ts";
import type { DriftReference } from "../training/src/drift/reference.ts";
import { Random } from "../training/src/random.ts";
import { CHANGES } from "./drift-changes.ts";
import { draw, type Pool, PoolDrawer } from "./drift-pool.ts";
import { SEED_LEVEL, type SortedColumns, seedPValues, sortColumns } from "./seed-rule.ts";

export interface BatchInput {
  readonly pool: Pool;
  readonly model: string;
  readonly levels: readonly number[];
  /** The columns that the seed's rule looks at. */
  readonly seedColumns: readonly string[];
}

/** Windows against one reference. */
export interface Batch {
  readonly seed: number;
  readonly checks: number;
  /** Rows of each window, and of the reference. */
  readonly rows: number;
  readonly referenceRows: number;
  /** For a change: the level at which it is to be found, instead of what is found without one. */
  readonly search?: { readonly change: string; readonly level: number };
}

export interface BatchCounts {
  readonly checks: number;
  /** By level. */
  readonly shifted: number[];
  readonly alarms: number[];
  /** Windows in which a fault of the data was seen. */
  faults: number;
  /** Windows in which the seed's rule sees drift: among its columns, and among all. */
  seed: number;
  seedOfAll: number;
  /** Of a search: the least size of the change that each window's check has found. */
  readonly sizes: number[];
}

/** Halvings of a change's size. */
const STEPS = 8;

const { pool, model, levels, seedColumns }: BatchInput = workerData;
const drawer = new PoolDrawer(pool, model);

parentPort?.on("message", (batch: Batch) => parentPort?.postMessage(runBatch(batch)));

function runBatch({ seed, checks, rows, referenceRows, search }: Batch): BatchCounts {
  const random = new Random(seed);
  const taken = new Uint8Array(pool.rows); // 1: in the reference
  const referenceRowsDrawn = draw(random, referenceRows, taken);
  const reference = drawer.reference(referenceRowsDrawn);
  const sorted = search === undefined ? sortColumns(drawer.take(referenceRowsDrawn)) : new Map();
  const none = (): number[] => levels.map(() => 0);
  const counts: BatchCounts = { checks, shifted: none(), alarms: none(), faults: 0, seed: 0, seedOfAll: 0, sizes: [] };
  for (let check = 0; check < checks; check++) {
    const drawn = draw(random, rows, taken.slice());
    if (search !== undefined) counts.sizes.push(leastFound(reference, drawn, search, check));
    else countFindings(counts, reference, sorted, drawn, check);
  }
  return counts;
}

function countFindings(
  counts: BatchCounts,
  reference: DriftReference,
  sorted: SortedColumns,
  drawn: Uint32Array,
  seed: number,
): void {
  const measurement = measure(reference, drawn, seed);
  for (const [i, level] of levels.entries()) {
    const judged = judgeWindow(measurement, { level, floors: DEFAULT_FLOORS });
    counts.alarms[i] += +(judged.verdict === "drift");
    counts.shifted[i] += +isShifted(measurement, level);
  }
  counts.faults += +(measurement.faults.length > 0);
  const pValues = seedPValues(sorted, sortColumns(drawer.take(drawn)));
  const isDrift = (names: Iterable<string>): boolean =>
    [...names].some((name) => (pValues.get(name) as number) < SEED_LEVEL);
  counts.seed += +isDrift(seedColumns);
  counts.seedOfAll += +isDrift(pValues.keys());
}

/** By bisection: a window in which a change is found shows a larger one, too. */
function leastFound(
  reference: DriftReference,
  drawn: Uint32Array,
  { change, level }: NonNullable<Batch["search"]>,
  seed: number,
): number {
  const { column, most, apply } = CHANGES[change];
  let [least, found] = [0, most];
  for (let step = 0; step < STEPS; step++) {
    const size = (least + found) / 2;
    const measurement = measure(reference, drawn, seed, (values) =>
      apply(values.get(column) as Float32Array, size, new Random(seed, 1)),
    );
    const isFound = measurement.family.some(
      ({ subject, adjustedPValue }) => subject === column && adjustedPValue <= level,
    );
    if (isFound) found = size;
    else least = size;
  }
  return found;
}

function measure(
  reference: DriftReference,
  drawn: Uint32Array,
  seed: number,
  change?: (values: Map<string, Float32Array>) => void,
): WindowMeasurement {
  return measureWindow(reference, drawer.window(reference, drawn, change), {
    threshold: drawer.threshold,
    isNullable: (name) => drawer.isNullable(name),
    seed,
  });
}

const isShifted = ({ family }: WindowMeasurement, level: number): boolean =>
  family.some(({ adjustedPValue }) => adjustedPValue <= level);
