/**
 * The way of a record out of a request: into memory at once, to the spool on disk a few milliseconds later, and from there
 * to the store by a thread of its own. Nothing of it is waited for by a prediction.
 *
 *     record() ─▶ memory ─(every 20 ms)─▶ spool ─(delivery thread)─▶ SQLite or PostgreSQL
 *
 * A process that is killed loses what was recorded since the last flush. When the spool is full, or the disk
 * takes nothing and memory is full, new records are dropped, counted and logged.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { ChurnError, type ErasureRecord, type LogRecord } from "@churn/contract";
import type { Logger } from "pino";
import type { StoreConfig } from "../config.ts";
import { NOTHING_YET } from "./delivery.ts";
import type { DeliverySettings, FromDelivery, StoreView, ToDelivery } from "./delivery-worker.ts";
import { RecordBuffer } from "./record-buffer.ts";
import { type Slot, takeSlot, visitAbandonedSlots } from "./slots.ts";
import { SEGMENT_BYTES, SpoolReader, SpoolWriter, spoolBytes } from "./spool.ts";

/** How long a record may be in memory only, in ms, while the disk is well. */
export const FLUSH_INTERVAL_MS = 20;

/** What may be in memory only, in bytes, while the disk takes nothing. */
const MEMORY_LIMIT_BYTES = 8 * 2 ** 20;

/** After the disk took nothing, in ms. */
const RETRY_MS = 1_000;

/** How often drops are logged, at most, in ms. */
const COMPLAIN_EVERY_MS = 10_000;

/** How long the store may take for what people look at, in ms. */
const VIEW_LIMIT_MS = 2_000;

/** How long a stream is held up by a store that is behind, in ms, at a time. */
const CATCH_UP_LIMIT_MS = 5_000;

/** How long the delivery may take at the end, in ms; the rest stays in the spool. */
const STOP_LIMIT_MS = 5_000;

const DELIVERY_WORKER = new URL("./delivery-worker.ts", import.meta.url);

/** The state of what is on its way to the store. */
export interface DeliveryState {
  readonly isUp: boolean;
  /** Age of the oldest record that is not in the store, in seconds. */
  readonly lagSeconds: number;
  /** Records that are not in the store yet. */
  readonly waiting: number;
  readonly delivered: number;
  readonly failures: number;
  readonly dropped: number;
  readonly spoolBytes: number;
  readonly spoolLimitBytes: number;
}

interface ViewAnswer {
  readonly view?: StoreView;
  readonly error?: string;
}

/** Who takes records: the recorder, or a test's list. */
export interface RecordSink {
  /** @returns whether there was room for it */
  record(record: LogRecord): boolean;
  /** Resolves when all that was recorded so far is on disk, to whether it is. */
  flushed(): Promise<boolean>;
  /** Resolves when the store is not far behind; at once when it is away, for then waiting would help nobody. */
  caughtUp(): Promise<void>;
  erase(customerKey: string, requestedAt: number): Promise<boolean>;
  view(since: number, limit: number): Promise<StoreView>;
  readonly state: DeliveryState;
}

export class Recorder implements RecordSink {
  readonly #config: StoreConfig;
  readonly #logger: Logger;
  readonly #slot: Slot;
  readonly #writer: SpoolWriter;
  #filling = new RecordBuffer(MEMORY_LIMIT_BYTES);
  #writing = new RecordBuffer(MEMORY_LIMIT_BYTES); // on its way to disk; again, when the disk did not take it
  #flushing: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #mustRotate = false;
  #taken = 0; // into memory, ever
  #written = 0; // of these to the disk
  #recorded: number; // since the delivery thread began, and what it finds in the own spool
  #dropped = 0;
  #droppedSaid = 0; // of these in the log
  #dropTimer: NodeJS.Timeout | undefined;
  #complainedAt = Number.NEGATIVE_INFINITY;
  #writtenBytes: number;
  #worker: Worker | undefined;
  #report = NOTHING_YET;
  #past = NOTHING_YET; // of delivery threads that died
  #isClosing = false;
  #asked: PromiseWithResolvers<ViewAnswer> | undefined;

  /** @throws CHURN_ERR_SERVICE_START when the spool's folder cannot be used */
  constructor(config: StoreConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    try {
      this.#slot = takeSlot(config.spoolDirectory);
      this.#writtenBytes = spoolBytes(this.#slot.folder);
      this.#recorded = new SpoolReader(this.#slot.folder).count();
      this.#writer = new SpoolWriter(this.#slot.folder, Math.min(SEGMENT_BYTES, config.spoolLimitBytes / 8));
    } catch (cause) {
      const message = `SPOOL_DIR: ${config.spoolDirectory}: expected a folder that can be written: ${(cause as Error).message}`;
      throw new ChurnError("CHURN_ERR_SERVICE_START", message, { cause });
    }
  }

  /**
   * Begins to deliver; what was recorded before waits on disk.
   *
   * @param horizonDays How long after a prediction an outcome counts; undefined is for ever.
   */
  start(horizonDays: number | undefined): void {
    const settings: DeliverySettings = {
      storeUrl: this.#config.url,
      horizonDays,
      spoolDirectory: this.#config.spoolDirectory,
      folder: this.#slot.folder,
      retentionDays: this.#config.retentionDays,
    };
    const worker = new Worker(DELIVERY_WORKER, { workerData: settings });
    worker.on("message", (message: FromDelivery) => this.#hear(message));
    worker.on("error", (err) => {
      this.#logger.error({ event: "store.thread", err }, "delivery thread failed");
      this.#restart(horizonDays);
    });
    this.#worker = worker;
  }

  record(record: LogRecord): boolean {
    const hasRoom = this.#bytesOnDisk() + this.#bytesInMemory() < this.#config.spoolLimitBytes;
    if (!hasRoom || !this.#filling.add(record, Date.now())) {
      this.#drop(1);
      return false;
    }
    this.#taken += 1;
    this.#recorded += 1;
    this.#flushIn(FLUSH_INTERVAL_MS);
    return true;
  }

  async flushed(): Promise<boolean> {
    const upTo = this.#taken; // others go on recording meanwhile
    while (this.#written < upTo) if (!(await this.#flush())) return false;
    return true;
  }

  async caughtUp(): Promise<void> {
    const isBehind = (): boolean => this.#bytesOnDisk() + this.#bytesInMemory() > this.#config.spoolLimitBytes / 4;
    const end = performance.now() + CATCH_UP_LIMIT_MS;
    while (this.#report.isUp && isBehind() && performance.now() < end) await sleep(FLUSH_INTERVAL_MS);
  }

  /**
   * Removes a customer from the spool, and lets the store do so in its turn.
   *
   * @returns Whether the order to do so is on disk
   */
  async erase(customerKey: string, requestedAt: number): Promise<boolean> {
    const order: ErasureRecord = { kind: "erasure", customerKey, requestedAt };
    const isLeft = await this.#leaveOrders(order);
    await this.flushed();
    this.#mustRotate = true; // what is before the order is in segments that may be rewritten
    const isTaken = this.record(order);
    const isOnDisk = await this.flushed();
    this.#tell({ kind: "erase", customerKey });
    return isLeft && isTaken && isOnDisk;
  }

  /** A process that has died answers for nobody: whoever adopts its spool finds the order at its end. */
  async #leaveOrders(order: ErasureRecord): Promise<boolean> {
    let isLeft = true;
    const leave = async (folder: string): Promise<void> => {
      const reader = new SpoolReader(folder);
      if (reader.count() === 0) return;
      const writer = new SpoolWriter(folder);
      await writer.append(Buffer.from(`${JSON.stringify(order)}\n`)).finally(() => writer.close());
      reader.erase(order.customerKey);
    };
    await visitAbandonedSlots(this.#config.spoolDirectory, leave, (error, folder) => {
      isLeft = false;
      this.#complain("spool.unwritable", { folder, detail: error.message }, "erasure could not be noted");
    });
    return isLeft;
  }

  /** One look at a time: who asks meanwhile gets the same. @throws When the store is away or slow */
  async view(since: number, limit: number): Promise<StoreView> {
    if (this.#worker === undefined) throw new Error("the delivery has not begun");
    if (this.#asked === undefined) {
      this.#asked = Promise.withResolvers();
      this.#tell({ kind: "view", since, limit });
    }
    const late: ViewAnswer = { error: `no answer within ${VIEW_LIMIT_MS} ms` };
    const { view, error } = await Promise.race([this.#asked.promise, sleep(VIEW_LIMIT_MS, late, { ref: false })]);
    if (view === undefined) throw new Error(error);
    return view;
  }

  #answerView(answer: ViewAnswer): void {
    this.#asked?.resolve(answer);
    this.#asked = undefined;
  }

  get state(): DeliveryState {
    const { isUp, oldestAt } = this.#report;
    const total = (field: "delivered" | "rejected" | "failures"): number => this.#past[field] + this.#report[field];
    const { found, delivered, rejected, erased } = this.#report;
    const waiting = Math.max(0, this.#recorded + found - delivered - rejected - erased);
    const since = oldestAt ?? this.#writing.firstAt ?? this.#filling.firstAt;
    return {
      isUp,
      lagSeconds: waiting === 0 || since === undefined ? 0 : Math.max(0, Date.now() - since) / 1000,
      waiting,
      delivered: total("delivered"),
      failures: total("failures"),
      dropped: this.#dropped + total("rejected"),
      spoolBytes: this.#bytesOnDisk(),
      spoolLimitBytes: this.#config.spoolLimitBytes,
    };
  }

  /** Everything to the disk, then to the store; what that does not take in time waits there for the next start. */
  async close(limitMs: number = STOP_LIMIT_MS): Promise<void> {
    this.#isClosing = true;
    const isOnDisk = await this.flushed();
    clearTimeout(this.#dropTimer);
    this.#dropTimer = undefined;
    if (!isOnDisk) this.#dropped += this.#writing.count + this.#filling.count;
    this.#sayDropped();
    await this.#writer.close().catch(() => {});
    const worker = this.#worker;
    if (worker !== undefined) {
      const hasEnded = once(worker, "exit");
      this.#tell({ kind: "stop" });
      const timer = setTimeout(() => void worker.terminate(), limitMs);
      await hasEnded;
      clearTimeout(timer);
    }
    const { waiting } = this.state;
    if (waiting > 0) this.#logger.warn({ event: "store.left", records: waiting }, "records stay in the spool");
    this.#slot.release();
  }

  #bytesInMemory(): number {
    return this.#writing.length + this.#filling.length;
  }

  #bytesOnDisk(): number {
    return this.#writtenBytes - this.#past.freedBytes - this.#report.freedBytes;
  }

  #flushIn(milliseconds: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined; // a flush that is under way asks for the next one itself
      void this.#flush();
    }, milliseconds);
  }

  /** @returns Whether what was in memory is on disk. */
  #flush(): Promise<boolean> {
    this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #write(): Promise<boolean> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing.length === 0) [this.#writing, this.#filling] = [this.#filling, this.#writing];
    try {
      if (this.#mustRotate) await this.#writer.rotate();
      this.#mustRotate = false;
      await this.#writer.append(this.#writing.content);
    } catch (error) {
      this.#complain("spool.unwritable", { detail: (error as Error).message }, "spool cannot be written");
      this.#flushIn(RETRY_MS);
      return false;
    }
    this.#writtenBytes += this.#writing.length;
    this.#written += this.#writing.count;
    this.#writing.clear();
    this.#tell({ kind: "wake" });
    if (this.#filling.length > 0) this.#flushIn(FLUSH_INTERVAL_MS);
    return true;
  }

  #drop(count: number): void {
    this.#dropped += count;
    if (this.#dropTimer === undefined) this.#sayDropped();
  }

  /** How many there have been; those that follow at once are said together. */
  #sayDropped(): void {
    this.#dropTimer = undefined;
    if (this.#dropped === this.#droppedSaid) return;
    this.#droppedSaid = this.#dropped;
    this.#logger.error({ event: "store.dropped", dropped: this.#dropped }, "records dropped: no room for them");
    this.#dropTimer = setTimeout(() => this.#sayDropped(), COMPLAIN_EVERY_MS).unref();
  }

  #complain(event: string, facts: Readonly<Record<string, unknown>>, message: string): void {
    const now = performance.now();
    if (now < this.#complainedAt + COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    this.#logger.error({ event, ...facts }, message);
  }

  #tell(message: ToDelivery): void {
    this.#worker?.postMessage(message);
  }

  #hear(message: FromDelivery): void {
    switch (message.kind) {
      case "report":
        this.#report = message.report;
        break;
      case "log":
        this.#logger[message.level](message.facts, message.message);
        break;
      case "view":
        this.#answerView(message);
        break;
    }
  }

  /** 0 when somebody has taken the folder away, which may be what ended the thread. */
  #countSpooled(): number {
    try {
      return new SpoolReader(this.#slot.folder).count();
    } catch {
      return 0;
    }
  }

  /** A thread that died is replaced; it finds in the spool what the other left. */
  #restart(horizonDays: number | undefined): void {
    this.#worker = undefined;
    this.#answerView({ error: "the delivery failed" });
    if (this.#isClosing) return;
    const { delivered, rejected, failures, freedBytes } = this.#report;
    this.#past = {
      ...NOTHING_YET,
      delivered: this.#past.delivered + delivered,
      rejected: this.#past.rejected + rejected,
      failures: this.#past.failures + failures,
      freedBytes: this.#past.freedBytes + freedBytes,
    };
    this.#report = NOTHING_YET;
    this.#recorded = this.#countSpooled() + this.#writing.count + this.#filling.count;
    setTimeout(() => this.start(horizonDays), RETRY_MS).unref();
  }
}
