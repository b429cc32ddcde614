/**
 * The forest's parameters: names and meaning as in scikit-learn, defaults and ranges in one table.
 *
 * The command line's options, their help and their checks are read from here.
 */
import { ChurnError, type ForestParameters } from "@churn/contract";

interface Parameter {
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly integer: boolean;
  readonly help: string;
}

/** Why these defaults: docs/defaults.md. */
export const FOREST_PARAMETERS: Readonly<Record<keyof ForestParameters, Parameter>> = {
  nEstimators: { default: 300, minimum: 1, maximum: 10_000, integer: true, help: "number of trees" },
  maxDepth: { default: 12, minimum: 1, maximum: 32, integer: true, help: "greatest depth of a tree" },
  minSamplesLeaf: {
    default: 8,
    minimum: 1,
    maximum: 1_000_000,
    integer: true,
    help: "fewest rows in a leaf, counted with their bootstrap weight",
  },
  maxSamples: {
    default: 0.2,
    minimum: 0,
    maximum: 1,
    integer: false,
    help: "rows drawn per tree, with replacement, as a share of all",
  },
  maxFeatures: {
    default: 0.3,
    minimum: 0,
    maximum: 65_535,
    integer: false,
    help: "features tried per split: a share of all (below 1) or a count",
  },
  maxBins: { default: 255, minimum: 2, maximum: 255, integer: true, help: "bins per feature, missing values apart" },
};

export const DEFAULT_FOREST_PARAMETERS = Object.fromEntries(
  Object.entries(FOREST_PARAMETERS).map(([name, parameter]) => [name, parameter.default]),
) as unknown as ForestParameters;

/** @throws CHURN_ERR_OPTION_INVALID naming the parameter, its range and what came */
export function checkForestParameters(parameters: ForestParameters): void {
  for (const [name, { minimum, maximum, integer }] of Object.entries(FOREST_PARAMETERS)) {
    const value = parameters[name as keyof ForestParameters];
    const isInside = value >= minimum && value <= maximum && value > 0 && (!integer || Number.isInteger(value));
    if (isInside) continue;
    const range = minimum === 0 ? `(0, ${maximum}]` : `[${minimum}, ${maximum}]`;
    throw new ChurnError(
      "CHURN_ERR_OPTION_INVALID",
      `${name}: expected a ${integer ? "whole number" : "number"} in ${range}, got ${value}`,
    );
  }
}

/** How many features a split tries. */
export function featuresPerSplit(maxFeatures: number, nFeatures: number): number {
  const count = maxFeatures < 1 ? Math.round(maxFeatures * nFeatures) : Math.floor(maxFeatures);
  return Math.min(nFeatures, Math.max(1, count));
}
