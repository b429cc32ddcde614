/** Commands: `churn` as a user runs it, and a bench's own option. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const MAIN = fileURLToPath(new URL("../training/src/main.ts", import.meta.url));

/** As a process, with its tracked runs in the caller's folder. @throws when it does not end with 0; it says why on standard error */
export function churn(folder: string, ...args: string[]): void {
  const env = { ...process.env, LOG_LEVEL: "warn", MLFLOW_TRACKING_URI: `file:${join(folder, "mlruns")}` };
  execFileSync(process.execPath, [MAIN, ...args, "--quiet"], { env, stdio: ["ignore", "ignore", "inherit"] });
}

/** The bench's only option, how many of something: 1 or more. */
export function readCount(name: string, usual: number): number {
  const { values } = parseArgs({ options: { [name]: { type: "string", default: String(usual) } } });
  const count = Number(values[name]);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${name}: expected 1 or more, got ${values[name]}`);
  return count;
}
