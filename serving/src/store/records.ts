/**
 * Records for the prediction store, made from a request. Identities never get here, as the request schema has no field
 * for them; what a specification calls sensitive is hashed where the service has a secret for that: equal values stay equal,
 * and nobody reads them back.
 */
import { createHmac } from "node:crypto";
import {
  type DatasetSpecification,
  featureColumnNames,
  type ModelManifest,
  type PredictionRecord,
} from "@churn/contract";

/** A customer that satisfies the request schema. */
export type Customer = Readonly<Record<string, unknown>>;

/** Digits of a hash; 128 bits. */
const HASH_LENGTH = 32;

export class RecordMaker {
  readonly #manifest: ModelManifest;
  readonly #columns: readonly { readonly name: string; readonly isHashed: boolean }[];
  readonly #secret: string | undefined;

  constructor(manifest: ModelManifest, secret: string | undefined) {
    const { dataset } = manifest;
    this.#manifest = manifest;
    this.#secret = secret;
    this.#columns = featureColumnNames(dataset).map((name) => ({
      name,
      isHashed: secret !== undefined && dataset.columns[name].sensitive === true,
    }));
  }

  /** @param customer Satisfies the request schema. */
  prediction(
    customer: Customer,
    {
      id,
      at,
      score,
      decision,
    }: { readonly id: string; readonly at: number; readonly score: number; readonly decision: 0 | 1 },
  ): PredictionRecord {
    const { dataset, version, contentSha256 } = this.#manifest;
    const features: Record<string, unknown> = {};
    for (const { name, isHashed } of this.#columns) {
      const value = Object.hasOwn(customer, name) ? customer[name] : null;
      features[name] = isHashed && value !== null ? this.#hash(value) : value;
    }
    return {
      kind: "prediction",
      predictionId: id,
      predictedAt: at,
      customerKey: this.#key(dataset, customer),
      observedAt: observationTime(dataset, customer),
      features,
      score,
      decision,
      modelVersion: version,
      modelSha256: contentSha256,
    };
  }

  /** A customer key as it is stored. */
  customerKey(key: string): string {
    const { key: column } = this.#manifest.dataset;
    const isSensitive = column !== undefined && this.#manifest.dataset.columns[column]?.sensitive === true;
    return isSensitive && this.#secret !== undefined ? this.#hash(key) : key;
  }

  #key({ key }: DatasetSpecification, customer: Customer): string | null {
    if (key === undefined || !Object.hasOwn(customer, key)) return null;
    return this.customerKey(String(customer[key]));
  }

  #hash(value: unknown): string {
    return createHmac("sha256", this.#secret as string)
      .update(JSON.stringify(value))
      .digest("hex")
      .slice(0, HASH_LENGTH);
  }
}

/** In epoch milliseconds; null when a customer comes without one, or the column holds no dates. */
function observationTime({ time, columns }: DatasetSpecification, customer: Customer): number | null {
  if (time === undefined || !Object.hasOwn(customer, time) || columns[time]?.type !== "date") return null;
  const text = String(customer[time]);
  const hasZone = !text.includes("T") || /(Z|[+-]\d{2}:\d{2})$/.test(text);
  return Date.parse(hasZone ? text : `${text}Z`); // without a zone it means the same everywhere
}
