/**
 * Seeded random numbers: the only source of chance in the training plane.
 *
 * A generator is named by a seed and a stream of numbers (which tree, which block of rows, which month),
 * so that parts of a job draw independently of each other, in any order and on any thread.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, period at least 2^32, passes
 * PractRand and BigCrush. The state is kept as signed 32-bit integers, which V8 stores without boxing.
 */

/** Rounds discarded after seeding, so that streams that differ in one bit have nothing in common (PractRand: 12). */
const WARM_UP_ROUNDS = 12;
const TWO_POW_32 = 4294967296;

export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /** @param seed, stream Safe integers of either sign; their order matters. */
  constructor(seed: number, ...stream: number[]) {
    for (const part of [seed, ...stream]) {
      this.#absorb(part | 0);
      this.#absorb(Math.floor(part / TWO_POW_32) | 0);
    }
    for (let round = 0; round < WARM_UP_ROUNDS; round++) this.int32();
  }

  /** All that the next numbers follow from, as sfc32's four words: what draws elsewhere goes on from here, and back. */
  get state(): readonly [a: number, b: number, c: number, counter: number] {
    return [this.#a, this.#b, this.#c, this.#counter];
  }

  set state(words: readonly [a: number, b: number, c: number, counter: number]) {
    [this.#a, this.#b, this.#c, this.#counter] = words;
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    return this.int32() >>> 0;
  }

  /** A whole number in [-2^31, 2^31): the same bits, which the engine passes on without boxing. */
  int32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }

  /** A double in [0, 1): one of 2^32 evenly spaced values. */
  uniform(): number {
    return (this.int32() >>> 0) / TWO_POW_32;
  }

  /**
   * A whole number in [0, n), for n in [1, 2^32]. Multiply-and-shift without rejection: no value is
   * more likely than another by more than n / 2^32 of its probability.
   *
   * @source Lemire 2019, "Fast random integer generation in an interval"
   */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Mixes 32 bits into the state (the finaliser of MurmurHash3, spread over the three words). */
  #absorb(bits: number): void {
    let hash = (this.#a ^ bits) | 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
    this.#a = (this.#b + 0x9e3779b9) | 0;
    this.#b = (this.#c ^ hash) | 0;
    this.#c = (Math.imul(hash, 0x2545f491) + this.#a) | 0;
  }
}
