/** The thread of `Delivery`: messages in, messages out. `recorder.ts` is its other end. */
import { constants, setPriority } from "node:os";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Delivery, type DeliveryReport } from "./delivery.ts";
import { openStore, type RecentPrediction, type StoreSummary } from "./prediction-store.ts";

/** What the thread is made with. */
export interface DeliverySettings {
  readonly storeUrl: string;
  readonly horizonDays: number | undefined;
  readonly spoolDirectory: string;
  readonly folder: string;
  readonly retentionDays: number | undefined;
}

/** What is asked of the store for people to look at. */
export interface StoreView {
  readonly summary: StoreSummary;
  readonly recent: readonly RecentPrediction[];
}

export type ToDelivery =
  | { readonly kind: "wake" }
  | { readonly kind: "erase"; readonly customerKey: string }
  | { readonly kind: "view"; readonly since: number; readonly limit: number }
  | { readonly kind: "stop" };

export type FromDelivery =
  | { readonly kind: "report"; readonly report: DeliveryReport }
  | {
      readonly kind: "log";
      readonly level: "info" | "warn" | "error";
      readonly facts: Readonly<Record<string, unknown>>;
      readonly message: string;
    }
  | { readonly kind: "view"; readonly view?: StoreView; readonly error?: string };

/** Answers come first: where the processor is short, this thread waits (on Linux priorities are a thread's own). */
if (process.platform === "linux") setPriority(constants.priority.PRIORITY_LOW);

const port = parentPort as MessagePort;
const { storeUrl, horizonDays, spoolDirectory, folder, retentionDays } = workerData as DeliverySettings;
const send = (message: FromDelivery): void => port.postMessage(message);

const delivery = new Delivery({
  openStore: () => openStore(storeUrl, { horizonDays }),
  spoolDirectory,
  folder,
  retentionDays,
  report: (report) => send({ kind: "report", report }),
  log: (level, facts, message) => send({ kind: "log", level, facts, message }),
});

port.on("message", (message: ToDelivery) => {
  switch (message.kind) {
    case "wake":
      return delivery.wake();
    case "erase":
      return delivery.erase(message.customerKey);
    case "stop":
      return delivery.stop();
    case "view":
      return answer(message.since, message.limit);
  }
});

async function answer(since: number, limit: number): Promise<void> {
  try {
    const view = await delivery.query(async (store) => ({
      summary: await store.summary(since),
      recent: await store.recent(limit),
    }));
    send({ kind: "view", view });
  } catch (error) {
    send({ kind: "view", error: (error as Error).message });
  }
}

await delivery.run();
port.close();
