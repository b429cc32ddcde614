/**
 * Benchmark results: named checks, tables, and RESULTS.md, in which each bench owns one section.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { arch, availableParallelism, cpus, totalmem } from "node:os";
import { markdownTable } from "../training/src/report/text.ts";

const RESULTS = new URL("RESULTS.md", import.meta.url);
const TITLE = "# Results\n\nWritten by the benches, each its own section; the command stands on top of it.\n";

/** A figure that must hold. */
export interface Check {
  readonly name: string;
  readonly got: string;
  readonly expected: string;
  readonly holds: boolean;
}

/** What a part of a bench found. */
export interface Findings {
  readonly versions: Readonly<Record<string, string>>;
  /** Paragraphs and tables. */
  readonly text: readonly string[];
  readonly checks: readonly Check[];
}

export function atLeast(name: string, got: number, bound: number, digits = 4): Check {
  return { name, expected: `≥ ${bound.toFixed(digits)}`, got: got.toFixed(digits), holds: got >= bound };
}

export function atMost(name: string, got: number, bound: number, digits = 4): Check {
  return { name, expected: `≤ ${bound.toFixed(digits)}`, got: got.toFixed(digits), holds: got <= bound };
}

export function checkTable(checks: readonly Check[]): string {
  return markdownTable([
    ["must hold", "expected", "got", ""],
    ...checks.map(({ name, expected, got, holds }) => [name, expected, got, holds ? "holds" : "**FAILS**"]),
  ]);
}

/** Where and when: one line. */
export function describeMachine(versions: Readonly<Record<string, string>>): string {
  const [{ model }] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const software = Object.entries({ "Node.js": process.versions.node, ...versions });
  const date = new Date().toISOString().slice(0, 10);
  return [
    date,
    `${model.trim()}, ${availableParallelism()} cores, ${memory}`,
    `${osName()} ${arch()}`,
    ...software.map(([name, version]) => `${name} ${version}`),
  ].join(" · ");
}

function osName(): string {
  const release = "/etc/os-release";
  const name = existsSync(release) && /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync(release, "utf8"))?.[1];
  return name || process.platform;
}

/** Replaces the bench's section in RESULTS.md, or adds it; sections stand in the order of their titles. */
export function writeSection(title: string, body: string): void {
  const old = existsSync(RESULTS)
    ? readFileSync(RESULTS, "utf8")
        .split(/^(?=## )/m)
        .slice(1)
    : [];
  const others = old.filter((section) => !section.startsWith(`## ${title}\n`)).map((section) => section.trimEnd());
  const sections = [...others, `## ${title}\n\n${body.trimEnd()}`].sort();
  writeFileSync(RESULTS, `${[TITLE.trimEnd(), ...sections].join("\n\n")}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
