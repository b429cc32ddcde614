/**
 * Our service as the benches start it: with everything on. Keys, validation, a log line per prediction, metrics, and a
 * prediction store in SQLite, whose records are counted when it has stopped.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, type ServerProcess, startServer } from "./server-process.ts";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const MODEL = join(ROOT, "models/best_model");
const START = join(ROOT, "start.sh");

/** The key of every request; it has all scopes. Beside it a second one is set, as while keys are rotated. */
export const KEY = randomBytes(24).toString("hex");
const OTHER_KEY = randomBytes(24).toString("hex");

/** A service with a tenth of a processor answers hundreds of requests in this time. */
const SETTLE_MS = 1000;

export interface ServiceOptions {
  /** For its log, store and spool: what several instances share. */
  readonly folder: string;
  readonly probe: string;
  readonly port?: number;
  readonly workers?: number;
  readonly groups?: readonly string[];
}

export async function startService(options: ServiceOptions): Promise<ServerProcess> {
  const { folder, probe, port = await freePort(), workers = 1, groups = [] } = options;
  return startServer({
    command: [START],
    environment: {
      HOST: "127.0.0.1",
      PORT: String(port),
      LOG_LEVEL: "info",
      MODEL_DIR: MODEL,
      API_KEYS: `${OTHER_KEY},${KEY}`,
      PREDICTION_STORE_URL: `sqlite:${storePath(folder)}`,
      SPOOL_DIR: join(folder, "spool"),
      WEB_CONCURRENCY: String(workers),
    },
    workingDirectory: folder,
    log: join(folder, "service.log"),
    url: `http://127.0.0.1:${port}`,
    probe,
    key: KEY,
    groups,
  });
}

const storePath = (folder: string): string => join(folder, "predictions.db");

export interface StoredPredictions {
  readonly records: number;
  readonly distinct: number;
}

/** What the store holds; the service has stopped. */
export function storedPredictions(folder: string): StoredPredictions {
  return query<StoredPredictions>(
    folder,
    "SELECT count(*) AS records, count(DISTINCT prediction_id) AS distinctIds FROM predictions",
    ([{ records, distinctIds }]) => ({ records: Number(records), distinct: Number(distinctIds) }),
  );
}

export function storedPredictionIds(folder: string): string[] {
  return query(folder, "SELECT prediction_id AS id FROM predictions", (rows) => rows.map(({ id }) => String(id)));
}

function query<Result>(
  folder: string,
  sql: string,
  read: (rows: readonly Record<string, unknown>[]) => Result,
): Result {
  const path = storePath(folder);
  if (!existsSync(path)) throw new Error(`${path}: no prediction store`);
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return read(database.prepare(sql).all());
  } finally {
    database.close();
  }
}

/** Prometheus' text: the sum of a metric's samples that have these labels. */
export function metricValue(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const samples = text.split("\n").filter((line) => {
    const [, found, list = ""] = /^([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? /.exec(line) ?? [];
    return found === name && wanted.every((label) => list.split(",").includes(label));
  });
  return samples.reduce(
    (sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)),
    samples.length > 0 ? 0 : Number.NaN,
  );
}

export async function readMetrics(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } });
  if (!response.ok) throw new Error(`${url}/metrics: expected 200, got ${response.status}`);
  return response.text();
}

export interface PredictionCounts {
  readonly made: number;
  readonly answered: number; // with 200: a load that ends cuts off some answers
}

/** Predictions that the service has made, once it makes no more: those that a load has asked for before its end come after it. */
export async function countPredictions(url: string): Promise<PredictionCounts> {
  const labels = { method: "POST", route: "/predict", status: "200" };
  const read = async (): Promise<PredictionCounts> => {
    const text = await readMetrics(url);
    return {
      made: metricValue(text, "churn_predictions_total"),
      answered: metricValue(text, "churn_http_request_duration_seconds_count", labels),
    };
  };
  let counts = await read();
  for (let before = Number.NaN; counts.made !== before; ) {
    before = counts.made;
    await sleep(SETTLE_MS);
    counts = await read();
  }
  return counts;
}
