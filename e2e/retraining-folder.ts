/** `churn` in a folder of its own, with few customers and small forests: for the tests of retraining. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../serving/test/service-process.ts";
import type { LedgerEntry } from "../training/src/registry/ledger.ts";
import type { RetrainResult } from "../training/src/retraining/result.ts";

export const MAIN = `${ROOT}training/src/main.ts`;
const DATASET = `${ROOT}datasets/customers/dataset.json`;

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class RetrainingFolder {
  readonly path = mkdtempSync(join(tmpdir(), "churn-retrain-"));
  readonly environment = { ...process.env, LOG_LEVEL: "silent", MLFLOW_TRACKING_URI: "" };

  in(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  churn(...args: readonly string[]): Ran {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
      cwd: this.path,
      encoding: "utf8",
      env: this.environment,
    });
    return { code: status, stdout, stderr };
  }

  /** The options of a small retraining. */
  retrainArguments(...args: readonly string[]): string[] {
    const small = ["--rows", "5000", "--n-estimators", "30", "--max-depth", "8"];
    return ["retrain", "--dataset", DATASET, ...small, "--json", "--exit-code", ...args];
  }

  retrain(...args: readonly string[]): Ran & { readonly result: RetrainResult } {
    const ran = this.churn(...this.retrainArguments(...args));
    return { ...ran, result: ran.stdout === "" ? undefined : JSON.parse(ran.stdout) };
  }

  ledger(): LedgerEntry[] {
    const lines = readFileSync(this.in("models", "ledger.jsonl"), "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line));
  }

  champion(): { readonly version: string; readonly contentSha256: string } {
    return JSON.parse(readFileSync(this.in("models", "best_model", "model.json"), "utf8"));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
