/** A share of a processor and of the memory, as a small hosting plan gives it: by Linux's control groups, version 1. */
import { accessSync, constants, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";
const PERIOD_US = 100_000;

export interface ControlGroup {
  /** A process whose number is written to these is in the group, with all that it starts. */
  readonly files: readonly string[];
  /** Its processes have ended. */
  remove(): void;
}

/** Why there can be none here; undefined when there can. */
export function controlGroupFault(): string | undefined {
  try {
    for (const controller of ["cpu", "memory"]) accessSync(join(ROOT, controller, "cgroup.procs"), constants.W_OK);
    accessSync(join(ROOT, "cpu", "cpu.cfs_period_us"));
    return undefined;
  } catch (error) {
    return `no control groups of version 1 that this user may write: ${(error as Error).message}`;
  }
}

export function makeControlGroup(processors: number, mebibytes: number): ControlGroup {
  const [cpu, memory] = ["cpu", "memory"].map((controller) => join(ROOT, controller, `churn-bench-${process.pid}`));
  for (const group of [cpu, memory]) mkdirSync(group);
  writeFileSync(join(cpu, "cpu.cfs_period_us"), String(PERIOD_US));
  writeFileSync(join(cpu, "cpu.cfs_quota_us"), String(Math.round(PERIOD_US * processors)));
  writeFileSync(join(memory, "memory.limit_in_bytes"), String(mebibytes * 2 ** 20));
  return {
    files: [cpu, memory].map((group) => join(group, "cgroup.procs")),
    remove: () => {
      for (const group of [cpu, memory]) rmdirSync(group);
    },
  };
}
