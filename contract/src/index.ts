/** What both planes share. */
export * from "./aside.ts";
export * from "./calibration.ts";
export * from "./cut-points.ts";
export * from "./dataset.ts";
export * from "./errors.ts";
export * from "./expression.ts";
export * from "./features.ts";
export * from "./forest.ts";
export * from "./kernel.ts";
export * from "./manifest.ts";
export * from "./model.ts";
export * from "./model-directory.ts";
export * from "./reasons.ts";
export * from "./request.ts";
export * from "./schema-issues.ts";
export * from "./table.ts";
export * from "./tree-shap.ts";
