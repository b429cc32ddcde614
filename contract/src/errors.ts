/**
 * Every way this project refuses work, in one table.
 *
 * A broken promise (bad input, a damaged artifact, a wrong option) throws a `ChurnError`; ordinary
 * outcomes (a model that is no better, too little data) are values. The planes translate: the command
 * line maps a code to an exit code, the service to an HTTP status. A message names the subject, what
 * was expected, what came, and what to do next. `docs/errors.md` explains each code.
 */

/** Code → what it means. The one list of codes; a test compares it with `docs/errors.md`. */
export const ERROR_CODES = {
  CHURN_ERR_OPTION_INVALID: "an option of a command or an environment variable has a value it cannot have",
  CHURN_ERR_DATASET_INVALID: "a dataset specification (dataset.json) breaks its schema or contradicts itself",
  CHURN_ERR_EXPRESSION_INVALID: "a feature expression does not parse, or uses what the language does not have",
  CHURN_ERR_FILE_MISSING: "a file or folder that was named does not exist",
  CHURN_ERR_FILE_UNREADABLE: "a file exists but is not what its name says",
  CHURN_ERR_FILE_UNWRITABLE: "an output could not be written",
  CHURN_ERR_DATA_INVALID: "a data file does not fit its dataset specification",
  CHURN_ERR_DATA_INSUFFICIENT: "there are too few rows, or too few of one class, to do what was asked",
  CHURN_ERR_FOREST_LIMIT: "a forest would exceed what its packed format can hold",
  CHURN_ERR_MODEL_INVALID: "a model directory is missing, incomplete, damaged or of another format version",
  CHURN_ERR_ROW_INVALID: "one customer's values break the request schema",
  CHURN_ERR_TRACKING_SERVER: "a tracking server cannot be reached, or refuses",
  CHURN_ERR_STORE_FAILED: "the prediction store cannot be reached, or failed at what it was asked",
  CHURN_ERR_STORE_VERSION: "the prediction store was made by a later version of this program, or is none",
  CHURN_ERR_SERVICE_LOG: "the service's log could not be written",
  CHURN_ERR_SERVICE_START: "the service could not start (a port in use, an address that may not be used)",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One fault among several: where it is (a JSON Pointer or a column), and what is wrong there. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** The only error this project throws on purpose; anything else that surfaces is a bug. */
export class ChurnError extends Error {
  readonly code: ErrorCode;
  /** The single faults behind a message that sums several up; empty when there is only one. */
  readonly issues: readonly Issue[];

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; issues?: readonly Issue[] } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ChurnError";
    this.code = code;
    this.issues = options.issues ?? [];
  }
}
