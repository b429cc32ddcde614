/**
 * What the service measures of itself, for Prometheus. The one file that knows its client library.
 *
 * Each worker process measures; whichever is asked gathers the others' snapshots and adds them up, by the rule that each
 * metric declares (counts are summed, ages are the largest).
 */
import type { ModelManifest, Warning } from "@churn/contract";
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { DeliveryState } from "./store/recorder.ts";
import { SCORE_BINS } from "./store/statements.ts";

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Upper bounds in seconds. A prediction takes a tenth of a millisecond, an explained one four. */
const LATENCY_BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Upper bounds of scores: the bins that the store counts in. */
const SCORE_BUCKETS = Array.from({ length: SCORE_BINS }, (_, i) => (i + 1) / SCORE_BINS);

const START_TIME = "process_start_time_seconds";
const REQUEST_SECONDS = "churn_http_request_duration_seconds";

/** One worker's metrics as plain data. */
export type MetricsSnapshot = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** The requests of one route since the start. */
export interface RouteTraffic {
  readonly method: string;
  readonly route: string;
  readonly count: number;
  /** Answered with a status of 500 or more. */
  readonly errors: number;
  /** Answered with a status from 400 to 499. */
  readonly rejected: number;
  /** By interpolation in the histogram's buckets; NaN without requests. */
  readonly p50Seconds: number;
  readonly p99Seconds: number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = this.#histogram(REQUEST_SECONDS, "Time to answer a request, in seconds.", LATENCY_BUCKETS, [
    "method",
    "route",
    "status",
  ]);
  readonly #predictions = this.#counter("churn_predictions_total", "Predictions by decision: 1 is a churner.", [
    "decision",
  ]);
  readonly #scores = this.#histogram(
    "churn_prediction_score",
    "Probabilities of churn that were answered.",
    SCORE_BUCKETS,
  );
  readonly #unknownLevels = this.#counter(
    "churn_unknown_levels_total",
    "Category levels that the model has never seen, scored as unknown.",
    ["field"],
  );
  readonly #missingFields = this.#counter("churn_missing_fields_total", "Missing values, scored as unknown.", [
    "field",
  ]);
  readonly #outcomes = this.#counter("churn_outcomes_total", "Outcomes that were accepted.");
  readonly #modelInfo = this.#gauge("churn_model_info", "The model that answers; always 1.", "max", [
    "name",
    "version",
    "content_sha256",
  ]);
  readonly #modelLoaded = this.#gauge(
    "churn_model_loaded_timestamp_seconds",
    "When the model was loaded, in seconds since 1970.",
    "min",
  );
  readonly #reloadFailures = this.#counter(
    "churn_model_reload_failures_total",
    "New models that were refused; the one before went on.",
  );

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
    // The library leaves it out where workers are added up; the youngest one's tells of restarts.
    this.#registry.removeSingleMetric(START_TIME);
    const startedAt = Math.round(Date.now() / 1000 - process.uptime());
    this.#gauge(START_TIME, "When the youngest worker started, in seconds since 1970.", "max").set(startedAt);
  }

  /** Must be called once, before anything is asked. */
  watchDelivery(state: () => DeliveryState): void {
    const gauge = (
      name: string,
      help: string,
      aggregator: Aggregator,
      read: (state: DeliveryState) => number,
    ): void => {
      const watched: Gauge = this.#gauge(name, help, aggregator, [], () => watched.set(read(state())));
    };
    const counter = (name: string, help: string, read: (state: DeliveryState) => number): void => {
      const watched: Counter = this.#counter(name, help, [], () => {
        watched.reset();
        watched.inc(read(state()));
      });
    };
    gauge("churn_store_up", "Whether the prediction store took the last records.", "min", ({ isUp }) => Number(isUp));
    gauge(
      "churn_store_lag_seconds",
      "Age of the oldest record that is not in the store.",
      "max",
      ({ lagSeconds }) => lagSeconds,
    );
    gauge("churn_spool_records", "Records that wait for the store.", "sum", ({ waiting }) => waiting);
    gauge("churn_spool_bytes", "Size of the spool on disk.", "sum", ({ spoolBytes }) => spoolBytes);
    gauge("churn_spool_limit_bytes", "What the spool may take.", "sum", ({ spoolLimitBytes }) => spoolLimitBytes);
    counter("churn_store_records_total", "Records delivered to the store.", ({ delivered }) => delivered);
    counter("churn_store_failures_total", "Deliveries that failed and were tried again.", ({ failures }) => failures);
    counter("churn_records_dropped_total", "Records lost for want of room.", ({ dropped }) => dropped);
  }

  /** @param route As it is written in the API's description; never the path that came, of which there is no end. */
  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status }, seconds);
  }

  observePrediction(score: number, decision: 0 | 1, warnings: readonly Warning[]): void {
    this.#predictions.inc({ decision });
    this.#scores.observe(score);
    for (const { code, field } of warnings) {
      (code === "missing" ? this.#missingFields : this.#unknownLevels).inc({ field });
    }
  }

  countOutcomes(count: number): void {
    this.#outcomes.inc(count);
  }

  setModel({ name, version, contentSha256 }: ModelManifest, loadedAt: Date): void {
    this.#modelInfo.reset();
    this.#modelInfo.set({ name, version, content_sha256: contentSha256 }, 1);
    this.#modelLoaded.set(loadedAt.getTime() / 1000);
  }

  countReloadFailure(): void {
    this.#reloadFailures.inc();
  }

  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON();
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: Label[] = [],
  ): Histogram<Label> {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] });
  }

  #counter<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[] = [],
    collect?: () => void,
  ): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry], ...(collect && { collect }) });
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    aggregator: Aggregator,
    labelNames: Label[] = [],
    collect?: () => void,
  ): Gauge<Label> {
    return new Gauge({ name, help, labelNames, aggregator, registers: [this.#registry], ...(collect && { collect }) });
  }
}

type Aggregator = "sum" | "min" | "max";

/** The text that Prometheus reads, of all workers together. */
export function exposition(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate([...snapshots]).metrics();
}

/** Requests by route, of all workers together. */
export async function traffic(snapshots: readonly MetricsSnapshot[]): Promise<RouteTraffic[]> {
  const metrics = await AggregatorRegistry.aggregate([...snapshots]).getMetricsAsJSON();
  const requests = metrics.find(({ name }) => name === REQUEST_SECONDS);
  const routes = new Map<string, Sample[]>();
  for (const sample of (requests?.values ?? []) as Sample[]) {
    const { method, route } = sample.labels;
    const name = `${method} ${route}`;
    routes.set(name, [...(routes.get(name) ?? []), sample]);
  }
  return [...routes.values()].map(describeRoute).sort((a, b) => b.count - a.count);
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<{ method: string; route: string; status: string | number; le?: number | string }>;
  readonly value: number;
}

function describeRoute(samples: readonly Sample[]): RouteTraffic {
  const { method, route } = samples[0].labels;
  const counts = samples.filter(({ metricName }) => metricName.endsWith("_count"));
  const total = (from: number, to: number): number =>
    counts
      .filter(({ labels }) => Number(labels.status) >= from && Number(labels.status) < to)
      .reduce((sum, { value }) => sum + value, 0);
  const buckets = LATENCY_BUCKETS.map((bound) =>
    samples
      .filter(({ metricName, labels }) => metricName.endsWith("_bucket") && Number(labels.le) === bound)
      .reduce((sum, { value }) => sum + value, 0),
  );
  const count = total(0, 600);
  return {
    method,
    route,
    count,
    errors: total(500, 600),
    rejected: total(400, 500),
    p50Seconds: quantile(buckets, count, 0.5),
    p99Seconds: quantile(buckets, count, 0.99),
  };
}

/**
 * As Prometheus' `histogram_quantile`: linear within the bucket, the largest bound beyond it.
 *
 * @param buckets Cumulative counts.
 */
function quantile(buckets: readonly number[], count: number, q: number): number {
  if (count === 0) return Number.NaN;
  const rank = q * count;
  const i = buckets.findIndex((cumulative) => cumulative >= rank);
  if (i < 0) return LATENCY_BUCKETS[LATENCY_BUCKETS.length - 1];
  const [low, below] = i === 0 ? [0, 0] : [LATENCY_BUCKETS[i - 1], buckets[i - 1]];
  const inside = buckets[i] - below;
  return low + (LATENCY_BUCKETS[i] - low) * (inside === 0 ? 1 : (rank - below) / inside);
}
