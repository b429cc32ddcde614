/** What a dashboard shows, made up around the tiny model: for tests that inject requests and those with a browser. */
import { type Model, ReasonFinder, RequestReader } from "@churn/contract";
import fastify, { type FastifyInstance } from "fastify";
import { pino } from "pino";
import { BINS } from "../src/dashboard/score-shares.ts";
import { addBodyLimits } from "../src/plugins/body-limits.ts";
import { addErrorHandler, errorHandler } from "../src/plugins/error-handler.ts";
import { addDashboard, type DashboardParts } from "../src/routes/dashboard.ts";
import type { RecentPrediction, StoreSummary } from "../src/store/prediction-store.ts";
import { MEMBER } from "./tiny-model.ts";

export const EMPTY: StoreSummary = {
  predictions: 0,
  contacts: 0,
  outcomes: 0,
  confusion: { truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0 },
  scores: new Array<number>(BINS).fill(0),
  firstAt: null,
  lastAt: null,
};

/** 1,500 predictions, 100 in each of the first 15 bins. */
export const SUMMARY: StoreSummary = {
  predictions: 1500,
  contacts: 900,
  outcomes: 20,
  confusion: { truePositives: 6, falsePositives: 4, falseNegatives: 2, trueNegatives: 8 },
  scores: Array.from({ length: BINS }, (_, bin) => (bin < 15 ? 100 : 0)),
  firstAt: Date.parse("2026-11-24T08:00:00Z"),
  lastAt: Date.parse("2026-11-28T09:30:00Z"),
};

/** A stored prediction of `MEMBER` by this model. */
export function stored(model: Model, change: Partial<RecentPrediction> = {}): RecentPrediction {
  const { manifest, encoder } = model;
  const score = model.predictRow(new RequestReader(manifest.dataset, encoder).read(MEMBER).row);
  return {
    predictionId: "019aca6e-0000-7000-8000-000000000001",
    predictedAt: Date.parse("2026-11-28T09:30:00Z"),
    customerKey: "M-17",
    observedAt: null,
    features: MEMBER,
    score,
    decision: model.decide(score),
    modelVersion: manifest.version,
    modelSha256: manifest.contentSha256,
    outcome: null,
    ...change,
  };
}

export function dashboardParts(model: Model, change: Partial<DashboardParts> = {}): DashboardParts {
  return {
    model,
    reader: new RequestReader(model.manifest.dataset, model.encoder),
    reasonFinder: new ReasonFinder(model),
    loadedAt: new Date("2026-11-24T07:59:00Z"),
    startedAt: new Date("2026-11-24T07:58:59Z"),
    requests: async () => [
      {
        method: "POST",
        route: "/predict",
        count: 1520,
        errors: 1,
        rejected: 19,
        p50Seconds: 0.0004,
        p99Seconds: 0.0021,
      },
      {
        method: "GET",
        route: "/health/ready",
        count: 4300,
        errors: 0,
        rejected: 0,
        p50Seconds: 0.0001,
        p99Seconds: NaN,
      },
    ],
    store: async () => ({
      summary: SUMMARY,
      recent: [stored(model), stored(model, { outcome: 1, customerKey: null })],
    }),
    delivery: () => ({ isUp: true, lagSeconds: 0.2, waiting: 3, dropped: 0 }),
    ...change,
  };
}

/** The page alone, beside a route that takes JSON; judged by the schema compiler that the service has. */
export async function buildDashboardApp(parts: DashboardParts): Promise<FastifyInstance> {
  const app = fastify({
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        allErrors: true,
        verbose: true,
        ownProperties: true,
        validateSchema: false,
      },
    },
  });
  addErrorHandler(app, errorHandler(pino({ level: "silent" })));
  addBodyLimits(app);
  app.post("/json", ({ body }) => ({ body }));
  await addDashboard(app, parts);
  return app;
}
