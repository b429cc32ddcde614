/**
 * A model small enough to check by hand, written as training would write it: a made-up gym's members and
 * two trees. Also used by the tests in `e2e/` that start the real process.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatasetSpecification, Forest, ModelContent } from "@churn/contract";
import { FORMAT_VERSION, writeModelDirectory } from "@churn/contract";

export const GYM: DatasetSpecification = {
  name: "gym",
  description: "Members of a made-up gym.",
  key: "member",
  time: "seen_on",
  target: { column: "left", positive: "yes", horizonDays: 30 },
  columns: {
    member: { type: "text" },
    seen_on: { type: "date" },
    full_name: { type: "text", role: "identity" },
    visits: { type: "number", minimum: 0, maximum: 40, unit: "per month", description: "Visits." },
    lockers: { type: "integer", minimum: 0, maximum: 3 },
    trainer: { type: "boolean" },
    tariff: { type: "category", values: ["day", "full"], nullable: true },
    weight: { type: "number", nullable: true, sensitive: true },
    left: { type: "category", values: ["yes", "no"] },
  },
  features: { fading: "visits < 2 && !trainer" },
};

/** A valid request with nothing missing. */
export const MEMBER = { visits: 6.5, lockers: 1, trainer: false, tariff: "full", weight: 71.3 };

/**
 * Features: visits 0, lockers 1, trainer 2, tariff 3, weight 4, fading 5. Two trees:
 *
 *     visits > 4 ? 0.1 : tariff is "full" ? 0.7 : 0.9 (also when unknown)      fading ? 0.6 : 0.2
 *
 * As float32 leaves their means are no short decimals, which is what a test of exact doubles needs.
 */
const FOREST: Forest = {
  treeOffsets: Uint32Array.of(0, 5, 8),
  feature: Uint8Array.of(0, 3, 0xff, 0xff, 0xff, 5, 0xff, 0xff),
  cut: Uint8Array.of(0, 0, 0),
  missingRight: Uint8Array.of(1, 0, 0),
  count: Uint16Array.of(10, 10, 10, 10, 10),
  churners: Uint16Array.of(1, 9, 7, 2, 6),
  cutPoints: Float32Array.of(4, 0.5, 0.5),
  cutOffsets: Uint32Array.of(0, 1, 1, 1, 2, 2, 3),
};

const mean = (a: number, b: number): number => (Math.fround(a) + Math.fround(b)) / 2;

/** What the two trees say of `MEMBER`, and of a fading member on a day tariff. */
export const P_MEMBER = mean(0.1, 0.2);
export const P_FADING_DAY = mean(0.9, 0.6);

const CONTENT: ModelContent = {
  formatVersion: FORMAT_VERSION,
  name: "gym-churn",
  dataset: GYM,
  features: [
    { name: "visits", kind: "number" },
    { name: "lockers", kind: "number" },
    { name: "trainer", kind: "number" },
    { name: "tariff", kind: "category" },
    { name: "weight", kind: "number" },
    { name: "fading", kind: "number", expression: "visits < 2 && !trainer" },
  ],
  encodings: { tariff: ["day", "full"] },
  forest: { nEstimators: 2, maxDepth: 2, minSamplesLeaf: 1, maxSamples: 1, maxFeatures: 3, maxBins: 255, nNodes: 8 },
  calibration: { method: "none", logLoss: {}, reason: "Made up." },
  calibrationError: { ece: 0.02, noise: { mean: 0.01, high: 0.03 } },
  threshold: { value: 0.3, method: "f1", reason: "Made up." },
  metrics: { roc_auc: { value: 0.8, low: 0.75, high: 0.85 } },
  confusionMatrix: { truePositives: 5, falsePositives: 2, falseNegatives: 3, trueNegatives: 10 },
  baselines: { base_rate: { roc_auc: { value: 0.5, low: 0.5, high: 0.5 } } },
  slices: [],
  reference: {
    features: { visits: { kind: "number", missing: 0, mean: 8, quantiles: [0, 8, 40] } },
    scores: [0.15, 0.75],
  },
  inputExample: MEMBER,
  lineage: {
    data: { sha256: "00".repeat(32), rows: 100, trainingRows: 80 },
    seed: 42,
    files: ["/home/somebody/gym.csv"],
    code: { commit: null, contractTree: null, trainingTree: null, lockfileSha256: null, modified: null },
    engine: { node: "26.10.0" },
    created: "2026-11-23T20:45:00.000Z",
    durationMs: 12.5,
  },
};

/**
 * A model directory in a temporary folder of its own; `remove` deletes it.
 *
 * @param created Makes another version of the same model.
 */
export function writeTinyModel(created: string = CONTENT.lineage.created): {
  readonly directory: string;
  remove(): void;
} {
  const folder = mkdtempSync(join(tmpdir(), "churn-serving-"));
  const directory = join(folder, "model");
  const content = { ...CONTENT, lineage: { ...CONTENT.lineage, created } };
  writeModelDirectory(
    directory,
    content,
    { forest: FOREST, reference: new Uint8Array() },
    ({ version }) => `# gym-churn ${version}\n`,
  );
  return { directory, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
