/**
 * What MLflow takes, and what becomes of the rest: nothing is cut, dropped or renamed without a word.
 *
 * @source mlflow/utils/validation.py (3.17)
 */
import type { Artifact } from "../mlflow/artifact.ts";
import type { DatasetInput, MetricPoint, Run } from "./run.ts";

/** Characters. */
const LIMITS = {
  ...{ key: 250, param: 6000, tag: 8000, runName: 250 },
  dataset: { name: 500, digest: 36, source: 65_535, schema: 1_048_575, profile: 16_777_215 },
};
const KEY = /^[/\w.\- :\p{L}\p{N}]+$/u;

/** A run that any MLflow takes, and in words what of it is changed or left out. */
export function fitToLimits(run: Run): { readonly run: Run; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const entries = (kind: "param" | "tag", values: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(values)
        .filter(([key]) => isKey(kind, key, problems))
        .map(([key, value]) => [key, cut(`${kind} ${key}`, value, LIMITS[kind], problems)]),
    );
  const points = <T extends MetricPoint>(metrics: readonly T[]): T[] => {
    const odd = new Set(metrics.filter(({ value }) => !Number.isFinite(value)).map(({ key }) => key));
    for (const key of odd) problems.push(`metric ${key}: expected finite numbers: the others are left out`);
    const bad = new Set([...new Set(metrics.map(({ key }) => key))].filter((key) => !isKey("metric", key, problems)));
    return distinct(metrics.filter(({ key, value }) => Number.isFinite(value) && !bad.has(key)));
  };
  const { name, params, metrics, tags, inputs, artifacts, model } = run;
  const fitted = {
    ...run,
    name: cut("run name", name, LIMITS.runName, problems),
    params: entries("param", withoutNested("param", params, problems)),
    metrics: points(withoutNestedPoints(metrics, problems)),
    tags: entries("tag", withoutNested("tag", tags, problems)),
    inputs: inputs.map((input) => fitInput(input, problems)),
    artifacts: artifacts.filter(({ path }) => isArtifactPath(path, problems)),
    model: model && {
      ...model,
      params: entries("param", model.params),
      metrics: points(model.metrics),
      tags: entries("tag", model.tags),
      files: model.files.filter(({ path }: Artifact) => isArtifactPath(path, problems)),
    },
  };
  return { run: fitted, problems };
}

function isKey(kind: string, key: string, problems: string[]): boolean {
  const isNormal = key.split("/").every((part) => !["", ".", ".."].includes(part));
  if (KEY.test(key) && isNormal && key.length <= LIMITS.key) return true;
  const got = key.length > LIMITS.key ? `${key.length} characters` : JSON.stringify(key);
  problems.push(
    `a ${kind} is left out: expected a name of letters, digits and "/_-. :", of at most ${LIMITS.key} characters, got ${got}`,
  );
  return false;
}

function cut(what: string, value: string, limit: number, problems: string[]): string {
  if (value.length <= limit) return value;
  problems.push(`${what}: expected at most ${limit} characters, got ${value.length}: the rest is cut off`);
  return value.slice(0, limit);
}

/** As files, `a` and `a/b` cannot both be. */
function withoutNested<T>(kind: string, values: Readonly<Record<string, T>>, problems: string[]): Record<string, T> {
  const names = new Set(Object.keys(values));
  return Object.fromEntries(Object.entries(values).filter(([key]) => !isNested(kind, key, names, problems)));
}

function withoutNestedPoints(points: readonly MetricPoint[], problems: string[]): MetricPoint[] {
  const names = new Set(points.map(({ key }) => key));
  const nested = new Set([...names].filter((key) => isNested("metric", key, names, problems)));
  return points.filter(({ key }) => !nested.has(key));
}

function isNested(kind: string, key: string, names: ReadonlySet<string>, problems: string[]): boolean {
  const parent = key
    .split("/")
    .map((_, i, parts) => parts.slice(0, i).join("/"))
    .find((prefix) => prefix !== "" && names.has(prefix));
  if (parent !== undefined) problems.push(`${kind} ${key} is left out: there is a ${kind} ${parent}`);
  return parent !== undefined;
}

/** MLflow's databases refuse the same point twice. */
function distinct<T extends MetricPoint>(points: readonly T[]): T[] {
  return [...new Map(points.map((point) => [JSON.stringify(Object.values(point)), point])).values()];
}

function fitInput(input: DatasetInput, problems: string[]): DatasetInput {
  const { name, digest, source, schema, profile } = input;
  const what = (part: string): string => `dataset ${name}: ${part}`;
  // JSON that is cut is none.
  const whole = (part: string, json: string, limit: number): string => {
    if (json.length <= limit) return json;
    problems.push(`${what(part)}: expected at most ${limit} characters, got ${json.length}: left out`);
    return "{}";
  };
  return {
    ...input,
    name: cut(what("name"), name, LIMITS.dataset.name, problems),
    digest: cut(what("digest"), digest, LIMITS.dataset.digest, problems),
    source: whole("source", source, LIMITS.dataset.source),
    schema: whole("schema", schema, LIMITS.dataset.schema),
    profile: whole("profile", profile, LIMITS.dataset.profile),
  };
}

function isArtifactPath(path: string, problems: string[]): boolean {
  const isPlain = path.split("/").every((part) => !["", ".", ".."].includes(part)) && !/[#\\%\p{Cc}]/u.test(path);
  if (!isPlain)
    problems.push(`an artifact is left out: expected a relative path without # % \\, got ${JSON.stringify(path)}`);
  return isPlain;
}
