import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  CARD_FILE,
  ChurnError,
  contentHash,
  type ErrorCode,
  FOREST_FILE,
  FORMAT_VERSION,
  type Forest,
  MANIFEST_FILE,
  Model,
  type ModelContent,
  type ModelManifest,
  REFERENCE_FILE,
  readModelDirectory,
  writeModelDirectory,
} from "../src/index.ts";

/** visits > 4 ? 0.1 : (plan > "day" ? 0.7 : 0.9) */
const FOREST: Forest = {
  treeOffsets: Uint32Array.of(0, 5),
  feature: Uint8Array.of(0, 1, 255, 255, 255),
  cut: Uint8Array.of(0, 0),
  missingRight: Uint8Array.of(1, 0),
  count: Uint16Array.of(10, 10, 10),
  churners: Uint16Array.of(1, 9, 7),
  cutPoints: Float32Array.of(4, 0.5),
  cutOffsets: Uint32Array.of(0, 1, 2),
};

/** Whoever checks for drift knows what is in it; to the directory it is bytes. */
const REFERENCE = Uint8Array.of(1, 2, 3);

const CONTENT: ModelContent = {
  formatVersion: FORMAT_VERSION,
  name: "gym-churn",
  dataset: {
    name: "gym",
    target: { column: "left", positive: "yes" },
    columns: { visits: { type: "number" }, plan: { type: "category" }, left: { type: "category" } },
  },
  features: [
    { name: "visits", kind: "number" },
    { name: "plan", kind: "category" },
  ],
  encodings: { plan: ["day", "full"] },
  forest: { nEstimators: 1, maxDepth: 2, minSamplesLeaf: 1, maxSamples: 1, maxFeatures: 2, maxBins: 255, nNodes: 5 },
  calibration: { method: "none", logLoss: {}, reason: "Made up." },
  calibrationError: { ece: 0.02, noise: { mean: 0.01, high: 0.03 } },
  threshold: { value: 0.8, method: "f1", reason: "Made up." },
  metrics: { roc_auc: { value: 0.8, low: 0.75, high: 0.85 } },
  confusionMatrix: { truePositives: 5, falsePositives: 2, falseNegatives: 3, trueNegatives: 10 },
  baselines: {},
  slices: [],
  reference: { features: {}, scores: [] },
  inputExample: { visits: 6, plan: "full" },
  lineage: {
    data: { sha256: "00".repeat(32), rows: 100, trainingRows: 80 },
    seed: 42,
    files: ["gym.csv"],
    code: { commit: null, contractTree: null, trainingTree: null, lockfileSha256: null, modified: null },
    engine: { node: "26.10.0" },
    created: "2026-11-23T20:45:00.123Z",
    durationMs: 12.5,
  },
};

const OTHER: ModelContent = { ...CONTENT, lineage: { ...CONTENT.lineage, seed: 43 } };

let folder: string;
let directory: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "churn-model-"));
  directory = join(folder, "best_model");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (content: ModelContent = CONTENT, path: string = directory): ModelManifest =>
  writeModelDirectory(path, content, { forest: FOREST, reference: REFERENCE }, ({ version }) => `# ${version}\n`);

/** Names and bytes of everything in the folder. */
function everything(): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path}: ${entry.isFile() ? readFileSync(path, "base64") : "folder"}`;
    })
    .sort();
}

function fails(work: () => unknown, code: ErrorCode, message: RegExp): void {
  assert.throws(work, (error) => {
    assert(error instanceof ChurnError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert(!error.message.includes("\n"), "expected one line");
    return true;
  });
}

describe("writing a model", () => {
  test("leaves three files that read back as they were given", () => {
    const manifest = write();

    const files = readModelDirectory(directory);

    assert.deepEqual(readdirSync(directory).sort(), [CARD_FILE, FOREST_FILE, MANIFEST_FILE, REFERENCE_FILE]);
    assert.deepEqual(files.manifest, manifest);
    assert.deepEqual(files.forest, FOREST);
    assert.deepEqual(
      files.features.map(({ name }) => name),
      ["visits", "plan"],
    );
    assert.equal(readFileSync(join(directory, CARD_FILE), "utf8"), `# ${manifest.version}\n`);
  });

  test("names the version after the time and the content", () => {
    const { version, contentSha256 } = write();

    assert.equal(version, `20261123T204500Z-${contentSha256.slice(0, 8)}`);
  });

  test("makes the folders on the way, and leaves nothing beside", () => {
    write(CONTENT, join(folder, "a", "b", "model"));
    write(OTHER, join(folder, "a", "b", "model"));

    assert.deepEqual(readdirSync(join(folder, "a", "b")), ["model"]);
  });

  test("replaces the model that is there", () => {
    const first = write();
    const second = write(OTHER);

    assert.notEqual(first.contentSha256, second.contentSha256);
    assert.equal(readModelDirectory(directory).manifest.version, second.version);
  });

  const SAME: readonly (readonly [string, Partial<ModelContent["lineage"]>])[] = [
    ["whenever it was made", { created: "2027-01-01T00:00:00.000Z" }],
    ["however long it took", { durationMs: 9_999 }],
    ["on any engine", { engine: { node: "27.0.0" } }],
    ["from files of any name", { files: ["a.csv", "b.csv"] }],
    ["by any commit", { code: { ...CONTENT.lineage.code, commit: "abc" } }],
  ];
  for (const [name, change] of SAME) {
    test(`gives the same content the same hash ${name}`, () => {
      const changed = { ...CONTENT, lineage: { ...CONTENT.lineage, ...change } };

      assert.equal(write(changed).contentSha256, write().contentSha256);
    });
  }

  const OTHERS: readonly (readonly [string, Partial<ModelContent>])[] = [
    ["data", { lineage: { ...CONTENT.lineage, data: { ...CONTENT.lineage.data, sha256: "11".repeat(32) } } }],
    ["seed", { lineage: { ...CONTENT.lineage, seed: 43 } }],
    ["encodings", { encodings: { plan: ["full", "day"] } }],
    ["threshold", { threshold: { ...CONTENT.threshold, value: 0.81 } }],
    ["specification", { dataset: { ...CONTENT.dataset, description: "Another." } }],
    ["metrics", { metrics: {} }],
  ];
  for (const [name, change] of OTHERS) {
    test(`gives other ${name} another hash`, () => {
      assert.notEqual(contentHash({ ...CONTENT, ...change }, {}), contentHash(CONTENT, {}));
    });
  }
  for (const file of [FOREST_FILE, REFERENCE_FILE]) {
    test(`gives another ${file} another hash`, () => {
      assert.notEqual(contentHash(CONTENT, { [file]: "11".repeat(32) }), contentHash(CONTENT, {}));
    });
  }
});

describe("writing a model refuses, and touches nothing,", () => {
  test("a path where a file is", () => {
    writeFileSync(directory, "precious");
    const before = everything();

    fails(write, "CHURN_ERR_OPTION_INVALID", /best_model: expected a model directory or nothing, .* got a file: name/);
    assert.deepEqual(everything(), before);
  });

  test("a folder that holds something else, even beside a model", () => {
    write();
    writeFileSync(join(directory, "thesis.txt"), "precious");
    const before = everything();

    fails(
      () => write(OTHER),
      "CHURN_ERR_OPTION_INVALID",
      /got a folder that also holds "thesis.txt": name another path/,
    );
    assert.deepEqual(everything(), before);
  });

  test("a path inside a file", () => {
    writeFileSync(join(folder, "file"), "precious");
    const before = everything();

    fails(
      () => write(CONTENT, join(folder, "file", "model")),
      "CHURN_ERR_FILE_UNWRITABLE",
      /the model could not be written/,
    );
    assert.deepEqual(everything(), before);
  });

  test("a target it cannot write beside, leaving the old model whole", () => {
    // Its name fits a file system, that of the directory written aside does not.
    write();
    const long = join(folder, "m".repeat(250));
    renameSync(directory, long);
    const before = everything();

    fails(() => write(OTHER, long), "CHURN_ERR_FILE_UNWRITABLE", /the model could not be written: .*ENAMETOOLONG/);
    assert.deepEqual(everything(), before);
    assert.equal(readModelDirectory(long).manifest.lineage.seed, 42);
  });

  test("a card that cannot be made", () => {
    write();
    const before = everything();

    assert.throws(() =>
      writeModelDirectory(directory, OTHER, { forest: FOREST, reference: REFERENCE }, () => {
        throw new Error("no card");
      }),
    );
    assert.deepEqual(everything(), before);
  });

  test("nothing, when an empty folder is there", () => {
    mkdirSync(directory);

    assert.equal(write().name, "gym-churn");
  });
});

test("a reader finds one whole model or the other while a writer keeps replacing them", async () => {
  const [first, second, done] = ["first", "second", "done"].map((name) => join(folder, name));
  const versions = [write(CONTENT, first), write(OTHER, second), write(CONTENT)].map(({ version }) => version);
  const writer = spawn(process.execPath, ["--input-type=module", "-e", WRITER, INDEX, directory, first, second, done]);
  const exit = once(writer, "exit");

  let reads = 0;
  for (; !existsSync(done); reads++) assert(versions.includes(readModelDirectory(directory).manifest.version));

  assert.deepEqual(await exit, [0, null]);
  assert(reads > 20, `${reads} reads`);
});

const INDEX = new URL("../src/index.ts", import.meta.url).href;
const WRITER = `
  import { writeFileSync } from "node:fs";
  const [index, directory, first, second, done] = process.argv.slice(1);
  const { readModelDirectory, writeModelDirectory } = await import(index);
  const models = [first, second].map(readModelDirectory);
  for (let i = 0; i < 100; i++) writeModelDirectory(directory, models[i % 2].manifest, models[i % 2], () => "");
  writeFileSync(done, "");
`;

describe("after a writer was killed", () => {
  const deadPid = (): number => spawnSync(process.execPath, ["--version"]).pid;
  const aside = (pid: number | string): string => join(folder, `.best_model.new-${pid}`);

  test("the next one removes its unfinished directory", () => {
    write();
    const unfinished = aside(deadPid());
    mkdirSync(unfinished);
    writeFileSync(join(unfinished, FOREST_FILE), "half");
    writeFileSync(join(folder, "unrelated"), "");

    write(OTHER);

    assert.deepEqual(readdirSync(folder).sort(), ["best_model", "unrelated"]);
  });

  test("the next one leaves the directory of a writer that still runs, and of another model", () => {
    mkdirSync(aside(process.ppid));
    mkdirSync(join(folder, ".other.new-1"));

    write();

    assert.deepEqual(readdirSync(folder).sort(), [basename(aside(process.ppid)), ".other.new-1", "best_model"].sort());
  });

  for (const end of ["", "/"]) {
    test(`between the two renames, a reader of "best_model${end}" finds the old model`, () => {
      const { version } = write();
      renameSync(directory, `${directory}.replaced`);

      assert.equal(readModelDirectory(directory + end).manifest.version, version);
    });
  }

  test("between the two renames, the next writer puts its model in place and cleans up", () => {
    write();
    renameSync(directory, `${directory}.replaced`);

    const { version } = write(OTHER);

    assert.equal(readModelDirectory(directory).manifest.version, version);
    assert.deepEqual(readdirSync(folder), ["best_model"]);
  });
});

describe("reading a model refuses, in one line that names the file,", () => {
  const invalid = (message: RegExp): void => fails(() => Model.load(directory), "CHURN_ERR_MODEL_INVALID", message);
  const edit = (change: (manifest: Record<string, never>) => unknown): void => {
    const path = join(directory, MANIFEST_FILE);
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")))));
  };
  /** Changes the manifest and signs it anew: only checks of the content itself can find it. */
  const forge = (change: Record<string, unknown>): void =>
    edit((manifest) => {
      const forged = { ...(manifest as unknown as ModelManifest), ...change };
      const contentSha256 = contentHash(forged, forged.files);
      return { ...forged, contentSha256, version: `20261123T204500Z-${contentSha256.slice(0, 8)}` };
    });

  test("a path where nothing is", () => {
    invalid(/best_model: no such model directory: train a model first, or name one that exists$/);
  });

  test("a name that no directory can have", () => {
    const long = join(folder, "x".repeat(300));
    fails(() => readModelDirectory(long), "CHURN_ERR_MODEL_INVALID", /x: no such model directory/);
  });

  test("a file", () => {
    writeFileSync(directory, "");
    invalid(/best_model: model\.json: missing or unreadable/);
  });

  for (const name of [MANIFEST_FILE, FOREST_FILE, REFERENCE_FILE, CARD_FILE]) {
    const here = name.replace(".", "\\.");

    test(`a missing ${name}`, () => {
      write();
      rmSync(join(directory, name));
      invalid(new RegExp(`best_model: ${here}: missing or unreadable`));
    });

    for (const length of [0, 1, 7]) {
      test(`a ${name} cut to ${length} bytes`, () => {
        write();
        truncateSync(join(directory, name), length);
        invalid(new RegExp(`best_model: ${here}: (expected sha256 \\w{12}…, got \\w{12}…|not valid JSON)`));
      });
    }
  }

  for (const name of [FOREST_FILE, REFERENCE_FILE, CARD_FILE]) {
    test(`one changed bit of ${name}`, () => {
      write();
      const bytes = readFileSync(join(directory, name));
      bytes[bytes.length - 1] ^= 1;
      writeFileSync(join(directory, name), bytes);
      invalid(new RegExp(`${name.replace(".", "\\.")}: expected sha256`));
    });
  }

  for (const [name, change] of [
    ["threshold", { threshold: { ...CONTENT.threshold, value: 0 } }],
    ["encoding", { encodings: { plan: ["full", "day"] } }],
    ["content hash", { contentSha256: "00".repeat(32) }],
    ["version", { version: "20261123T204500Z-00000000" }],
    ["seed", { lineage: OTHER.lineage }],
  ] as const) {
    test(`a ${name} that was edited in model.json`, () => {
      write();
      edit((manifest) => ({ ...manifest, ...change }));
      invalid(/best_model: model\.json: expected (content hash|version) /);
    });
  }

  for (const [got, formatVersion] of [
    ["1", 1],
    ["0", 0],
    ['"3"', "3"],
    ["null", null],
    ["none", undefined],
  ] as const) {
    test(`the format version ${got}`, () => {
      write();
      edit((manifest) => ({ ...manifest, formatVersion }));
      invalid(new RegExp(`best_model: model\\.json: expected formatVersion 3, got ${got}`));
    });
  }

  test("the format of another churn, with what to do", () => {
    write();
    for (const [formatVersion, advice] of [
      [1, /an older churn wrote it: train the model anew$/],
      [4, /a newer churn wrote it: use that one$/],
    ] as const) {
      edit((manifest) => ({ ...manifest, formatVersion }));
      invalid(advice);
    }
  });

  for (const value of [null, [], "model", 1]) {
    test(`a model.json that is ${JSON.stringify(value)}`, () => {
      write();
      edit(() => value);
      invalid(/model\.json: expected formatVersion 3, got none/);
    });
  }

  for (const [name, change] of [
    ["no code", { code: undefined }],
    ["a code whose commit is a number", { code: { ...CONTENT.lineage.code, commit: 5 } }],
    ["no engine", { engine: undefined }],
    ["no duration", { durationMs: undefined }],
    ["a created that is no time", { created: "never" }],
    ["another time than its version's", { created: "2026-11-23T20:45:01Z" }],
  ] as const) {
    test(`a lineage with ${name}`, () => {
      write();
      edit((manifest) => ({ ...manifest, lineage: { ...CONTENT.lineage, ...change } }));
      invalid(/model\.json: (incomplete|expected version )/);
    });
  }

  for (const field of ["version", "contentSha256", "files", "features", "encodings", "threshold", "lineage"]) {
    for (const value of [undefined, null]) {
      test(`a model.json whose ${field} is ${value}`, () => {
        write();
        edit((manifest) => ({ ...manifest, [field]: value }));
        invalid(/best_model: model\.json: incomplete/);
      });
    }
  }

  for (const [name, change] of [
    ["lists another file", (files: object) => ({ ...files, "../secret": "00" })],
    ["does not list the card", ({ [CARD_FILE]: _, ...others }: Record<string, unknown>) => others],
    ["lists no file", () => ({})],
  ] as const) {
    test(`a model.json that ${name}`, () => {
      write();
      edit((manifest) => ({ ...manifest, files: change(manifest.files) }));
      invalid(
        /best_model: model\.json: expected the files MODEL_CARD\.md, forest\.safetensors, reference\.safetensors, got /,
      );
    });
  }

  const FORGERIES: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ["features in another order", { features: CONTENT.features.toReversed() }, /model\.json: the features differ/],
    ["a category without an encoding", { encodings: {} }, /model\.json: no encoding for the category "plan"/],
    [
      "a calibration that falls",
      { calibration: { method: "sigmoid", slope: -1, intercept: 0 } },
      /\/calibration: .*-1/,
    ],
    ["no threshold's value", { threshold: {} }, /\/threshold\/value: expected a number, got undefined/],
    ["a threshold in a text", { threshold: { value: "0.8" } }, /\/threshold\/value: expected a number, got "0\.8"/],
    ["a threshold of null", { threshold: { value: null } }, /\/threshold\/value: expected a number, got null/],
    ["a specification with a fault", { dataset: { ...CONTENT.dataset, name: 7 } }, /model\.json: \/name: expected/],
    [
      "an unknown function",
      { dataset: { ...CONTENT.dataset, features: { f: "system(1)" } } },
      /model\.json: \/features\/f: unknown function "system"/,
    ],
    [
      "a feature that the forest does not have",
      {
        dataset: { ...CONTENT.dataset, features: { twice: "2 * visits" } },
        features: [...CONTENT.features, { name: "twice", kind: "number", expression: "2 * visits" }],
      },
      /forest\.safetensors: expected 3 features, got 2/,
    ],
  ];
  for (const [name, change, message] of FORGERIES) {
    test(`${name}, signed anew`, () => {
      write();
      forge(change);
      invalid(message);
    });
  }

  test("nothing else: a model that is whole predicts and decides", () => {
    write();
    const model = Model.load(directory);

    const probability = model.predictRow({ visits: 1, plan: "day" });

    assert.equal(probability, Math.fround(0.9));
    assert.deepEqual([model.decide(probability), model.decide(0.8), model.decide(0.79)], [1, 1, 0]);
    assert(existsSync(directory));
  });
});
