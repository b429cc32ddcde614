/**
 * API keys: who may do what. Only their SHA-256 digests stay in memory, and finding one looks at every digest, so that the
 * time it takes says nothing of how near a guess was.
 */
import { hash, timingSafeEqual } from "node:crypto";

/** What a key may be allowed to do; a key without a list of scopes may do all of it. */
export const SCOPES = ["predict", "outcomes", "metrics", "erasure"] as const;

export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  /** First digits of the digest: names the key in logs and for the rate limit. */
  readonly id: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** A shorter key is accepted, with a warning in the log: it can be guessed. */
export const SAFE_KEY_LENGTH = 16;

const ID_LENGTH = 8;

/** What an HTTP header can carry as a token, without the separators of the list. */
const KEY = /^[!-+\--9;-~]+$/;

interface Entry extends ApiKey {
  readonly digest: Buffer;
}

/** The keys of one service; without any, it is open. */
export class ApiKeys {
  readonly #entries: readonly Entry[];
  /** How many are shorter than `SAFE_KEY_LENGTH`. */
  readonly weak: number;

  private constructor(entries: readonly Entry[], weak: number) {
    this.#entries = entries;
    this.weak = weak;
  }

  /**
   * Reads a comma list of `[scope+scope:]key`.
   *
   * @param report Told what is wrong with an entry, by its place in the list: the key itself is a secret.
   */
  static parse(text: string | undefined, report: (fault: string) => void = () => {}): ApiKeys {
    const entries: Entry[] = [];
    let weak = 0;
    for (const [i, item] of (text === undefined ? [] : text.split(",")).entries()) {
      const place = `entry ${i + 1}`;
      const colon = item.indexOf(":");
      const scopes = colon < 0 ? [...SCOPES] : item.slice(0, colon).trim().split("+");
      const key = item.slice(colon + 1).trim();
      const digest = digestOf(key);
      if (!scopes.every(isScope)) {
        report(`${place}: expected scopes of ${SCOPES.join(", ")} before the colon (a key has none itself)`);
      } else if (!KEY.test(key)) {
        report(`${place}: expected a key of visible ASCII characters, without comma or colon`);
      } else if (entries.some((other) => other.digest.equals(digest))) {
        report(`${place}: the same key stands before: give it all its scopes in one entry`);
      } else {
        entries.push({ id: digest.toString("hex").slice(0, ID_LENGTH), scopes: new Set(scopes), digest });
        if (key.length < SAFE_KEY_LENGTH) weak += 1;
      }
    }
    return new ApiKeys(entries, weak);
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The key that a caller shows; undefined when it is none of ours. */
  find(presented: string): ApiKey | undefined {
    const digest = digestOf(presented);
    let found: ApiKey | undefined;
    for (const entry of this.#entries) if (timingSafeEqual(entry.digest, digest)) found = entry;
    return found;
  }
}

function digestOf(key: string): Buffer {
  return hash("sha256", key, "buffer");
}

function isScope(name: string): name is Scope {
  return (SCOPES as readonly string[]).includes(name);
}
