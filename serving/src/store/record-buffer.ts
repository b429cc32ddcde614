/**
 * Records in memory, as the bytes that go to the spool. Bytes and not strings: thousands of strings that live for some
 * milliseconds are what makes a garbage collector stop everything.
 */

const FIRST_SIZE = 64 * 1024;

export class RecordBuffer {
  readonly #limit: number;
  #bytes = Buffer.allocUnsafe(FIRST_SIZE);
  #length = 0;
  #count = 0;
  #firstAt: number | undefined;

  /** @param limit What it may hold, in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Records. */
  get count(): number {
    return this.#count;
  }

  /** Bytes. */
  get length(): number {
    return this.#length;
  }

  /** When the oldest record came, in epoch ms. */
  get firstAt(): number | undefined {
    return this.#firstAt;
  }

  /** Valid until the next call of `add` or `clear`. */
  get content(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @returns Whether there was room. */
  add(record: object, now: number): boolean {
    const line = `${JSON.stringify(record)}\n`;
    const needed = this.#length + line.length * 3; // a UTF-16 unit takes at most three bytes
    if (needed > this.#limit) return false;
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#length += this.#bytes.write(line, this.#length);
    this.#count += 1;
    this.#firstAt ??= now;
    return true;
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
    this.#firstAt = undefined;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
