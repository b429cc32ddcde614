/** One of the processes that start on the same store at once: waits for the word, migrates, writes one prediction. */
import { once } from "node:events";
import { openStore } from "../src/store/prediction-store.ts";
import { prediction } from "./store-conformance.ts";

const [url, id] = process.argv.slice(2);
const store = await openStore(url);
process.send?.("ready");
await once(process, "message");
await store.migrate();
await store.append([prediction(Number(id))]);
await store.close();
process.disconnect?.();
