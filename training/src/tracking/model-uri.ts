/** Addresses of models, as MLflow writes them. */
import { ChurnError } from "@churn/contract";

/** A version of a registered model: by its number, or by an alias that points to it. */
export type VersionUri =
  | { readonly kind: "alias"; readonly name: string; readonly alias: string }
  | { readonly kind: "version"; readonly name: string; readonly version: string };

export type ModelUri =
  | VersionUri
  | { readonly kind: "model"; readonly modelId: string }
  | { readonly kind: "run"; readonly runId: string };

const FORMS = "models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or runs:/RUN_ID";

/** @throws CHURN_ERR_OPTION_INVALID */
export function parseModelUri(text: string): ModelUri {
  const [, scheme, path = ""] = /^(models|runs):\/+(.+)$/.exec(text) ?? [];
  if (scheme === "runs") {
    const [, runId] = /^([A-Za-z0-9][\w-]*)(?:\/[^/]+)?\/?$/.exec(path) ?? [];
    if (runId !== undefined) return { kind: "run", runId };
  }
  if (scheme === "models") {
    if (/^m-[0-9a-f]{32}$/.test(path)) return { kind: "model", modelId: path };
    const [, name, mark, rest] = /^([^/@:]+)([@/])([\w-]+)$/.exec(path) ?? [];
    if (mark === "@") return { kind: "alias", name, alias: rest };
    if (mark === "/" && /^\d+$/.test(rest)) return { kind: "version", name, version: rest };
  }
  throw new ChurnError("CHURN_ERR_OPTION_INVALID", `expected ${FORMS}, got "${text}"`);
}

export function describeVersion(uri: VersionUri): string {
  return uri.kind === "alias" ? `alias "${uri.alias}" of "${uri.name}"` : `version ${uri.version} of "${uri.name}"`;
}
