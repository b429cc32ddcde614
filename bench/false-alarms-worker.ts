/** A thread of the false-alarm bench: one reference, and checks of windows against it in which nothing has changed. */
import { parentPort, workerData } from "node:worker_threads";
import { judgeWindow, measureWindow, type WindowMeasurement } from "../training/src/drift/check.ts";
import { DEFAULT_FLOORS } from "../training/src/drift/harm.ts";
import { Random } from "../training/src/random.ts";
import { type Pool, PoolDrawer } from "./drift-pool.ts";

export interface BatchInput {
  readonly pool: Pool;
  readonly model: string;
  readonly levels: readonly number[];
}

export interface Batch {
  readonly seed: number;
  readonly checks: number;
  /** Rows of each window, and of the reference. */
  readonly rows: number;
  readonly referenceRows: number;
}

export interface BatchCounts {
  readonly checks: number;
  /** By level. */
  readonly shifted: number[];
  readonly alarms: number[];
  /** Windows in which a fault of the data was seen. */
  faults: number;
  /** Windows in which any column's Kolmogorov–Smirnov test has p < 0.05: the rule that most begin with. */
  naive: number;
}

const { pool, model, levels }: BatchInput = workerData;
const drawer = new PoolDrawer(pool, model);

parentPort?.on("message", (batch: Batch) => parentPort?.postMessage(runBatch(batch)));

function runBatch({ seed, checks, rows, referenceRows }: Batch): BatchCounts {
  const random = new Random(seed);
  const taken = new Uint8Array(pool.rows); // 1: in the reference
  const reference = drawer.reference(draw(random, referenceRows, taken));
  const counts: BatchCounts = {
    checks,
    shifted: levels.map(() => 0),
    alarms: levels.map(() => 0),
    faults: 0,
    naive: 0,
  };
  for (let check = 0; check < checks; check++) {
    const own = taken.slice();
    const window = drawer.window(reference, draw(random, rows, own));
    const settings = {
      threshold: drawer.threshold,
      isNullable: (name: string) => drawer.isNullable(name),
      seed: check,
    };
    const measurement = measureWindow(reference, window, settings);
    for (const [i, level] of levels.entries()) {
      const judged = judgeWindow(measurement, { level, floors: DEFAULT_FLOORS });
      counts.alarms[i] += +(judged.verdict === "drift");
      counts.shifted[i] += +isShifted(measurement, level);
    }
    counts.faults += +(measurement.faults.length > 0);
    counts.naive += +measurement.family.some(
      ({ test, pValue = 1 }) => (test === "kolmogorov_smirnov" || test === "chi_square") && pValue < 0.05,
    );
  }
  return counts;
}

const isShifted = ({ family }: WindowMeasurement, level: number): boolean =>
  family.some(({ adjustedPValue }) => adjustedPValue <= level);

/** Different rows that nobody has taken, which are taken then. */
function draw(random: Random, rows: number, taken: Uint8Array): Uint32Array {
  const drawn = new Uint32Array(rows);
  for (let i = 0; i < rows; ) {
    const row = random.integer(taken.length);
    if (taken[row] === 1) continue;
    taken[row] = 1;
    drawn[i++] = row;
  }
  return drawn;
}
