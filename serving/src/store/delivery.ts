/**
 * Delivery: takes records from the spool to the store, in order, for as long as it takes. It runs in a thread of its own
 * (`delivery-worker.ts`), so that no store, however slow, holds up an answer.
 */
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import type { LogRecord } from "@churn/contract";
import type { PredictionStore } from "./prediction-store.ts";
import { visitAbandonedSlots } from "./slots.ts";
import { SpoolReader } from "./spool.ts";

/** Records of one transaction. */
const BATCH_RECORDS = 250;

/** How long records are let gather, in ms: a transaction costs as much as many of them. */
const GATHER_MS = 100;

/** How long a store that failed is left alone, in ms: doubled with each failure. */
const MIN_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;

/** How often the spools of dead processes are looked for, and old records removed, in ms. */
const ADOPT_EVERY_MS = 30_000;
const RETENTION_EVERY_MS = 3_600_000;
/** After removing them has failed or was interrupted, in ms. */
const RETENTION_RETRY_MS = 60_000;
const DAY_MS = 86_400_000;

/** What the service's own thread is told. */
export interface DeliveryReport {
  readonly isUp: boolean;
  /** Records in the store by our hand, and lines of the spool that are no records. */
  readonly delivered: number;
  readonly rejected: number;
  /** Deliveries that failed and were tried again. */
  readonly failures: number;
  /** Records of dead processes that are, or are being, delivered. */
  readonly found: number;
  /** Records that an erasure has removed before they were delivered. */
  readonly erased: number;
  /** Bytes of the own spool's deleted segments. */
  readonly freedBytes: number;
  /** When the oldest record that waits was made, in epoch ms; null when none waits. */
  readonly oldestAt: number | null;
}

export const NOTHING_YET: DeliveryReport = {
  isUp: true, // until it has failed
  delivered: 0,
  rejected: 0,
  failures: 0,
  found: 0,
  erased: 0,
  freedBytes: 0,
  oldestAt: null,
};

export interface DeliveryParts {
  readonly openStore: () => Promise<PredictionStore>;
  readonly spoolDirectory: string;
  /** Of the own slot. */
  readonly folder: string;
  readonly retentionDays: number | undefined;
  readonly report: (report: DeliveryReport) => void;
  readonly log: (level: "info" | "warn" | "error", facts: Readonly<Record<string, unknown>>, message: string) => void;
}

export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #own: SpoolReader;
  #store: PredictionStore | undefined;
  #opening: Promise<PredictionStore> | undefined;
  #facts = NOTHING_YET;
  #wake: () => void = () => {};
  #isStopping = false;
  #isDelivering = false;
  readonly #erasures: string[] = [];
  #isErasureStuck = false; // which is said once
  #pauseMs = 0;
  #nextAdoption = 0;
  #nextRetention = 0;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.#own = new SpoolReader(parts.folder);
  }

  /** Delivers until it is told to stop; then what waits, once, and no more. */
  async run(): Promise<void> {
    for (;;) {
      await this.#keepHouse();
      const isDone = await this.#deliverAll(this.#own);
      if (this.#isStopping) {
        if (isDone) this.#own.removeAll();
        break;
      }
      const isWell = isDone && this.#pauseMs === 0; // else another's spool may be what waits
      await this.#pause(isWell ? ADOPT_EVERY_MS : this.#pauseMs);
      if (isDone && !this.#isStopping) await sleep(GATHER_MS);
    }
    await this.#store?.close().catch(() => {}); // it may be away
  }

  /** There is something new in the spool. */
  wake(): void {
    if (this.#pauseMs === 0) this.#wake();
  }

  stop(): void {
    this.#isStopping = true;
    this.#wake();
  }

  /** Removes what waits of a customer; the store learns it from the spool. */
  erase(customerKey: string): void {
    this.#erasures.push(customerKey);
    if (!this.#isDelivering) this.#applyErasures();
    this.wake();
  }

  /** @throws What the store says */
  async query<T>(ask: (store: PredictionStore) => Promise<T>): Promise<T> {
    return ask(await this.#openStore());
  }

  /** @returns Whether nothing waits any more. */
  async #deliverAll(reader: SpoolReader): Promise<boolean> {
    for (;;) {
      await turn(); // a store that answers at once would let no message through
      this.#applyErasures();
      const batch = reader.next(BATCH_RECORDS);
      if (batch === undefined) {
        this.#update({ oldestAt: null, freedBytes: this.#own.freedBytes });
        return true;
      }
      this.#update({ oldestAt: timeOf(batch.records[0]), freedBytes: this.#own.freedBytes });
      this.#isDelivering = true;
      const isDelivered = await this.#deliver(batch.records);
      this.#isDelivering = false;
      if (!isDelivered) return false;
      if (batch.broken > 0) this.#reject(batch.broken);
      reader.advance(batch);
    }
  }

  /** What the disk does not let be done now is tried again. */
  #applyErasures(): void {
    try {
      for (let key = this.#erasures[0]; key !== undefined; key = this.#erasures[0]) {
        const erased = this.#own.erase(key);
        this.#erasures.shift();
        if (erased > 0) this.#update({ erased: this.#facts.erased + erased });
      }
      this.#isErasureStuck = false;
    } catch (error) {
      const facts = { event: "spool.unwritable", waiting: this.#erasures.length };
      if (!this.#isErasureStuck) this.#warn(facts, error as Error, "customers are still to be erased from the spool");
      this.#isErasureStuck = true;
    }
  }

  /** @returns Whether the records are in the store. */
  async #deliver(records: readonly LogRecord[]): Promise<boolean> {
    if (records.length === 0) return true;
    try {
      await (await this.#openStore()).append(records);
      this.#succeed(records.length);
      return true;
    } catch (error) {
      return this.#fail(error as Error);
    }
  }

  #succeed(count: number): void {
    if (!this.#facts.isUp) this.#parts.log("info", { event: "store.back" }, "prediction store is back");
    this.#pauseMs = 0;
    this.#update({ isUp: true, delivered: this.#facts.delivered + count });
  }

  #fail(error: Error): false {
    const isNew = this.#facts.isUp;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, this.#pauseMs * 2));
    this.#update({ isUp: false, failures: this.#facts.failures + 1 });
    if (isNew) this.#parts.log("warn", { event: "store.away", detail: error.message }, "prediction store is away");
    return false;
  }

  /** Lines of the spool that are no records can only come from a damaged disk. */
  #reject(count: number): void {
    this.#update({ rejected: this.#facts.rejected + count });
    this.#parts.log("error", { event: "spool.damaged", lines: count }, "lines of the spool are no records");
  }

  /** Opened when first needed, once for all who ask, and again after that has failed. */
  async #openStore(): Promise<PredictionStore> {
    if (this.#store !== undefined) return this.#store;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<PredictionStore> {
    const store = await this.#parts.openStore();
    try {
      await store.migrate();
    } catch (error) {
      await store.close().catch(() => {});
      throw error;
    }
    this.#store = store;
    return store;
  }

  async #keepHouse(): Promise<void> {
    const now = performance.now();
    if (now >= this.#nextAdoption) {
      this.#nextAdoption = now + ADOPT_EVERY_MS;
      await this.#adoptAll();
    }
    const { retentionDays } = this.#parts;
    if (retentionDays !== undefined && now >= this.#nextRetention) await this.#removeOld(retentionDays);
  }

  /** Delivers what dead processes have left. */
  async #adoptAll(): Promise<void> {
    const onFault = (error: Error, folder: string): void =>
      this.#warn({ event: "spool.unreadable", folder }, error, "a spool of another process is left alone");
    try {
      await visitAbandonedSlots(this.#parts.spoolDirectory, (folder) => this.#adopt(folder), onFault);
    } catch (error) {
      onFault(error as Error, this.#parts.spoolDirectory);
    }
  }

  async #adopt(folder: string): Promise<void> {
    const reader = new SpoolReader(folder);
    const records = reader.count();
    if (records === 0) return;
    const before = this.#facts;
    this.#update({ found: before.found + records });
    if (await this.#deliverAll(reader)) {
      reader.removeAll();
      this.#parts.log("info", { event: "spool.adopted", records }, "records of a dead process are delivered");
      return;
    }
    const { delivered, rejected } = this.#facts;
    this.#update({ found: before.found + delivered - before.delivered + rejected - before.rejected });
    // An erasure in the own spool must not come before what it erases.
    this.#nextAdoption = Number.NEGATIVE_INFINITY;
  }

  /** Between its steps what is new is delivered. */
  async #removeOld(retentionDays: number): Promise<void> {
    this.#nextRetention = performance.now() + RETENTION_RETRY_MS;
    try {
      const store = await this.#openStore();
      let isWhole = true;
      const mayGoOn = async (): Promise<boolean> => {
        isWhole = (await this.#deliverAll(this.#own)) && !this.#isStopping;
        return isWhole;
      };
      const rows = await store.removeBefore(Date.now() - retentionDays * DAY_MS, mayGoOn);
      if (isWhole) this.#nextRetention = performance.now() + RETENTION_EVERY_MS;
      if (rows > 0) this.#parts.log("info", { event: "store.retention", rows }, "old records removed");
    } catch (error) {
      this.#warn({ event: "store.retention" }, error as Error, "old records could not be removed");
    }
  }

  #warn(facts: Readonly<Record<string, unknown>>, { message: detail }: Error, message: string): void {
    this.#parts.log("warn", { ...facts, detail }, message);
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #update(changes: Partial<DeliveryReport>): void {
    this.#facts = { ...this.#facts, ...changes };
    this.#parts.report(this.#facts);
  }
}

function timeOf(record: LogRecord | undefined): number | null {
  switch (record?.kind) {
    case "prediction":
      return record.predictedAt;
    case "outcome":
      return record.reportedAt;
    case "erasure":
      return record.requestedAt;
    default:
      return null;
  }
}
