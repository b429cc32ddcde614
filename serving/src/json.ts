/**
 * JSON from bytes: in UTF-8, and not nested without end. Unlike Fastify's own reader it tells where the text breaks; a field named
 * `__proto__` needs no special care, as the strict schemas refuse it like any unknown field.
 */
import { errorCodes } from "fastify";
import { failure } from "./problems.ts";

/** A customer's fields are at depth 1, or 2 in a list; the rest is room for a fault to be named. */
const MAX_DEPTH = 16;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws A failure for a caller to read */
export function parseJson(json: Uint8Array): unknown {
  if (json.length === 0) throw new errorCodes.FST_ERR_CTP_EMPTY_JSON_BODY();
  checkDepth(json);
  try {
    return JSON.parse(utf8.decode(json));
  } catch (cause) {
    throw Object.assign(new errorCodes.FST_ERR_CTP_INVALID_JSON_BODY(), { cause });
  }
}

/** What is no JSON at all is not judged. */
function checkDepth(json: Uint8Array): void {
  let depth = 0;
  let isText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (isText) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) {
      isText = true;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1;
      if (depth > MAX_DEPTH)
        throw failure("TOO_DEEP", `body: expected at most ${MAX_DEPTH} levels of lists and objects`);
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth -= 1;
    }
  }
}
