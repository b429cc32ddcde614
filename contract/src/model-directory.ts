/**
 * The model directory: the one thing that crosses from training to serving.
 *
 * It is written aside and swapped in, so that a reader finds either the old model or the new one, whole,
 * and a writer that is killed leaves the old one. Reading verifies everything before use: format version,
 * checksums, the forest's indices, and that features, encodings and forest fit each other.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { asidePath, isFolder, makeFolders, removeAbandoned } from "./aside.ts";
import { calibrationFault } from "./calibration.ts";
import { parseDataset } from "./dataset.ts";
import { ChurnError } from "./errors.ts";
import { compileFeatures, type Feature } from "./features.ts";
import { decodeForest, encodeForest, type Forest } from "./forest.ts";
import {
  CARD_FILE,
  contentHash,
  FOREST_FILE,
  FORMAT_VERSION,
  isLineage,
  MANIFEST_FILE,
  type ModelContent,
  type ModelManifest,
  modelVersion,
  REFERENCE_FILE,
  sha256,
} from "./manifest.ts";
import { describeValue } from "./schema-issues.ts";

/** What a verified directory holds. */
export interface ModelFiles {
  readonly manifest: ModelManifest;
  readonly features: readonly Feature[];
  readonly forest: Forest;
  /** The bytes of the drift reference; a model that has not been written may have none. */
  readonly reference?: Uint8Array;
  /** The model card, in Markdown; a model that has not been written has none. */
  readonly card?: string;
}

/** Where the old directory waits during a swap. */
const replacedPath = (directory: string): string => `${directory}.replaced`;

/**
 * Checks that a model may be written to a path: that nothing is there, or nothing but a model. What is there
 * will be deleted.
 *
 * @throws CHURN_ERR_OPTION_INVALID
 */
export function checkReplaceable(path: string): void {
  if (path.trim() === "") {
    throw new ChurnError("CHURN_ERR_OPTION_INVALID", "expected the path of a model directory, got an empty one");
  }
  checkHoldsModel(resolve(path), path);
  const replaced = replacedPath(resolve(path)); // the swap clears this one too
  checkHoldsModel(replaced, replaced);
}

/** @param path As the message names it. */
function checkHoldsModel(directory: string, path: string): void {
  if (!existsSync(directory)) return;
  const got = foreignContent(directory);
  if (got === undefined) return;
  throw new ChurnError(
    "CHURN_ERR_OPTION_INVALID",
    `${path}: expected a model directory or nothing, as it is going to be replaced, got ${got}: name another path`,
  );
}

/** What a path holds that is no model, in words. */
function foreignContent(directory: string): string | undefined {
  if (!isFolder(directory)) return "a file";
  try {
    const foreign = readdirSync(directory).find((name) => !MODEL_FILES.includes(name));
    return foreign && `a folder that also holds "${foreign}"`;
  } catch (cause) {
    return `a folder that cannot be read (${(cause as Error).message})`;
  }
}

/** What a model directory holds, and nothing else. */
export const MODEL_FILES: readonly string[] = [MANIFEST_FILE, FOREST_FILE, REFERENCE_FILE, CARD_FILE];

/** What of a model is in files of its own. */
export interface ModelTensors {
  readonly forest: Forest;
  /** As a file. */
  readonly reference: Uint8Array;
}

/**
 * Writes a model directory, replacing the one that may be there.
 *
 * @param card Makes the MODEL_CARD.md from the finished facts.
 * @throws CHURN_ERR_FILE_UNWRITABLE; CHURN_ERR_OPTION_INVALID when something else than a model is there
 */
export function writeModelDirectory(
  path: string,
  content: ModelContent,
  { forest, reference }: ModelTensors,
  card: (manifest: ModelManifest) => string,
): ModelManifest {
  checkReplaceable(path);
  const forestFile = encodeForest(forest);
  const files = { [FOREST_FILE]: sha256(forestFile), [REFERENCE_FILE]: sha256(reference) };
  const normal = JSON.parse(JSON.stringify(content)) as ModelContent; // as a reader will see it
  const contentSha256 = contentHash(normal, files);
  const { formatVersion, name, ...rest } = normal;
  const version = modelVersion(normal.lineage.created, contentSha256);
  const draft: ModelManifest = {
    formatVersion,
    name,
    version,
    contentSha256,
    files,
    ...rest,
  };
  const cardText = card(draft);
  const manifest = { ...draft, files: { ...draft.files, [CARD_FILE]: sha256(cardText) } };

  return replaceDirectory(
    path,
    modelDirectoryFiles(manifest, { forest: forestFile, reference }, cardText),
    () => manifest,
  );
}

/** The files of a model directory, by their names. */
export function modelDirectoryFiles(
  manifest: ModelManifest,
  { forest, reference }: { readonly forest: Uint8Array; readonly reference: Uint8Array },
  card: string,
): Record<string, string | Uint8Array> {
  return {
    [FOREST_FILE]: forest,
    [REFERENCE_FILE]: reference,
    [CARD_FILE]: card,
    [MANIFEST_FILE]: `${JSON.stringify(manifest, null, 2)}\n`,
  };
}

/**
 * Writes a model directory from the files of another, replacing the one that may be there.
 *
 * @throws CHURN_ERR_MODEL_INVALID when they are no whole model, CHURN_ERR_FILE_UNWRITABLE, CHURN_ERR_OPTION_INVALID
 */
export function installModelDirectory(path: string, files: Readonly<Record<string, Uint8Array>>): ModelFiles {
  checkReplaceable(path);
  return replaceDirectory(path, files, (aside) => readVerified(path, aside));
}

/** Writes the files aside, looks at them there, and swaps them in. @returns what `look` returns */
function replaceDirectory<T>(
  path: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  look: (aside: string) => T,
): T {
  const directory = resolve(path);
  const aside = asidePath(directory);
  const madeFolders: string[] = [];
  try {
    makeFolders(dirname(directory), madeFolders);
    removeAbandoned(directory);
    finishSwap(directory);
    mkdirSync(aside);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(aside, name), content, { flush: true });
    const seen = look(aside);
    swap(aside, directory);
    return seen;
  } catch (cause) {
    if (existsSync(aside)) rmSync(aside, { recursive: true });
    for (const folder of madeFolders.toReversed()) rmSync(folder, { recursive: true });
    if (cause instanceof ChurnError) throw cause;
    const message = `${path}: the model could not be written: ${(cause as Error).message}: check permissions and free space`;
    throw new ChurnError("CHURN_ERR_FILE_UNWRITABLE", message, { cause });
  }
}

/** No system call Node offers exchanges two directories; between these two renames a reader finds `.replaced`. */
function swap(aside: string, directory: string): void {
  const replaced = replacedPath(directory);
  if (existsSync(directory)) renameSync(directory, replaced);
  renameSync(aside, directory);
  try {
    rmSync(replaced, { recursive: true, force: true });
  } catch {
    // The new model is in its place, which is what counts; the next writer comes by here again.
  }
}

/** Puts right what a writer left that was killed during its swap; not while another one writes. */
export function finishSwap(path: string): void {
  const directory = resolve(path);
  const replaced = replacedPath(directory);
  if (!existsSync(replaced)) return;
  if (existsSync(directory)) rmSync(replaced, { recursive: true });
  else renameSync(replaced, directory);
}

/**
 * Reads and verifies a model directory.
 *
 * @throws CHURN_ERR_MODEL_INVALID with one line that says what is wrong
 */
export function readModelDirectory(path: string): ModelFiles {
  for (;;) {
    const directory = modelDirectory(path);
    const before = identify(directory);
    try {
      return readVerified(path, directory);
    } catch (error) {
      // Its files are read one after the other: a swap in between mixes two models, and is no fault of either.
      if (identify(modelDirectory(path)) === before) throw error;
    }
  }
}

/** Where the model of a path is: during a swap, in the directory that waits. */
export function modelDirectory(path: string): string {
  const replaced = replacedPath(resolve(path));
  return existsSync(path) || !existsSync(replaced) ? path : replaced;
}

/** Changes when it moves away, or another directory takes its place. */
function identify(directory: string): string | undefined {
  if (!existsSync(directory)) return undefined; // a path that cannot be one, too long a name for example, would throw
  const facts = statSync(directory, { bigint: true, throwIfNoEntry: false });
  return facts && `${directory} ${facts.ino} ${facts.ctimeNs}`;
}

function readVerified(path: string, directory: string): ModelFiles {
  if (!existsSync(directory)) {
    throw invalid(path, "no such model directory: train a model first, or name one that exists");
  }
  const manifest = readManifest(path, directory);
  const forestFile = readChecked(path, directory, FOREST_FILE, manifest);
  const reference = readChecked(path, directory, REFERENCE_FILE, manifest);
  const card = new TextDecoder().decode(readChecked(path, directory, CARD_FILE, manifest));
  const actual = contentHash(manifest, manifest.files);
  if (actual !== manifest.contentSha256) {
    const expected = short(manifest.contentSha256);
    throw invalid(path, `${MANIFEST_FILE}: expected content hash ${expected}, got ${short(actual)}`);
  }
  const version = modelVersion(manifest.lineage.created, actual);
  if (manifest.version !== version) {
    throw invalid(path, `${MANIFEST_FILE}: expected version ${version}, got ${describeValue(manifest.version)}`);
  }
  const features = readFeatures(path, manifest);
  const forest = decodeForest(forestFile, join(path, FOREST_FILE));
  verifyFit(path, manifest, features, forest);
  return { manifest, features, forest, reference, card };
}

function readManifest(path: string, directory: string): ModelManifest {
  let value: Partial<ModelManifest> | null;
  try {
    value = JSON.parse(new TextDecoder().decode(readFile(path, directory, MANIFEST_FILE)));
  } catch (cause) {
    if (cause instanceof ChurnError) throw cause;
    throw invalid(path, `${MANIFEST_FILE}: not valid JSON`, cause);
  }
  if (value?.formatVersion !== FORMAT_VERSION) {
    throw invalid(path, `${MANIFEST_FILE}: ${formatFault(value?.formatVersion)}`);
  }
  const { contentSha256, version, files, features, encodings, threshold, lineage } = value;
  const isWhole =
    typeof contentSha256 === "string" &&
    typeof version === "string" &&
    isLineage(lineage) &&
    Array.isArray(features) &&
    [...features, files, encodings, threshold].every(isObject);
  if (!isWhole) throw invalid(path, `${MANIFEST_FILE}: incomplete`);
  const fault = calibrationFault(value.calibration);
  if (fault !== undefined) throw invalid(path, `${MANIFEST_FILE}: /calibration: ${fault}`);
  const cut = value.threshold?.value;
  if (!Number.isFinite(cut)) {
    throw invalid(path, `${MANIFEST_FILE}: /threshold/value: expected a number, got ${describeValue(cut)}`);
  }
  const expected = [FOREST_FILE, REFERENCE_FILE, CARD_FILE].sort().join(", ");
  const got = Object.keys(files as object)
    .sort()
    .join(", ");
  if (got !== expected) throw invalid(path, `${MANIFEST_FILE}: expected the files ${expected}, got ${got || "none"}`);
  return value as ModelManifest;
}

/** Why a format cannot be read, and what to do. */
function formatFault(version: unknown): string {
  const fault = `expected formatVersion ${FORMAT_VERSION}, got ${JSON.stringify(version) ?? "none"}`;
  if (typeof version !== "number") return fault;
  return version < FORMAT_VERSION
    ? `${fault}: an older churn wrote it: train the model anew`
    : `${fault}: a newer churn wrote it: use that one`;
}

/** A specification in a model has the faults of a model. */
function readFeatures(path: string, { dataset }: ModelManifest): Feature[] {
  const source = join(path, MANIFEST_FILE);
  try {
    return compileFeatures(parseDataset(dataset, source), source);
  } catch (cause) {
    throw new ChurnError("CHURN_ERR_MODEL_INVALID", (cause as Error).message, { cause });
  }
}

/** The parts must speak of the same features. */
function verifyFit(path: string, manifest: ModelManifest, features: readonly Feature[], forest: Forest): void {
  const declared = manifest.features.map(({ name, kind }) => `${name}:${kind}`).join();
  if (declared !== features.map(({ name, kind }) => `${name}:${kind}`).join()) {
    throw invalid(path, `${MANIFEST_FILE}: the features differ from those of its dataset specification`);
  }
  if (forest.cutOffsets.length - 1 !== features.length) {
    throw invalid(path, `${FOREST_FILE}: expected ${features.length} features, got ${forest.cutOffsets.length - 1}`);
  }
  for (const { name, kind } of features) {
    if (kind === "category" && !Array.isArray(manifest.encodings[name])) {
      throw invalid(path, `${MANIFEST_FILE}: no encoding for the category "${name}"`);
    }
  }
}

/** A file whose bytes are those that the manifest speaks of. */
function readChecked(path: string, directory: string, name: string, { files }: ModelManifest): Uint8Array {
  const bytes = readFile(path, directory, name);
  const actual = sha256(bytes);
  if (actual === files[name]) return bytes;
  throw invalid(path, `${name}: expected sha256 ${short(files[name])}, got ${short(actual)}`);
}

function readFile(path: string, directory: string, name: string): Uint8Array {
  try {
    return readFileSync(join(directory, name));
  } catch (cause) {
    throw invalid(path, `${name}: missing or unreadable`, cause);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

const short = (hash: unknown): string => `${String(hash).slice(0, 12)}…`;

function invalid(path: string, message: string, cause?: unknown): ChurnError {
  return new ChurnError("CHURN_ERR_MODEL_INVALID", `${path}: ${message}`, { cause });
}
