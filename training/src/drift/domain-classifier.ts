/**
 * Whether a model can tell current rows from those of the reference: the one test that sees several columns at once, such as
 * two that used to go together and no longer do.
 *
 * The split is honest: trees are grown on one half of the rows and judged on the other. Equal rows are on the same side of
 * it, as of one that is on both the forest would know the answer (rows drawn twice gave an AUC of .58 with no drift at all).
 *
 * @source Lopez-Paz & Oquab 2017, "Revisiting Classifier Two-Sample Tests"; Hediger, Michel & Näf 2022
 */
import { take } from "../data/take.ts";
import type { BinnedFeatures } from "../forest/binning.ts";
import { makeOwnKernel } from "../forest/own-kernel.ts";
import { TreeGrower } from "../forest/tree.ts";
import { LEAF, type Tree } from "../forest/tree-kernel.ts";
import { Random } from "../random.ts";
import { sampleRows } from "../sample.ts";
import { type MannWhitneyTest, testRanks } from "../statistics/mann-whitney.ts";
import { LEAST_ROWS } from "./drift-tests.ts";
import { MISSING_BYTE } from "./quantiser.ts";

/** Rows of each side. */
const MOST_ROWS = 2500;

const TREES = 50;
const PARAMETERS = { maxDepth: 8, minSamplesLeaf: 10, maxSamples: 0.6 };
/** Features tried per split, as a share: a change is often in one or two columns, which few tries would miss. */
const FEATURE_SHARE = 0.5;
const [REFERENCE_STREAM, CURRENT_STREAM] = [-1, -2]; // trees are numbered from 0

/**
 * @param reference Column after column, bytes of a `Quantiser`. @param current The same columns.
 * @returns undefined when there are too few rows
 */
export function classifyDomain(
  reference: readonly Uint8Array[],
  current: readonly Uint8Array[],
  seed: number,
): MannWhitneyTest | undefined {
  const domains = splitDomains(reference, current, seed);
  if (domains === undefined) return undefined;
  const [fitted, judged] = domains;
  return testRanks(scoreRows(growTrees(fitted, seed), judged.columns), judged.labels);
}

/** A weight above it would let one customer speak for so many. */
const MOST_WEIGHT = 20;

/**
 * How much likelier each of the reference's rows is among the current ones: with these weights the reference looks like
 * them. The trees that weigh a row have not seen it.
 *
 * @returns undefined when there are too few rows
 * @source Bickel, Brückner & Scheffer 2009, "Discriminative Learning Under Covariate Shift"
 */
export function domainWeights(
  reference: readonly Uint8Array[],
  current: readonly Uint8Array[],
  seed: number,
): Float64Array | undefined {
  const domains = splitDomains(reference, current, seed);
  if (domains === undefined) return undefined;
  const sides = hashRows(reference).map((hash) => hash & 1);
  const weights = new Float64Array(sides.length);
  for (const [side, fitted] of domains.entries()) {
    const rows = Uint32Array.from(sides.keys()).filter((row) => sides[row] !== side);
    const shares = scoreRows(growTrees(fitted, seed), takeAll(reference, rows));
    const now = fitted.labels.reduce((sum, label) => sum + label, 0);
    const odds = now / (fitted.labels.length - now);
    for (const [i, row] of rows.entries()) {
      const share = shares[i] / TREES;
      weights[row] = Math.min(MOST_WEIGHT, share / (1 - share) / odds);
    }
  }
  return weights;
}

/** Rows of the two domains. */
interface Rows {
  readonly columns: readonly Uint8Array[];
  /** 1 is current. */
  readonly labels: Uint8Array;
}

/** As many rows of each domain, in two sides; equal rows are on the same. */
function splitDomains(
  reference: readonly Uint8Array[],
  current: readonly Uint8Array[],
  seed: number,
): [Rows, Rows] | undefined {
  const size = Math.min(MOST_ROWS, reference[0].length, current[0].length);
  if (size < LEAST_ROWS) return undefined;
  const columns = joinSides(
    takeAll(reference, sampleRows(reference[0].length, size, new Random(seed, REFERENCE_STREAM))),
    takeAll(current, sampleRows(current[0].length, size, new Random(seed, CURRENT_STREAM))),
  );
  const labels = new Uint8Array(2 * size).fill(1, size);
  const sides = hashRows(columns).map((hash) => hash & 1);
  const of = (side: number): Rows => {
    const rows = Uint32Array.from(labels.keys()).filter((row) => sides[row] === side);
    return { columns: takeAll(columns, rows), labels: take(labels, rows) };
  };
  const both: [Rows, Rows] = [of(0), of(1)];
  // Columns of a few values only: all rows may be on one side, or all of one label.
  return both.every((side) => side.labels.includes(0) && side.labels.includes(1)) ? both : undefined;
}

const takeAll = (columns: readonly Uint8Array[], rows: Uint32Array): Uint8Array[] =>
  columns.map((values) => take(values, rows));

function joinSides(reference: readonly Uint8Array[], current: readonly Uint8Array[]): Uint8Array[] {
  return reference.map((values, f) => {
    const both = new Uint8Array(values.length + current[f].length);
    both.set(values);
    both.set(current[f], values.length);
    return both;
  });
}

/** FNV-1a over each row's bytes, finished by MurmurHash3's mixer. */
function hashRows(columns: readonly Uint8Array[]): Uint32Array {
  return Uint32Array.from(columns[0], (_, row) => {
    let hash = 0x811c9dc5;
    for (const values of columns) hash = Math.imul(hash ^ values[row], 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return hash ^ (hash >>> 13);
  });
}

/** Bytes are bins: each up to the greatest has a cut point after it, and the next is that of missing values. */
function growTrees({ columns, labels }: Rows, seed: number): Tree[] {
  const [nFeatures, nRows] = [columns.length, labels.length];
  const bins = new Uint8Array(nFeatures * nRows);
  const cutOffsets = new Uint32Array(nFeatures + 1);
  for (const [f, values] of columns.entries()) {
    const nCuts =
      1 + values.reduce((greatest, byte) => (byte === MISSING_BYTE ? greatest : Math.max(greatest, byte)), 0);
    cutOffsets[f + 1] = cutOffsets[f] + nCuts;
    bins.set(
      values.map((byte) => Math.min(byte, nCuts)),
      f * nRows,
    );
  }
  const features: BinnedFeatures = {
    nRows,
    nFeatures,
    bins,
    cutPoints: new Float32Array(cutOffsets[nFeatures]), // trees are walked by bins
    cutOffsets,
    hasMissing: new Uint8Array(nFeatures).fill(1),
  };
  const parameters = { ...PARAMETERS, featuresPerSplit: Math.ceil(FEATURE_SHARE * nFeatures) };
  const kernel = makeOwnKernel({ features, labels, scoredRows: new Uint32Array() }, parameters);
  const grower = new TreeGrower(kernel, parameters);
  return Array.from({ length: TREES }, (_, tree) => grower.grow(new Random(seed, tree)));
}

/** The sum over the trees of each row's leaf rate. */
function scoreRows(trees: readonly Tree[], columns: readonly Uint8Array[]): Float64Array {
  const scores = new Float64Array(columns[0].length);
  const nFeatures = columns.length;
  const bytes = new Uint8Array(nFeatures * scores.length); // a row's together
  for (const [f, values] of columns.entries()) {
    for (let row = 0; row < values.length; row++) bytes[row * nFeatures + f] = values[row];
  }
  const nodes = new Uint16Array(scores.length);
  for (const { feature, cut, missingRight, left, count, churners, depth } of trees) {
    // Bytes of (cut, cut + width] go right: all above the cut, or all but that of missing values. None does at a leaf, which
    // leads to itself: so all rows go down as far as the deepest, without a branch that would be mispredicted.
    const width = (node: number): number => MISSING_BYTE - (missingRight[node] === 0 ? 1 + cut[node] : 0);
    const widths = Uint8Array.from(feature, (f, node) => (f === LEAF ? 0 : width(node)));
    const features = feature.map((f) => (f === LEAF ? 0 : f));
    const next = left.map((child, node) => (feature[node] === LEAF ? node : child));
    nodes.fill(0);
    for (let level = 0; level < depth; level++) {
      for (let row = 0; row < nodes.length; row++) {
        const node = nodes[row];
        const above = bytes[row * nFeatures + features[node]] - cut[node] - 1; // in [0, width) goes right
        nodes[row] = next[node] + ((~above & (above - widths[node])) >>> 31);
      }
    }
    for (let row = 0; row < nodes.length; row++) scores[row] += churners[nodes[row]] / count[nodes[row]];
  }
  return scores;
}
