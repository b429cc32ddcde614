/**
 * The service for half an hour at half of its peak rate: do memory and latency stay where they are?
 *
 *     npm run bench:soak [-- --minutes 30]
 *
 * The peak is measured by wrk. Then h2load asks at a constant rate, always for the same customer. Writes soak.csv and soak.svg beside this file. Needs about 500 bytes of free disk per request in
 * the system's temporary folder: 5 GB at 5000 a second. Exit code 1 when a figure that must hold fails; with less than 30
 * minutes nothing is written but the two files, in the temporary folder.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHistogram } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { standaloneSvg } from "../training/src/report/standalone-svg.ts";
import { markdownTable } from "../training/src/report/text.ts";
import { type Plot, renderSvg } from "../training/src/report/vega.ts";
import { countPredictions, KEY, metricValue, readMetrics, startService, storedPredictions } from "./churn-service.ts";
import { customerRequests } from "./customer-requests.ts";
import { jsonHeaders } from "./http-client.ts";
import { atMost, checkTable, describeMachine, type Findings, median, writeSection } from "./results.ts";
import type { ServerProcess } from "./server-process.ts";
import { linearTrend, type Trend } from "./trend.ts";
import { checkWrk, runWrk } from "./wrk.ts";

const FULL_MINUTES = 30;
const { values: options } = parseArgs({ options: { minutes: { type: "string", default: String(FULL_MINUTES) } } });
const MINUTES = Number(options.minutes);
if (!(MINUTES >= 1)) throw new Error(`--minutes: expected a number from 1, got ${JSON.stringify(options.minutes)}`);
const isFull = MINUTES >= FULL_MINUTES;

const CUSTOMERS = 300;
const CONNECTIONS = 64;
const PEAK_SECONDS = 20;
const PEAK_WARM_UP_SECONDS = 5;
const SHARE_OF_PEAK = 0.5;
const SAMPLE_MS = 10_000;
/** Neighbouring samples resemble each other, which would make an interval too narrow: the trend is of minutes. */
const SAMPLES_PER_POINT = 6;
/** Until then the compiler and the collector settle. What is left is judged: the more minutes, the narrower the interval. */
const SETTLING_SHARE = 1 / 6;
/** What growth over the judged time may be at most, as a share of the median: memory, p99. */
const FLAT = { memory: 0.05, p99: 0.2 };

/** One line of soak.csv. */
interface Sample {
  readonly minute: number;
  readonly requests_per_second: number;
  readonly memory_mib: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly loop_lag_p99_ms: number;
  readonly processor_share: number;
  readonly spool_records: number;
}

const folder = mkdtempSync(join(tmpdir(), "churn-bench-"));

/** A service with a store of its own. */
async function startIn(
  name: string,
  probe: string,
): Promise<{ readonly server: ServerProcess; readonly home: string }> {
  const home = join(folder, name);
  mkdirSync(home);
  return { server: await startService({ folder: home, probe }), home };
}

async function measurePeak(requests: readonly string[]): Promise<number> {
  const bodies = join(folder, "bodies.jsonl");
  writeFileSync(bodies, `${requests.join("\n")}\n`);
  const { server, home } = await startIn("peak", requests[0]);
  const load = (seconds: number) =>
    runWrk(`${server.url}/predict`, bodies, { connections: CONNECTIONS, seconds, key: KEY });
  await load(PEAK_WARM_UP_SECONDS);
  const { requests: answered, seconds } = await load(PEAK_SECONDS);
  await server.stop();
  rmSync(home, { recursive: true });
  return answered / seconds;
}

async function soak(
  requests: readonly string[],
  rate: number,
): Promise<{ readonly samples: readonly Sample[]; readonly failures: number }> {
  const { server, home } = await startIn("soak", requests[0]);
  const load = new ConstantLoad(server.url, requests[0], rate);
  const samples: Sample[] = [];
  const start = performance.now();
  let before = { time: start, processorSeconds: server.usage().processorSeconds };
  for (let due = SAMPLE_MS; due <= MINUTES * 60_000; due += SAMPLE_MS) {
    await sleep(start + due - performance.now());
    const latencies = load.takeLatencies();
    const metrics = await readMetrics(server.url);
    const { processorSeconds, mebibytes } = server.usage();
    const time = performance.now();
    const seconds = (time - before.time) / 1000;
    samples.push({
      minute: due / 60_000,
      requests_per_second: round(latencies.count / seconds, 0),
      memory_mib: round(mebibytes, 1),
      p50_ms: round(latencies.p50, 3),
      p99_ms: round(latencies.p99, 3),
      loop_lag_p99_ms: round(1000 * metricValue(metrics, "nodejs_eventloop_lag_p99_seconds"), 2),
      processor_share: round((processorSeconds - before.processorSeconds) / seconds, 3),
      spool_records: metricValue(metrics, "churn_spool_records"),
    });
    before = { time, processorSeconds };
    process.stderr.write(`${JSON.stringify(samples.at(-1))}\n`);
  }
  const failures = await load.stop();
  const { made } = await countPredictions(server.url);
  await server.stop();
  const { records, distinct } = storedPredictions(home);
  if (records !== made || distinct !== made) {
    throw new Error(`void: ${made} predictions made, ${records} stored, ${distinct} of them distinct`);
  }
  return { samples, failures };
}

interface Latencies {
  readonly count: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
}

/** Requests at a constant rate, by h2load: a load made by Node would need more of the processor than the service. */
class ConstantLoad {
  readonly #load: ChildProcess;
  readonly #log: number;
  readonly #exit: Promise<unknown>;
  #rest = "";
  #failures = 0;

  constructor(url: string, body: string, ratePerSecond: number) {
    const bodyFile = join(folder, "body.json");
    const logFile = join(folder, "requests.tsv");
    writeFileSync(bodyFile, body);
    writeFileSync(logFile, "");
    const perConnection = Math.round(ratePerSecond / CONNECTIONS);
    const headers = Object.entries(jsonHeaders(KEY)).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const sizes = ["-c", CONNECTIONS, "-t", 1, "-D", MINUTES * 60 + 5, `--rps=${perConnection}`].map(String);
    const args = ["--h1", ...sizes, "-d", bodyFile, `--log-file=${logFile}`, ...headers, `${url}/predict`];
    this.#load = spawn("h2load", args, { stdio: "ignore" });
    this.#exit = once(this.#load, "exit");
    this.#log = openSync(logFile, "r");
  }

  /** Of what was answered since the last time. */
  takeLatencies(): Latencies {
    const histogram = createHistogram(); // µs
    const lines = (this.#rest + this.#readLog()).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, status, microseconds] = line.split("\t");
      if (status !== "200") this.#failures++;
      histogram.record(Math.max(1, Number(microseconds)));
    }
    return {
      count: histogram.count,
      p50: histogram.percentile(50) / 1000,
      p99: histogram.percentile(99) / 1000,
    };
  }

  /** @returns how many were not answered with 200 */
  async stop(): Promise<number> {
    await this.#exit;
    this.takeLatencies();
    closeSync(this.#log);
    return this.#failures;
  }

  #readLog(): string {
    const chunk = Buffer.alloc(2 ** 20);
    const parts: string[] = [];
    for (let length = readSync(this.#log, chunk); length > 0; length = readSync(this.#log, chunk)) {
      parts.push(chunk.toString("latin1", 0, length));
    }
    return parts.join("");
  }
}

// --- what came out -----------------------------------------------------------------------------------------

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

async function writeSamples(samples: readonly Sample[]): Promise<void> {
  const place = isFull ? fileURLToPath(new URL(".", import.meta.url)) : tmpdir();
  const names = Object.keys(samples[0]) as (keyof Sample)[];
  const lines = [names.join(), ...samples.map((sample) => names.map((name) => sample[name]).join())];
  writeFileSync(join(place, "soak.csv"), `${lines.join("\n")}\n`);
  writeFileSync(join(place, "soak.svg"), `${standaloneSvg(await renderSvg(plot(samples)))}\n`);
}

function plot(samples: readonly Sample[]): Plot {
  const panel = (field: keyof Sample, title: string) => ({
    width: 300,
    height: 90,
    mark: { type: "line" as const, color: "var(--blue)", strokeWidth: 1.5 },
    encoding: {
      x: { field: "minute", type: "quantitative" as const, title: "minutes", axis: { grid: false } },
      y: { field, type: "quantitative" as const, title, scale: { zero: true } },
    },
  });
  return {
    data: { values: [...samples] },
    vconcat: [
      panel("memory_mib", "memory, MiB"),
      panel("p99_ms", "p99, ms"),
      panel("loop_lag_p99_ms", "event-loop p99, ms"),
    ],
  };
}

function findings(peak: number, samples: readonly Sample[], failures: number): Findings {
  const settled = samples.filter(({ minute }) => minute > SETTLING_SHARE * MINUTES);
  const minutes = settled[settled.length - 1].minute - settled[0].minute;
  const judged = (["memory_mib", "p99_ms"] as const).map((field) => {
    const middle = median(settled.map((sample) => sample[field]));
    const { slope, low, high } = trendOf(settled, field);
    const growth = (perMinute: number): number => (100 * perMinute * minutes) / middle;
    return { field, middle, slope, low, high, mostGrowth: growth(high) };
  });
  const [memory, p99] = judged;
  const medianOfAll = (field: keyof Sample): number => median(samples.map((sample) => sample[field]));
  const rows = judged.map(({ field, middle, slope, low, high }) => [
    field === "memory_mib" ? "memory, MiB" : "p99, ms",
    middle.toFixed(2),
    slope.toFixed(4),
    `${low.toFixed(4)} to ${high.toFixed(4)}`,
  ]);
  return {
    versions: {},
    text: [
      [
        `${MINUTES} minutes at ${(peak * SHARE_OF_PEAK).toFixed(0)} requests a second, half of the peak of ${peak.toFixed(0)} (wrk, ${CONNECTIONS} connections, ${PEAK_SECONDS} s), sent at a`,
        "constant rate by a client on the same machine; latency counts from when a request was due. Everything on, as in",
        `Serving. Median of the event loop's p99 ${medianOfAll("loop_lag_p99_ms").toFixed(1)} ms, of processors used ${medianOfAll("processor_share").toFixed(2)}, of records in the spool`,
        `${medianOfAll("spool_records")}. After the end the store held exactly one record per 200.`,
      ].join("\n"),
      "![memory, p99 and event-loop lag over the time](soak.svg) ([every 10 s](soak.csv))",
      `From minute ${SETTLING_SHARE * MINUTES} on, by a line through the minutes; interval of 95 %:`,
      markdownTable([["", "median", "slope per minute", "interval"], ...rows]),
    ],
    checks: [
      atMost("requests that failed", failures, 0, 0),
      atMost("memory: growth at the interval's upper end, %", memory.mostGrowth, 100 * FLAT.memory, 1),
      atMost("p99: growth at the interval's upper end, %", p99.mostGrowth, 100 * FLAT.p99, 1),
    ],
  };
}

/** Per minute, of means of a minute each. */
function trendOf(samples: readonly Sample[], field: keyof Sample): Trend {
  const mean = (part: readonly Sample[], name: keyof Sample): number =>
    part.reduce((sum, sample) => sum + sample[name], 0) / part.length;
  const size = isFull ? SAMPLES_PER_POINT : 1;
  const parts = Array.from({ length: Math.floor(samples.length / size) }, (_, i) =>
    samples.slice(i * size, (i + 1) * size),
  );
  return linearTrend(
    parts.map((part) => mean(part, "minute")),
    parts.map((part) => mean(part, field)),
  );
}

/** Prints, and at full size writes, what came out. @returns whether everything holds */
function report({ text, checks }: Findings): boolean {
  const body = ["`npm run bench:soak`", describeMachine({}), ...text, checkTable(checks)].join("\n\n");
  process.stdout.write(`${body}\n`);
  if (isFull) writeSection("Serving: soak", body);
  return checks.every(({ holds }) => holds);
}

checkWrk();
if (spawnSync("h2load", ["--version"]).error !== undefined) {
  throw new Error("no h2load: it makes the constant load; on Debian `apt-get install nghttp2-client`");
}
try {
  const requests = customerRequests(folder, CUSTOMERS);
  const peak = await measurePeak(requests);
  const { samples, failures } = await soak(requests, peak * SHARE_OF_PEAK);
  await writeSamples(samples);
  if (!report(findings(peak, samples, failures)) && isFull) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
