import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  ChurnError,
  decodeForest,
  encodeForest,
  type Forest,
  featureArray,
  leafMark,
  leafValues,
} from "../src/index.ts";
import { encodeSafetensors } from "../src/safetensors.ts";
import { randomForest, seededRandom } from "./random-forest.ts";

/**
 * Two trees over two features with two cuts and one:
 *
 *     node 0: feature 0 ── 1: leaf          node 5: feature 0 ── 6: leaf
 *                       └─ 2: feature 1 ── 3: leaf           └─ 7: leaf
 *                                       └─ 4: leaf
 */
const SOUND: Forest = {
  treeOffsets: Uint32Array.of(0, 5, 8),
  feature: Uint8Array.of(0, 255, 1, 255, 255, 0, 255, 255),
  cut: Uint8Array.of(0, 0, 1),
  missingRight: Uint8Array.of(0, 1, 0),
  count: Uint16Array.of(3, 4, 1, 2, 400),
  churners: Uint16Array.of(0, 1, 1, 1, 300),
  cutPoints: Float32Array.of(-1, 1, 7),
  cutOffsets: Uint32Array.of(0, 2, 3),
};

const decode = (forest: Forest): Forest => decodeForest(encodeForest(forest), "forest.safetensors");

test("gives back the forest it was given", () => {
  assert.deepEqual(decode(SOUND), SOUND);
});

test("gives back random forests, with node entries of one byte and of two", () => {
  const random = seededRandom(1);
  for (const nFeatures of [1, 7, 254, 255, 600]) {
    const forest = randomForest(random, { nTrees: 13, nFeatures, maxDepth: 8 });

    assert.deepEqual(decode(forest), forest);
  }
});

test("keeps counts of more than 16 bits", () => {
  const forest = { ...SOUND, count: Uint32Array.of(3, 4, 1, 2, 70_000), churners: Uint32Array.of(0, 1, 1, 1, 65_536) };

  assert.deepEqual(decode(forest), forest);
});

test("a leaf's value is its share of churners, as a float32", () => {
  assert.deepEqual(leafValues(SOUND), Float32Array.of(0, 0.25, 1, 0.5, 0.75));
});

test("uses the narrowest entries that can name every feature and a leaf", () => {
  assert.deepEqual([featureArray(1, 254), featureArray(1, 255)], [new Uint8Array(1), new Uint16Array(1)]);
  assert.deepEqual([leafMark(new Uint8Array()), leafMark(new Uint16Array())], [255, 65_535]);
});

const without = (array: Uint8Array): Uint8Array => array.slice(0, -1);

const LIES: readonly (readonly [string, Partial<Forest>, RegExp])[] = [
  ["no tree", { treeOffsets: Uint32Array.of(0) }, /tree offsets do not fit/],
  ["no tree offsets", { treeOffsets: new Uint32Array() }, /tree offsets do not fit/],
  ["trees that start late", { treeOffsets: Uint32Array.of(1, 5, 8) }, /tree offsets do not fit/],
  ["trees that end early", { treeOffsets: Uint32Array.of(0, 5, 7) }, /tree offsets do not fit/],
  ["trees that end late", { treeOffsets: Uint32Array.of(0, 5, 9) }, /tree offsets do not fit/],
  ["tree offsets that fall", { treeOffsets: Uint32Array.of(0, 5, 3, 8) }, /tree 1 has no nodes/],
  ["an empty tree", { treeOffsets: Uint32Array.of(0, 5, 5, 8) }, /tree 1 has no nodes/],
  [
    "a tree of more nodes than there are",
    { treeOffsets: Uint32Array.of(0, 99, 8) },
    /tree 0: node 5 is nobody's child/,
  ],
  ["a tree cut short", { treeOffsets: Uint32Array.of(0, 4, 8) }, /tree 0: expected 5 nodes, got 4/],
  ["a tree with a node too many", { treeOffsets: Uint32Array.of(0, 6, 8) }, /tree 0: node 5 is nobody's child/],
  ["no feature", { cutOffsets: Uint32Array.of(0), cutPoints: new Float32Array() }, /cut offsets do not fit/],
  ["cut offsets that start late", { cutOffsets: Uint32Array.of(1, 2, 3) }, /cut offsets do not fit/],
  ["cut offsets that end early", { cutOffsets: Uint32Array.of(0, 2, 2) }, /cut offsets do not fit/],
  ["cut points that fall", { cutPoints: Float32Array.of(1, -1, 7) }, /the cut points of feature 0 do not rise/],
  ["cut offsets that fall", { cutOffsets: Uint32Array.of(0, 4, 3) }, /cut offsets do not rise/],
  [
    "a feature out of range",
    { feature: Uint8Array.of(0, 255, 2, 255, 255, 0, 255, 255) },
    /tree 0: node 2 reads feature 2 of 2/,
  ],
  ["a cut out of range", { cut: Uint8Array.of(0, 1, 1) }, /tree 0: node 2 has no such cut point/],
  ["a cut too few", { cut: without(SOUND.cut) }, /node counts do not fit/],
  ["nine directions too many", { missingRight: new Uint8Array(12) }, /node counts do not fit/],
  ["a leaf's churners too few", { churners: SOUND.churners.slice(1) }, /node counts do not fit/],
  ["more leaves than nodes", { count: new Uint16Array(20), churners: new Uint16Array(20) }, /node counts do not fit/],
  ["a leaf too few", { count: SOUND.count.slice(1), churners: SOUND.churners.slice(1) }, /tree offsets do not fit/],
  ["a cut point that is no number", { cutPoints: Float32Array.of(-1, 1, Number.NaN) }, /cut point is not a finite/],
  ["a cut point at infinity", { cutPoints: Float32Array.of(-1, Infinity, 7) }, /cut point is not a finite number/],
  ["an empty leaf", { count: SOUND.count.with(2, 0) }, /leaf 2 holds no rows/],
  ["more churners than rows", { churners: SOUND.churners.with(3, 3) }, /leaf 3 holds 3 churners of 2 rows/],
];

describe("refuses a forest with", () => {
  for (const [name, change, message] of LIES) {
    test(name, () => {
      assert.throws(
        () => decode({ ...SOUND, ...change }),
        (error) => {
          assert(error instanceof ChurnError, String(error));
          assert.equal(error.code, "CHURN_ERR_MODEL_INVALID");
          assert.match(error.message, /^forest\.safetensors: /);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  test("a tensor of another type", () => {
    const file = encodeSafetensors({ feature: Float32Array.of(0, 5, 8) });

    assert.throws(() => decodeForest(file, "f"), /f: tensor "feature" is missing or of another type/);
  });
});
