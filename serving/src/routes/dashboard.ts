/**
 * `GET /dashboard`: the page for people. `POST /dashboard`: the same page, with an answer for the customer that was tried in
 * its form; nothing of it is stored.
 *
 * Only this file's routes read forms: the parser lives in a context of its own, so that the routes that take JSON go
 * on to refuse whatever a foreign page could post.
 */
import {
  type Model,
  type ReasonFinder,
  type RequestReader,
  requestSchema,
  type SchemaIssue,
  schemaIssues,
} from "@churn/contract";
import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { customerFields, exampleState, type Field, type FormState, readCustomer } from "../dashboard/customer-form.ts";
import type { DeliveryFacts } from "../dashboard/delivery.ts";
import { explainRecent } from "../dashboard/recent-predictions.ts";
import { type Trial, tryCustomer } from "../dashboard/trial.ts";
import type { RouteTraffic } from "../metrics.ts";
import { failure } from "../problems.ts";
import type { RecentPrediction, StoreSummary } from "../store/prediction-store.ts";

export interface DashboardParts {
  readonly model: Model;
  readonly reader: RequestReader;
  readonly reasonFinder: ReasonFinder;
  readonly loadedAt: Date;
  readonly startedAt: Date;
  /** Snapshot of the requests since start, over all workers. */
  readonly requests: () => Promise<readonly RouteTraffic[]>;
  /** What the store knows; the page does without it when it rejects or takes too long. */
  readonly store: () => Promise<{ readonly summary: StoreSummary; readonly recent: readonly RecentPrediction[] }>;
  readonly delivery: () => DeliveryFacts;
}

const PATH = "/dashboard";

/** It shows customers and figures. */
const CONFIG: FastifyContextConfig = { scopes: ["predict", "metrics"], isPage: true };

const FORM_TYPE = "application/x-www-form-urlencoded";
const BODY_LIMIT_BYTES = 64 * 1024;

/** Nobody waits longer for a page; what is not there by then is said to be missing. */
const PATIENCE_MS = 2000;

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "referrer-policy": "same-origin", // with none at all, a browser would hide where its own form comes from
};

/** Adds the page. `parts` are read at each request, so that their owner can change the model. */
export async function addDashboard(app: FastifyInstance, parts: DashboardParts): Promise<void> {
  await app.register(async (scope) => {
    addFormReader(scope);
    const formOf = formOfLastModel();
    const options = { bodyLimit: BODY_LIMIT_BYTES, config: CONFIG, schema: { hide: true } };

    scope.get(PATH, options, async (request, reply) => {
      const { manifest } = parts.model;
      return answer({ request, reply, parts, form: formOf(parts.model), state: exampleState(manifest) });
    });

    scope.post<{ Body: URLSearchParams | undefined }>(
      PATH,
      { ...options, onRequest: (request, _reply, done) => done(crossSiteFault(request)) },
      async (request, reply) => {
        const form = formOf(parts.model);
        const typed = new Map(request.body ?? []);
        const customer = readCustomer(form.fields, typed);
        const faults = faultsOf(customer, form, request);
        const trial = faults.length === 0 ? tryCustomer(customer, parts) : undefined;
        return answer({ request, reply, parts, form, state: { typed, faults }, trial });
      },
    );
  });
}

/** The form of one model, and the schema that judges what is posted: one object, as its compilation is kept by it. */
interface ModelForm {
  readonly model: Model;
  readonly fields: readonly Field[];
  readonly schema: Record<string, unknown>;
}

function formOfLastModel(): (model: Model) => ModelForm {
  let last: ModelForm | undefined;
  return (model) => {
    if (last?.model !== model) {
      const { manifest } = model;
      last = { model, fields: customerFields(manifest), schema: { ...requestSchema(manifest.dataset) } };
    }
    return last;
  };
}

/** What the request schema, compiled as for `POST /predict`, says against a customer. */
function faultsOf(
  customer: Readonly<Record<string, unknown>>,
  { schema }: ModelForm,
  request: FastifyRequest,
): SchemaIssue[] {
  const validate = request.compileValidationSchema(schema);
  if (validate(customer)) return [];
  return schemaIssues((validate.errors ?? []) as unknown as Parameters<typeof schemaIssues>[0]);
}

interface Question {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly parts: DashboardParts;
  readonly form: ModelForm;
  readonly state: FormState;
  readonly trial?: Trial | undefined;
}

async function answer({ request, reply, parts, form, state, trial }: Question): Promise<string> {
  const { CONTENT_SECURITY_POLICY, renderDashboard } = await import("../dashboard/page.ts"); // not before somebody looks
  const { model, reader, reasonFinder, loadedAt, startedAt } = parts;
  const [traffic, stored] = await Promise.all([inTime(parts.requests), inTime(parts.store)]);
  const fits = (features: Readonly<Record<string, unknown>>): boolean => faultsOf(features, form, request).length === 0;
  const explainer = { model, reader, reasonFinder, fits };
  const page = renderDashboard({
    manifest: model.manifest,
    loadedAt,
    startedAt,
    now: new Date(),
    traffic,
    summary: stored?.summary,
    recent: stored && (await explainRecent(stored.recent, explainer)),
    delivery: parts.delivery(),
    fields: form.fields,
    form: state,
    trial,
  });
  reply
    .status(state.faults.length === 0 ? 200 : 422)
    .headers({ ...HEADERS, "content-security-policy": CONTENT_SECURITY_POLICY });
  return page;
}

/** What a source gives; undefined when it fails or takes too long. */
async function inTime<T>(source: () => Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, undefined);
  });
  try {
    return await Promise.race([source(), late]);
  } catch {
    return undefined; // whoever owns the source has logged why
  } finally {
    clearTimeout(timer);
  }
}

function addFormReader(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser<string>(FORM_TYPE, { parseAs: "string" }, (_request, body, done) => {
    done(null, new URLSearchParams(body));
  });
  scope.addContentTypeParser("*", ({ headers }, _body, done) => {
    const detail = `content-type: expected ${FORM_TYPE}, got ${headers["content-type"]}`;
    done(failure("NOT_A_FORM", detail));
  });
}

/** A browser says where a form comes from; a program that is none says nothing, and has no user's key to abuse. */
function crossSiteFault({ headers }: FastifyRequest): Error | undefined {
  const { "sec-fetch-site": site, origin, host } = headers;
  const isOwn = site === undefined ? origin === undefined || isSameHost(origin, host) : OWN_SITES.has(String(site));
  if (isOwn) return undefined;
  const detail = `${PATH}: expected a form of this page, got one of another site`;
  return failure("CROSS_SITE", detail);
}

/** Values of Sec-Fetch-Site: this page's own form, or nobody's page. */
const OWN_SITES: ReadonlySet<string> = new Set(["same-origin", "none"]);

/** The scheme may differ: a proxy in front of the service speaks TLS. */
function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
