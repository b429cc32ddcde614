/**
 * `POST /predict/batch`: many customers at once, in two forms.
 *
 * - JSON: a list of up to 10,000, all or nothing: one faulty customer and none is scored.
 * - NDJSON: a customer per line, as many as there are, answered line by line while they come. A faulty line is answered by
 *   its problem, and the rest goes on. A client must read while it writes: when it does not read, nothing more is taken in.
 *
 * Other requests get their turn between every few customers.
 */
import { Readable } from "node:stream";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { describeValue, requestSchema } from "@churn/contract";
import type { ValidateFunction } from "ajv";
import type { FastifyError, FastifyInstance, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { parseJson } from "../json.ts";
import { checkEncoding } from "../plugins/body-limits.ts";
import { contextFacts } from "../plugins/request-context.ts";
import type { Prediction, Predictor } from "../predictor.ts";
import { bodyFaults, type Fault, failure, INTERNAL, invalid, toProblem } from "../problems.ts";
import { firstFaultValidator } from "../schemas.ts";
import type { Customer } from "../store/records.ts";
import { BODY_LIMIT_BYTES, PREDICTION_SCHEMA } from "./predict.ts";

const MAX_CUSTOMERS = 10_000;

/** Ten thousand customers of thirty columns take half of it. */
const LIST_LIMIT_BYTES = 16 * 2 ** 20;

/** Customers between two turns of others: some 4 ms. */
const TURN = 256;

const LINE_TOO_LONG = `line: expected at most ${BODY_LIMIT_BYTES} bytes, got more`;

const NDJSON = "application/x-ndjson";

/** How long a stream may give nothing, and take nothing, in ms. */
const STREAM_IDLE_MS = 30_000;

/** How the docs page shows a stream; it is no JSON, so nothing validates by this. */
const LINES_SCHEMA = { type: "string", description: "A customer as JSON on each line." };
const ANSWERS_SCHEMA = {
  type: "string",
  description:
    'On each line the prediction of that line\'s customer, as `POST /predict` gives it, or `{"line": 3, "error": {…}}` with a problem document.',
};

/** @param catchUp Resolves when the record of predictions is not far behind. */
export async function addBatchRoute(
  app: FastifyInstance,
  predictor: Predictor,
  catchUp: () => Promise<void>,
  logger: Logger,
): Promise<void> {
  const { dataset, inputExample, version } = predictor.model.manifest;
  const customerSchema = requestSchema(dataset);
  const validator = firstFaultValidator<Customer>(customerSchema);
  const list = { type: "array", minItems: 1, maxItems: MAX_CUSTOMERS };

  // In a scope of its own: no other route takes NDJSON.
  await app.register(async (scope) => {
    scope.addContentTypeParser(NDJSON, async (request: FastifyRequest, payload: unknown) => {
      checkEncoding(request);
      return payload;
    });
    scope.post<{ Body: unknown[] | Readable }>(
      "/predict/batch",
      {
        bodyLimit: LIST_LIMIT_BYTES,
        config: { scopes: ["predict"], failures: [400, 408, 413, 415, 422] },
        schema: {
          operationId: "predictBatch",
          tags: ["prediction"],
          summary: `Score many customers: a JSON list of up to ${MAX_CUSTOMERS}, or any number as NDJSON`,
          body: {
            content: {
              "application/json": { schema: { ...list, items: { ...customerSchema }, examples: [[inputExample]] } },
              [NDJSON]: { schema: { ...LINES_SCHEMA, examples: [`${JSON.stringify(inputExample)}\n`] } },
            },
          },
          response: {
            200: {
              description: "The predictions, in the order of the customers.",
              content: {
                "application/json": { schema: { type: "array", items: PREDICTION_SCHEMA } },
                [NDJSON]: { schema: ANSWERS_SCHEMA },
              },
            },
          },
        },
        // The list's length before its items, or a list of a million faults would make a million objects of them.
        validatorCompiler: () => () => true,
        serializerCompiler: () => JSON.stringify, // as for lines
      },
      async (request, reply) => {
        const { body } = request;
        if (body instanceof Readable) {
          const answers = answerLines(body, {
            answer: (line, number) => answerLine(line, number, request),
            catchUp,
            giveUp: () => reply.raw.destroy(),
            log: (facts) => log(request, facts),
          });
          return reply.type(NDJSON).send(Readable.from(answers, { objectMode: false }));
        }
        const customers = checkedList(body, validator());
        const predictions = await predictList(customers, predictor);
        log(request, { rows: predictions.length, contacts: contactsOf(predictions) });
        return reply.type("application/json").send(predictions);
      },
    );
  });

  /** The prediction of a line's customer, or what is wrong with the line. */
  function answerLine(line: Buffer, number: number, request: FastifyRequest): object {
    try {
      if (line.length > BODY_LIMIT_BYTES) throw failure("FST_ERR_CTP_BODY_TOO_LARGE", LINE_TOO_LONG);
      const customer = parseJson(line);
      const isCustomer = validator();
      if (isCustomer(customer)) return predictor.predict(customer);
      throw invalid("CHURN_ERR_ROW_INVALID", bodyFaults(isCustomer.errors ?? []));
    } catch (error) {
      const problem = toProblem(error as FastifyError);
      if (problem.status === INTERNAL.status) {
        logger.error({ event: "request.failed", ...contextFacts(request), err: error }, "request failed");
      }
      return { line: number, error: problem };
    }
  }

  function log(request: FastifyRequest, facts: Readonly<Record<string, unknown>>): void {
    logger.info({ event: "predict.batch", ...contextFacts(request), modelVersion: version, ...facts }, "batch served");
  }
}

const contactsOf = (predictions: readonly Prediction[]): number =>
  predictions.reduce((sum, { churn_prediction }) => sum + churn_prediction, 0);

/** @throws Each faulty customer's first fault, by its place in the list */
function checkedList(body: unknown, isCustomer: ValidateFunction<Customer>): readonly Customer[] {
  checkLength(body);
  const faults: Fault[] = [];
  for (const [i, customer] of body.entries()) {
    if (!isCustomer(customer)) faults.push(...bodyFaults(isCustomer.errors ?? [], `/${i}`));
  }
  if (faults.length > 0) throw invalid("CHURN_ERR_ROW_INVALID", faults);
  return body as Customer[];
}

function checkLength(body: unknown): asserts body is unknown[] {
  const refuse = (code: string, got: string): never => {
    const detail = `body: expected a list of 1 to ${MAX_CUSTOMERS} customers (or any number as ${NDJSON}), got ${got}`;
    throw invalid("CHURN_ERR_ROW_INVALID", [{ pointer: "", code, detail }]);
  };
  if (!Array.isArray(body)) return refuse("type", describeValue(body));
  if (body.length === 0) refuse("minItems", "none");
  if (body.length > MAX_CUSTOMERS) refuse("maxItems", String(body.length));
}

async function predictList(customers: readonly Customer[], predictor: Predictor): Promise<Prediction[]> {
  const predictions: Prediction[] = [];
  for (const customer of customers) {
    if (predictions.length > 0 && predictions.length % TURN === 0) await yieldToOthers();
    predictions.push(predictor.predict(customer));
  }
  return predictions;
}

interface Stream {
  readonly answer: (line: Buffer, number: number) => object;
  readonly catchUp: () => Promise<void>;
  /** Ends the connection. */
  readonly giveUp: () => void;
  readonly log: (facts: Readonly<Record<string, unknown>>) => void;
}

/** Answers lines as they come: the text for some lines at a time, one line each. */
async function* answerLines(body: Readable, { answer, catchUp, giveUp, log }: Stream): AsyncGenerator<string> {
  let rows = 0;
  let isWhole = false;
  // Runs out when the client neither sends nor reads.
  let idle = setTimeout(giveUp, STREAM_IDLE_MS);
  try {
    for await (const lines of linesOf(body)) {
      for (let start = 0; start < lines.length; start += TURN) {
        const turn = lines.slice(start, start + TURN);
        const answers = turn.map((line, i) => `${JSON.stringify(answer(line, rows + i + 1))}\n`);
        rows += turn.length;
        yield answers.join("");
        idle.refresh();
        await yieldToOthers();
      }
      clearTimeout(idle); // it is not the client who is waited for
      await catchUp();
      idle = setTimeout(giveUp, STREAM_IDLE_MS);
    }
    isWhole = true;
  } finally {
    clearTimeout(idle);
    log({ rows, isWhole });
  }
}

const NEWLINE = 0x0a;

/**
 * The lines of a stream without their ends, those that came together in a list; blank ones are none. The last needs no end. Of
 * one that is too long the beginning comes, once it is too long.
 */
async function* linesOf(stream: Readable): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  let isCut = false; // the rest of this line is left out
  for await (const chunk of stream) {
    const content = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk]);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = content.indexOf(NEWLINE); end >= 0; end = content.indexOf(NEWLINE, start)) {
      if (!isCut) lines.push(content.subarray(start, end));
      isCut = false;
      start = end + 1;
    }
    rest = isCut ? rest.subarray(0, 0) : content.subarray(start);
    if (rest.length > BODY_LIMIT_BYTES) {
      lines.push(rest);
      rest = rest.subarray(0, 0);
      isCut = true;
    }
    yield lines.filter(isNotBlank);
  }
  yield [rest].filter(isNotBlank);
}

function isNotBlank(line: Buffer): boolean {
  return line.some((byte) => byte !== 0x20 && byte !== 0x0d && byte !== 0x09);
}
