/**
 * What every prediction store must do, as a suite to run on each: SQLite in `sqlite-store.test.ts`, PostgreSQL in
 * `e2e/postgres-store.test.ts`.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ErasureRecord, LogRecord, OutcomeRecord, PredictionRecord } from "@churn/contract";
import {
  openStore,
  type PredictionStore,
  type RecentPrediction,
  type StoreOptions,
} from "../src/store/prediction-store.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 15);
const HORIZON_DAYS = 30;
const ALL = 1_000_000;

/** Text that has broken programs; a double that ends in each bit; a key that no index of PostgreSQL's takes. */
const HARD_TEXTS = [
  ...[
    "",
    " ",
    "O'Brien",
    'a "quoted" key',
    "back\\slash",
    "C:\\users\\u0000",
    "null",
    "{a,b}",
    "%s $1 ?",
    "-- comment",
  ],
  ...[
    "nul \0 inside",
    "\0",
    "\\\0",
    "half \ud83d",
    "\udc00 half",
    "😀 whole",
    "ünïcödé",
    "e\u0301",
    "\u2028\u2029",
    "\ufeff",
  ],
  ...["line\r\nbreak\ttab", "\u0001\u001f\u007f", "x".repeat(512)],
];
const LONG_TEXTS = ["y".repeat(5000), `${"y".repeat(5000)}!`, "😀".repeat(3000)];

/** @param id A number; ids sort by it. */
export function prediction(id: number, change: Partial<PredictionRecord> = {}): PredictionRecord {
  return {
    kind: "prediction",
    predictionId: `01970000-0000-7000-8000-${String(id).padStart(12, "0")}`,
    predictedAt: NOW + id,
    customerKey: `member-${id}`,
    observedAt: null,
    features: { visits_per_week: 2, plan: "gold", pays_cash: false, coach: null },
    score: 0.25,
    decision: 0,
    modelVersion: "20260601T000000Z-1a2b3c4d",
    modelSha256: "1a2b3c4d".repeat(8),
    ...change,
  };
}

/** @param subject A prediction, or a customer's key. */
export function outcome(
  subject: PredictionRecord | string,
  value: 0 | 1,
  change: Partial<OutcomeRecord> = {},
): OutcomeRecord {
  return {
    kind: "outcome",
    predictionId: typeof subject === "string" ? null : subject.predictionId,
    customerKey: typeof subject === "string" ? subject : null,
    observedAt: NOW + 10 * DAY,
    outcome: value,
    reportedAt: NOW + 11 * DAY,
    contacted: null,
    ...change,
  };
}

export function erasure(customerKey: string): ErasureRecord {
  return { kind: "erasure", customerKey, requestedAt: NOW + 12 * DAY };
}

/** Id → outcome of all that is there. */
async function outcomes(store: PredictionStore): Promise<Record<string, 0 | 1 | null>> {
  return Object.fromEntries((await store.recent(ALL)).map((each) => [each.predictionId, each.outcome]));
}

const withOutcome = ({ kind: _, ...rest }: PredictionRecord, value: 0 | 1 | null = null): RecentPrediction => ({
  ...rest,
  outcome: value,
});

/** A small generator of numbers in [0, 1), so that a failure can be repeated (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param newUrl Gives the URL of a store that is not there yet. */
export function testStore(kind: string, newUrl: () => string, skip: string | false = false): void {
  const storeTest = (
    claim: string,
    run: (store: PredictionStore, url: string) => Promise<void>,
    options: StoreOptions = { horizonDays: HORIZON_DAYS },
  ) =>
    test(`${kind}: ${claim}`, { skip }, async () => {
      const url = newUrl();
      const store = await openStore(url, options);
      try {
        await store.migrate();
        await run(store, url);
      } finally {
        await store.close();
      }
    });

  storeTest("an empty store has nothing to tell", async (store) => {
    assert.deepEqual(await store.recent(10), []);
    assert.deepEqual(await store.summary(0), {
      predictions: 0,
      contacts: 0,
      outcomes: 0,
      confusion: { truePositives: 0, falsePositives: 0, falseNegatives: 0, trueNegatives: 0 },
      scores: Array(20).fill(0),
      firstAt: null,
      lastAt: null,
    });
    assert.equal(await store.removeBefore(NOW), 0);
    await store.append([]);
  });

  storeTest("a prediction comes back as it was, the newest first, no more than asked for", async (store) => {
    const all = [prediction(1, { customerKey: null }), prediction(3, { observedAt: NOW - DAY }), prediction(2)];

    await store.append(all);

    assert.deepEqual(await store.recent(2), [withOutcome(all[1]), withOutcome(all[2])]);
    assert.deepEqual((await store.recent(ALL))[2], withOutcome(all[0]));
  });

  storeTest("appending the same again changes nothing, and the first of an id stays", async (store) => {
    const first = prediction(1);
    const records = [first, outcome(first, 1), outcome("member-1", 0)];

    await store.append(records);
    await store.append([...records, ...records]);
    await store.append([prediction(1, { score: 0.75 })]);

    assert.deepEqual(await store.recent(ALL), [withOutcome(first, 1)]);
  });

  storeTest("a call with a record that cannot be written writes none of its records", async (store) => {
    const broken = outcome("member-1", 1, { customerKey: null });

    await assert.rejects(store.append([prediction(1), broken]), { code: "CHURN_ERR_STORE_FAILED" });

    assert.deepEqual(await store.recent(ALL), []);
    await store.append([prediction(1)]);
    assert.equal((await store.recent(ALL)).length, 1);
  });

  for (const [subject, of] of [
    ["a prediction", (first: PredictionRecord) => first],
    ["a customer", () => "member-1"],
  ] as const) {
    storeTest(`of outcomes of ${subject} the one reported last holds, in whatever order they come`, async (store) => {
      const first = prediction(1, { observedAt: NOW });
      const early = outcome(of(first), 1, { reportedAt: NOW + 1 });
      const late = outcome(of(first), 0, { reportedAt: NOW + 2, observedAt: early.observedAt });
      const at = NOW + 40 * DAY; // firm for either outcome, of a prediction whose horizon is open
      const [one, two] = [early, late].map((each) => ({
        ...each,
        observedAt: typeof of(first) === "string" ? at : each.observedAt,
      }));

      await store.append([first]);
      for (const order of [
        [one, two],
        [two, one],
      ]) {
        await store.append([erasure("member-1"), first]);
        for (const each of order) await store.append([each]);
        assert.deepEqual(await outcomes(store), { [first.predictionId]: 0 });

        await store.append([erasure("member-1"), first, ...order]);
        assert.deepEqual(await outcomes(store), { [first.predictionId]: 0 });
      }
    });
  }

  storeTest("of two outcomes reported at once the later to come holds", async (store) => {
    const first = prediction(1);

    await store.append([first, outcome(first, 1), outcome(first, 0)]);
    assert.deepEqual(await outcomes(store), { [first.predictionId]: 0 });

    await store.append([outcome(first, 1)]);
    assert.deepEqual(await outcomes(store), { [first.predictionId]: 1 });
  });

  storeTest("an outcome may come before its prediction, long after it, or for none", async (store) => {
    const [first, second, third] = [prediction(1), prediction(2), prediction(3)];

    await store.append([outcome(first, 1), outcome("member-2", 1), outcome(prediction(9), 1), outcome("nobody", 0)]);
    await store.append([first, second, third]);
    await store.append([outcome(third, 0, { observedAt: NOW + 5000 * DAY, reportedAt: NOW + 5001 * DAY })]);

    assert.deepEqual(await outcomes(store), {
      [first.predictionId]: 1,
      [second.predictionId]: 1,
      [third.predictionId]: 0,
    });
  });

  storeTest("an outcome of the prediction itself goes before its customer's", async (store) => {
    const first = prediction(1);

    await store.append([first, outcome("member-1", 1), outcome(first, 0)]);

    assert.deepEqual(await outcomes(store), { [first.predictionId]: 0 });
  });

  /** Days after the prediction, outcome → what the prediction's outcome is, with and without a horizon of 30 days. */
  const BY_CUSTOMER: readonly [readonly (readonly [number, 0 | 1])[], 0 | 1 | null, 0 | 1 | null][] = [
    [[], null, null],
    [[[-1, 1]], null, null],
    [[[0, 1]], null, null],
    [[[1 / DAY, 1]], 1, 1],
    [[[30, 1]], 1, 1],
    [[[30 + 1 / DAY, 1]], null, 1],
    [[[1, 0]], null, 0],
    [[[30 - 1 / DAY, 0]], null, 0],
    [[[30, 0]], 0, 0],
    [[[90, 0]], 0, 0],
    [
      [
        [10, 0],
        [20, 1],
      ],
      1,
      1,
    ],
    [
      [
        [20, 1],
        [60, 0],
      ],
      1,
      1,
    ],
    [
      [
        [10, 0],
        [40, 1],
      ],
      null,
      1,
    ],
    [
      [
        [31, 1],
        [40, 0],
      ],
      0,
      1,
    ],
    [
      [
        [-5, 1],
        [40, 0],
      ],
      0,
      0,
    ],
  ];

  for (const [horizon, column] of [
    [HORIZON_DAYS, 1],
    [undefined, 2],
  ] as const) {
    storeTest(
      `a customer's outcome belongs to a prediction by time, with a horizon of ${horizon ?? "no"} days`,
      async (store) => {
        const expected: Record<string, 0 | 1 | null> = {};
        for (const [i, row] of BY_CUSTOMER.entries()) {
          // The time of the request's own time column goes before that of the prediction.
          for (const [half, time] of [
            [0, null],
            [1, NOW - 100 * DAY],
          ] as const) {
            const id = 2 * i + half;
            const first = prediction(id, { predictedAt: NOW, observedAt: time });
            const at = (days: number) => Math.round((time ?? NOW) + days * DAY);
            const reports = row[0].map(([days, value]) => outcome(`member-${id}`, value, { observedAt: at(days) }));
            await store.append([first, ...reports]);
            expected[first.predictionId] = row[column];
          }
        }

        assert.deepEqual(await outcomes(store), expected);
      },
      { horizonDays: horizon },
    );
  }

  storeTest("a summary counts decisions against outcomes, and scores in twenty bins", async (store) => {
    const scores = [0, 0.04, 0.05, 0.15, 0.35, 0.55, 0.95, 0.9999999999999999, 1];
    const cases = [
      [1, 1],
      [1, 1],
      [1, 0],
      [0, 1],
      [0, 0],
      [0, 0],
      [0, 0],
      [1, null],
      [0, null],
    ] as const;
    const all = cases.map(([decision], i) => prediction(i, { decision, score: scores[i] }));
    const reports = cases.flatMap(([, value], i) => (value === null ? [] : [outcome(all[i], value)]));
    const before = prediction(99, { predictedAt: NOW - 1, decision: 1, score: 0.5 });

    await store.append([before, ...all, ...reports, outcome(before, 1)]);

    const bins = Array(20).fill(0);
    for (const bin of [0, 0, 1, 3, 7, 11, 19, 19, 19]) bins[bin]++;
    assert.deepEqual(await store.summary(NOW), {
      predictions: 9,
      contacts: 4,
      outcomes: 7,
      confusion: { truePositives: 2, falsePositives: 1, falseNegatives: 1, trueNegatives: 3 },
      scores: bins,
      firstAt: NOW,
      lastAt: NOW + 8,
    });
  });

  storeTest("an erasure takes a customer's predictions and outcomes, and nobody else's", async (store) => {
    const all = [1, 2, 3].map((id) => prediction(id, { customerKey: id === 3 ? "other" : "gone" }));
    const nameless = prediction(4, { customerKey: null });
    const reports = [...all.map((each) => outcome(each, 1)), outcome("gone", 1), outcome("other", 1)];

    await store.append([...all, nameless, ...reports]);
    await store.append([erasure("gone")]);
    assert.deepEqual(await outcomes(store), { [nameless.predictionId]: null, [all[2].predictionId]: 1 });

    await store.append(all); // were an outcome still there, it would show
    assert.deepEqual(await outcomes(store), {
      [nameless.predictionId]: null,
      [all[2].predictionId]: 1,
      [all[0].predictionId]: null,
      [all[1].predictionId]: null,
    });
  });

  storeTest("within one call an erasure takes what is before it and leaves what is after it", async (store) => {
    const [before, after, other] = [prediction(1), prediction(2), prediction(3)].map((each, i) =>
      i < 2 ? { ...each, customerKey: "gone" } : each,
    );

    await store.append([
      before,
      outcome(before, 1),
      other,
      erasure("gone"),
      erasure("nobody"),
      after,
      outcome(after, 0),
    ]);

    assert.deepEqual(await outcomes(store), { [after.predictionId]: 0, [other.predictionId]: null });
  });

  storeTest(
    "retention removes predictions with their outcomes, old outcomes by customer, and what has no subject",
    async (store) => {
      const [old, recent, orphan] = [prediction(1, { predictedAt: NOW - 1 }), prediction(2), prediction(3)];
      const reports = [
        outcome(old, 1),
        outcome(recent, 1, { observedAt: NOW - DAY, reportedAt: NOW - DAY }),
        outcome(orphan, 1, { reportedAt: NOW - 1 }),
        outcome("member-2", 0, { observedAt: NOW - 1 }),
        outcome("member-4", 1, { observedAt: NOW - 1 }),
        outcome("member-5", 1, { observedAt: NOW }),
      ];
      await store.append([old, recent, ...reports]);

      assert.equal(await store.removeBefore(NOW), 1);

      assert.deepEqual(await outcomes(store), { [recent.predictionId]: 1 });
      const back = [old, orphan, prediction(4, { observedAt: NOW - DAY }), prediction(5, { observedAt: NOW - DAY })];
      await store.append(back);
      const known = await outcomes(store);
      assert.deepEqual(
        back.map(({ predictionId }) => known[predictionId]),
        [null, null, null, 1],
      );
      assert.equal(await store.removeBefore(NOW), 1);
    },
  );

  storeTest("retention removes as many as there are", async (store) => {
    const all = Array.from({ length: 5001 }, (_, id) => prediction(id));
    await store.append([
      ...all,
      ...all.map((each) => outcome(each, 1)),
      ...all.map((_, id) => outcome(`member-${id}`, 1)),
    ]);

    assert.equal(await store.removeBefore(NOW + 20 * DAY), 5001);

    assert.deepEqual(await store.recent(1), []);
    await store.append([all[0]]);
    assert.deepEqual(await outcomes(store), { [all[0].predictionId]: null });
  });

  storeTest("every text comes back as it was, finds its outcome, and can be erased", async (store) => {
    const all = HARD_TEXTS.map((text, id) =>
      prediction(id, {
        customerKey: text,
        modelVersion: text,
        modelSha256: text,
        features: { [text]: text, plan: null },
      }),
    );
    await store.append([...all, ...HARD_TEXTS.map((text) => outcome(text, 1))]);
    assert.deepEqual(await store.recent(ALL), all.map((each) => withOutcome(each, 1)).reverse());

    for (const [i, text] of HARD_TEXTS.entries()) {
      await store.append([erasure(text)]);
      assert.equal((await store.recent(ALL)).length, HARD_TEXTS.length - i - 1, JSON.stringify(text));
    }
  });

  storeTest("a prediction's id may be any text", async (store) => {
    const texts = [...HARD_TEXTS, ...LONG_TEXTS];
    const all = texts.map((text, id) => prediction(id, { predictionId: text }));

    await store.append([...all, ...all.map((each) => outcome(each, 1))]);
    await store.append([...all, ...all.map((each) => outcome(each, 1))]);

    const known = await store.recent(ALL);
    assert.equal(known.length, texts.length);
    assert(known.every((each) => each.outcome === 1));
  });

  storeTest("a very long key is shortened, and is still a key of its own", async (store) => {
    const all = LONG_TEXTS.map((text, id) => prediction(id, { customerKey: text }));
    await store.append([...all, outcome(LONG_TEXTS[0], 1)]);
    assert.deepEqual(Object.values(await outcomes(store)), [null, null, 1]);

    await store.append([erasure(LONG_TEXTS[0])]);

    assert.deepEqual(Object.keys(await outcomes(store)), [all[2].predictionId, all[1].predictionId]);
  });

  storeTest("numbers come back to the last bit", async (store) => {
    const random = seededRandom(7);
    const bits = new DataView(new ArrayBuffer(8));
    const anyDouble = (): number => {
      for (const half of [0, 4]) bits.setUint32(half, random() * 2 ** 32);
      const double = bits.getFloat64(0);
      return Number.isFinite(double) ? double : anyDouble();
    };
    const edges = [0, 1, 5e-324, 2.2250738585072014e-308, 1 - 2 ** -53, 0.1 + 0.2, 1 / 3];
    const scores = [
      ...edges,
      ...Array.from({ length: 500 }, random),
      ...Array.from({ length: 500 }, () => random() ** 20),
    ];
    const all = scores.map((score, id) =>
      prediction(id, { score, features: { visits_per_week: anyDouble(), largest: Number.MAX_SAFE_INTEGER } }),
    );
    const times = prediction(5000, { predictedAt: 8.64e15, observedAt: -8.64e15 });

    await store.append([...all, times]);

    assert.deepEqual(await store.recent(ALL), [...all, times].map((each) => withOutcome(each)).reverse());
  });

  storeTest("ten thousand records of all kinds go into one call", async (store) => {
    const all = Array.from({ length: 5000 }, (_, id) => prediction(id));
    const records: LogRecord[] = all.flatMap((each, id) => [
      each,
      id % 2 === 0 ? outcome(each, 1) : outcome(`member-${id}`, 1),
    ]);

    await store.append([...records, erasure("member-0")]);

    const { predictions, outcomes: known } = await store.summary(0);
    assert.deepEqual({ predictions, known }, { predictions: 4999, known: 4999 });
  });

  storeTest("what was written is there when the store is opened again", async (store, url) => {
    await store.append([prediction(1), outcome("member-1", 1)]);
    await store.close();

    const again = await openStore(url, { horizonDays: HORIZON_DAYS });
    await again.migrate();

    assert.deepEqual(await again.recent(ALL), [withOutcome(prediction(1), 1)]);
    await again.close();
  });

  storeTest("a closed store refuses, and closing it again does nothing", async (store) => {
    await store.close();
    await store.close();

    await assert.rejects(store.append([prediction(1)]), { code: "CHURN_ERR_STORE_FAILED", message: /closed/ });
  });

  storeTest("calls that are made at once are all answered", async (store) => {
    const calls = Array.from({ length: 20 }, (_, id) => store.append([prediction(id)]));

    await Promise.all([...calls, store.recent(1), store.summary(0), store.removeBefore(0)]);

    assert.equal((await store.summary(0)).predictions, 20);
  });

  storeTest("two writers at once lose nothing and write nothing twice", async (store, url) => {
    const other = await openStore(url, { horizonDays: HORIZON_DAYS });
    const write = async (writer: PredictionStore, from: number) => {
      for (let start = from; start < from + 1000; start += 50) {
        const own = Array.from({ length: 50 }, (_, i) => prediction(start + i));
        const shared = Array.from({ length: 50 }, (_, i) => prediction(5000 + ((start + i) % 1000)));
        const reports = own.map((each) => outcome(each, 1));
        await writer.append([...own, ...shared, ...reports, outcome("shared", 1), outcome(prediction(9999), 0)]);
      }
    };

    await Promise.all([write(store, 0), write(other, 1000)]);
    await other.close();

    const { predictions, outcomes: known } = await store.summary(0);
    assert.deepEqual({ predictions, known }, { predictions: 3000, known: 2000 });
  });

  test(`${kind}: processes that start on an empty store at once all find it migrated`, { skip }, async () => {
    for (let round = 0; round < 3; round++) {
      const url = newUrl();
      const starter = fileURLToPath(new URL("store-starter.ts", import.meta.url));
      const processes = Array.from({ length: 6 }, (_, id) => fork(starter, [url, String(id)]));
      await Promise.all(processes.map((process) => once(process, "message")));
      for (const process of processes) process.send("go");
      const codes = await Promise.all(processes.map(async (process) => (await once(process, "exit"))[0]));
      assert.deepEqual(codes, Array(6).fill(0));

      const store = await openStore(url);
      assert.equal((await store.summary(0)).predictions, 6);
      await store.close();
    }
  });

  test(`${kind}: random calls leave what a plain model in memory says`, { skip }, async () => {
    const seed = Number(process.env.CHURN_TEST_SEED ?? Date.now() % 2 ** 31);
    const random = seededRandom(seed);
    const url = newUrl();
    let store = await openStore(url, { horizonDays: HORIZON_DAYS });
    await store.migrate();
    const model = new StoreModel(HORIZON_DAYS);
    for (let step = 0; step < 150; step++) {
      const records = Array.from({ length: Math.ceil(random() * 8) }, () => randomRecord(random));
      await store.append(records);
      model.append(records);
      if (random() < 0.1) {
        await store.append(records);
        model.append(records);
      }
      if (random() < 0.04) {
        const time = NOW + Math.round(random() * 20);
        assert.equal(await store.removeBefore(time), model.removeBefore(time), `seed ${seed}, step ${step}`);
      }
      if (random() < 0.04) {
        await store.close();
        store = await openStore(url, { horizonDays: HORIZON_DAYS });
      }
      assert.deepEqual(await outcomes(store), model.outcomes(), `seed ${seed}, step ${step}`);
    }
    await store.close();
  });
}

/** Few subjects and few times, so that records meet. */
function randomRecord(random: () => number): LogRecord {
  const pick = (count: number): number => Math.floor(random() * count);
  const id = pick(30);
  const customerKey = `member-${id % 6}`;
  const subject = prediction(id, { customerKey: id % 7 === 0 ? null : customerKey, predictedAt: NOW + id });
  const dice = random();
  if (dice < 0.45) return subject;
  if (dice > 0.95) return erasure(customerKey);
  const change = { observedAt: NOW + Math.round((pick(80) - 10) * DAY), reportedAt: NOW + pick(40) };
  return outcome(dice < 0.7 ? subject : customerKey, random() < 0.5 ? 1 : 0, change);
}

/** The store in the plainest words there are. */
class StoreModel {
  readonly #horizon: number;
  readonly #predictions = new Map<string, PredictionRecord>();
  readonly #outcomes = new Map<string, OutcomeRecord>();

  constructor(horizonDays: number) {
    this.#horizon = horizonDays * DAY;
  }

  append(records: readonly LogRecord[]): void {
    for (const record of records) {
      if (record.kind === "prediction") {
        if (!this.#predictions.has(record.predictionId)) this.#predictions.set(record.predictionId, record);
      } else if (record.kind === "outcome") {
        const subject = record.predictionId ?? `${record.customerKey} at ${record.observedAt}`;
        const other = this.#outcomes.get(subject);
        if (other === undefined || record.reportedAt >= other.reportedAt) this.#outcomes.set(subject, record);
      } else {
        for (const { predictionId, customerKey } of this.#predictions.values()) {
          if (customerKey === record.customerKey) this.#remove(predictionId);
        }
        this.#removeOutcomes((each) => each.customerKey === record.customerKey);
      }
    }
  }

  removeBefore(time: number): number {
    const old = [...this.#predictions.values()].filter(({ predictedAt }) => predictedAt < time);
    for (const { predictionId } of old) this.#remove(predictionId);
    this.#removeOutcomes(({ customerKey, observedAt }) => customerKey !== null && observedAt < time);
    this.#removeOutcomes(
      ({ predictionId, reportedAt }) =>
        predictionId !== null && !this.#predictions.has(predictionId) && reportedAt < time,
    );
    return old.length;
  }

  #remove(predictionId: string): void {
    this.#predictions.delete(predictionId);
    this.#outcomes.delete(predictionId);
  }

  #removeOutcomes(isGone: (outcome: OutcomeRecord) => boolean): void {
    for (const [subject, each] of this.#outcomes) if (isGone(each)) this.#outcomes.delete(subject);
  }

  outcomes(): Record<string, 0 | 1 | null> {
    return Object.fromEntries(
      [...this.#predictions.values()].map((each) => [each.predictionId, this.#outcomeOf(each)]),
    );
  }

  #outcomeOf({ predictionId, customerKey, observedAt, predictedAt }: PredictionRecord): 0 | 1 | null {
    const own = this.#outcomes.get(predictionId);
    if (own !== undefined) return own.outcome;
    const time = observedAt ?? predictedAt;
    const later = [...this.#outcomes.values()].filter(
      (each) => customerKey !== null && each.customerKey === customerKey && each.observedAt > time,
    );
    if (later.some((each) => each.outcome === 1 && each.observedAt <= time + this.#horizon)) return 1;
    if (later.some((each) => each.outcome === 0 && each.observedAt >= time + this.#horizon)) return 0;
    return null;
  }
}
