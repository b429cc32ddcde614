/** Runs the `churn` command as a user does, as a process, with its tracked runs in the caller's folder. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));

/** @throws when it does not end with 0; it says why on standard error */
export function churn(folder: string, ...args: string[]): void {
  const env = { ...process.env, LOG_LEVEL: "warn", MLFLOW_TRACKING_URI: `file:${join(folder, "mlruns")}` };
  execFileSync(process.execPath, [MAIN, ...args, "--quiet"], { env, stdio: ["ignore", "ignore", "inherit"] });
}
