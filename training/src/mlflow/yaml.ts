/**
 * YAML as MLflow's files have it: the one place that knows the library.
 *
 * Python reads it by the rules of YAML 1.1, to which `0123`, `1_0` or `yes` are no texts, so every text is quoted.
 * Reading leaves each scalar the text that it is: what is a number, the reader of a field knows.
 */
import { dump, FAILSAFE_SCHEMA, load } from "js-yaml";

export type YamlValue = string | readonly YamlValue[] | YamlMap;
export interface YamlMap {
  readonly [key: string]: YamlValue;
}

export function encodeYaml(value: Readonly<Record<string, unknown>>): string {
  return dump(value, { forceQuotes: true, lineWidth: -1 });
}

/** @throws Error for text that is no map in YAML */
export function decodeYaml(text: string): YamlMap {
  const value = load(text, { schema: FAILSAFE_SCHEMA });
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("expected a YAML map");
  return value as YamlMap;
}
