/** Records for tests. */
import type { PredictionRecord } from "@churn/contract";

/** The same number gives the same record. */
export function predictionOf(number: number, change: Partial<PredictionRecord> = {}): PredictionRecord {
  return {
    kind: "prediction",
    predictionId: `01960f2e-7c5b-7000-8000-${String(number).padStart(12, "0")}`,
    predictedAt: 1_700_000_000_000 + number,
    customerKey: `m-${number}`,
    observedAt: null,
    features: { visits: number, tariff: 'jährlich "1"\n' },
    score: number / 1e6,
    decision: 0,
    modelVersion: "v",
    modelSha256: "ab".repeat(32),
    ...change,
  };
}
