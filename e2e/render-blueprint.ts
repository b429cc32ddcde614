/** `render.yaml` as Render reads it: the service, its database, what a push deploys, what the variables are. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, matchesGlob } from "node:path";
import { ROOT } from "../serving/test/service-process.ts";
import { decodeYaml } from "../training/src/mlflow/yaml.ts";

/** One source each. Every scalar is a text here, `true` as well. */
export interface Variable {
  readonly key: string;
  readonly value?: string;
  readonly generateValue?: string;
  readonly fromDatabase?: { readonly name: string; readonly property: string };
}

export interface WebService {
  readonly type: string;
  readonly name: string;
  readonly runtime: string;
  readonly plan: string;
  readonly region: string;
  readonly buildCommand: string;
  readonly startCommand: string;
  readonly healthCheckPath: string;
  readonly autoDeployTrigger: string;
  readonly maxShutdownDelaySeconds: string;
  readonly buildFilter: { readonly paths: readonly string[]; readonly ignoredPaths: readonly string[] };
  readonly envVars: readonly Variable[];
}

export interface Database {
  readonly name: string;
  readonly plan: string;
  readonly region: string;
  readonly postgresMajorVersion: string;
  readonly databaseName: string;
  readonly user: string;
  readonly ipAllowList: readonly unknown[];
}

export interface Blueprint {
  readonly previews: { readonly generation: string };
  readonly services: readonly WebService[];
  readonly databases: readonly Database[];
}

export const BLUEPRINT_TEXT = readFileSync(join(ROOT, "render.yaml"), "utf8");
export const BLUEPRINT = decodeYaml(BLUEPRINT_TEXT) as unknown as Blueprint;

/** Whether a push that changes this file deploys: one of `paths` has it, and none of `ignoredPaths`. */
export function deploysOn(path: string, { paths, ignoredPaths }: WebService["buildFilter"]): boolean {
  const isIn = (globs: readonly string[]): boolean => globs.some((glob) => matchesGlob(path, glob));
  return isIn(paths) && !isIn(ignoredPaths);
}

/** The variables' values, as Render fills them in once. @param databaseUrl What `fromDatabase` gives. */
export function resolveVariables(variables: readonly Variable[], databaseUrl: string): Record<string, string> {
  return Object.fromEntries(
    variables.map(({ key, value, generateValue }) => [
      key,
      value ?? (generateValue === "true" ? randomBytes(32).toString("base64") : databaseUrl),
    ]),
  );
}
