/**
 * Load by wrk (https://github.com/wg/wrk; Debian's package of that name): as many connections as are asked for, each
 * sending its next request when it has the answer to the last.
 */
import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SCRIPT = fileURLToPath(new URL("wrk.lua", import.meta.url));
/** No answer takes this long; at wrk's own 2 s those of a slow service would count as failures. */
const TIMEOUT = "60s";

export interface Load {
  /** Answered within the time; wrk drops those that are still on their way at its end. */
  readonly requests: number;
  readonly seconds: number;
  /** Latency, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** @throws when there is no wrk */
export function checkWrk(): void {
  if (spawnSync("wrk", ["-v"]).error === undefined) return;
  throw new Error("no wrk: it makes the load of this bench; on Debian `apt-get install wrk`");
}

/**
 * @param bodies File with a body per line; they are sent in turn.
 * @throws when one answer was not a success
 */
export async function runWrk(
  url: string,
  bodies: string,
  { connections, seconds, key }: { readonly connections: number; readonly seconds: number; readonly key?: string },
): Promise<Load> {
  const sizes = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, "--timeout", TIMEOUT];
  const args = [...sizes, "-s", SCRIPT, url, "--", bodies, ...(key === undefined ? [] : [key])];
  const { stdout } = await promisify(execFile)("wrk", args);
  const { failures, ...load } = JSON.parse(stdout.slice(stdout.lastIndexOf("\n{"))) as Load & { failures: number };
  if (failures > 0) throw new Error(`void: ${failures} failures among ${load.requests} requests to ${url}\n${stdout}`);
  return load;
}
