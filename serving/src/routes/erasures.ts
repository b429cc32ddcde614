/**
 * `POST /erasures`: a customer is to be forgotten, here and in the store. The key comes in the body, as paths end up in the
 * logs of whatever stands in front.
 */
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { contextFacts } from "../plugins/request-context.ts";
import { failure } from "../problems.ts";
import { CUSTOMER_KEY_SCHEMA, objectSchema } from "../schemas.ts";

/** @param erase Of a key, in every worker; resolves to whether all have noted it on disk. */
export function addErasuresRoute(app: FastifyInstance, erase: (key: string) => Promise<boolean>, logger: Logger): void {
  app.post<{ Body: { readonly customer_key: string } }>(
    "/erasures",
    {
      config: { scopes: ["erasure"], failures: [400, 408, 413, 415, 422, 503] },
      schema: {
        operationId: "eraseCustomer",
        tags: ["outcome"],
        summary: "Forget a customer: his predictions and outcomes",
        body: {
          ...objectSchema({ customer_key: CUSTOMER_KEY_SCHEMA }),
          additionalProperties: false,
          examples: [{ customer_key: "C-1001" }],
        },
        response: {
          202: objectSchema(
            { status: { type: "string", enum: ["accepted"] } },
            { description: "What waits here is erased; the store erases in its turn, as soon as it is there." },
          ),
        },
      },
      schemaErrorFormatter: () => failure("BODY_INVALID", "the body does not fit the schema"),
    },
    async (request, reply) => {
      if (!(await erase(request.body.customer_key))) {
        throw failure("STORE_FULL", "the erasure could not be noted by every worker: send it again");
      }
      logger.info({ event: "erasure.accepted", ...contextFacts(request) }, "erasure accepted");
      return reply.status(202).send({ status: "accepted" });
    },
  );
}
