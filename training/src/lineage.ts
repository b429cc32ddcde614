/**
 * Where a model comes from: the state of the code that trained it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Lineage, sha256 } from "@churn/contract";
import duckdb from "@duckdb/node-bindings";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Git's ids of the trees that decide a model's content, since a commit cannot name itself; null outside a
 * repository.
 */
export function describeCode(): Lineage["code"] {
  const lockfile = join(ROOT, "package-lock.json");
  const status = git("status", "--porcelain", "--", "contract", "training", "package-lock.json");
  return {
    commit: git("rev-parse", "HEAD"),
    contractTree: git("rev-parse", "HEAD:contract"),
    trainingTree: git("rev-parse", "HEAD:training"),
    lockfileSha256: existsSync(lockfile) ? sha256(readFileSync(lockfile)) : null,
    modified: status === null ? null : status !== "",
  };
}

export function describeEngine(): Lineage["engine"] {
  return { node: process.versions.node, v8: process.versions.v8, duckdb: duckdb.library_version() };
}

function git(...args: string[]): string | null {
  try {
    return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}
