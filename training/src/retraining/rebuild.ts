/** A committed model trained again, where its code and its data are here: the same content hash, or something is wrong. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelManifest } from "@churn/contract";
import { findData, hashData } from "../data/source.ts";
import { generate } from "../generate.ts";
import { describeCode } from "../lineage.ts";
import type { Logger } from "../logger.ts";
import { type GeneratedData, readLedger } from "../registry/ledger.ts";
import { train } from "../train.ts";
import { SYNTHETIC } from "./new-data.ts";

export interface Rebuild {
  readonly outcome: "same" | "different" | "otherCode" | "dataNotHere";
  /** For people. */
  readonly note: string;
}

export interface RebuildOptions {
  readonly log: Logger;
  readonly onProgress?: (phase: string) => void;
}

/** How synthetic data were generated where nobody has written it down: as `churn generate` does without options. */
const USUAL = { seed: 42, month: 0, scenario: "stable", from: 1 } as const;

/** @param champion Its directory, whose ledger says how data were generated. */
export async function rebuildModel(
  manifest: ModelManifest,
  champion: string,
  options: RebuildOptions,
): Promise<Rebuild> {
  const other = otherCode(manifest);
  if (other !== undefined) return { outcome: "otherCode", note: `not trained again, as the code is another: ${other}` };
  const folder = mkdtempSync(join(tmpdir(), "churn-verify-"));
  try {
    const path = await findSameData(manifest, champion, folder, options.log);
    if (path === undefined) {
      const sha256 = manifest.lineage.data.sha256.slice(0, 12);
      return { outcome: "dataNotHere", note: `not trained again, as its data (sha256 ${sha256}…) are not here` };
    }
    const again = await trainAgain(manifest, path, folder, options);
    if (again === manifest.contentSha256) return { outcome: "same", note: "trained again: the same to the last bit" };
    const [expected, got] = [manifest.contentSha256, again].map((hash) => `${hash.slice(0, 12)}…`);
    const note = `trained again from the same code and data it is another: expected content hash ${expected}, got ${got}`;
    return { outcome: "different", note };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What of the code is not as it was; undefined where all of it is. */
function otherCode({ lineage: { code } }: ModelManifest): string | undefined {
  const now = describeCode();
  if (code.contractTree === null || now.contractTree === null) return "outside a repository";
  if (code.modified || now.modified) return "with changes that are not committed";
  if (code.contractTree !== now.contractTree) return "contract/";
  if (code.trainingTree !== now.trainingTree) return "training/";
  return code.lockfileSha256 === now.lockfileSha256 ? undefined : "package-lock.json";
}

/** The file that a model was trained on, or one generated anew; undefined where neither has its sum. */
async function findSameData(
  { lineage, dataset, version }: ModelManifest,
  champion: string,
  folder: string,
  log: Logger,
): Promise<string | undefined> {
  const isSame = async (path: string): Promise<boolean> => (await hashData(findData(path))) === lineage.data.sha256;
  const [file] = lineage.files;
  if (lineage.files.length === 1 && existsSync(file) && (await isSame(file))) return file;
  if (dataset.name !== SYNTHETIC) return undefined;
  const known = readLedger(champion).findLast((entry) => entry.version === version)?.generated;
  const generated: GeneratedData = known ?? { ...USUAL, rows: lineage.data.rows };
  const out = join(folder, "customers.parquet");
  await generate({ ...generated, withTruth: false, out }, log, () => {});
  return (await isSame(out)) ? out : undefined;
}

/** @returns the content hash */
async function trainAgain(
  { dataset: specification, forest, lineage }: ModelManifest,
  data: string,
  folder: string,
  { log, onProgress }: RebuildOptions,
): Promise<string> {
  const dataset = join(folder, "dataset.json");
  writeFileSync(dataset, JSON.stringify(specification));
  const { nNodes: _, ...parameters } = forest;
  const { manifest } = await train({
    dataset,
    data,
    out: join(folder, "model"),
    parameters,
    seed: lineage.seed,
    tracking: { folder: join(folder, "mlruns"), experiment: "churn" },
    now: () => new Date(),
    log,
    ...(onProgress && { onProgress }),
  });
  return manifest.contentSha256;
}
