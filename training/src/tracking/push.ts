import type { FileStore } from "./file-store.ts";
export async function pushRun(
  _s: FileStore,
  _r: string,
  _o: { server: string; environment: NodeJS.ProcessEnv },
): Promise<{ runId: string; url: string; version?: string } | undefined> {
  throw new Error("not yet");
}
