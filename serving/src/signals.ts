/**
 * The signals that stop a process: the first begins the way out, a second one ends it at once.
 */

/** Signal → the exit code a shell gives it (128 + its number). */
const STOP_SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;

export type StopSignal = keyof typeof STOP_SIGNALS;

/** npm passes a terminal's Ctrl-C on to a process that has had it already: so near, it is the same one. */
const SAME_SIGNAL_MS = 250;

/** Stops once and then ends with 0, or fails with what `stop` failed with. */
export function onStopSignal(stop: (signal: StopSignal) => Promise<void>, fail: (error: unknown) => void): void {
  let first: number | undefined;
  const onSignal = (signal: StopSignal): void => {
    if (first === undefined) {
      first = performance.now();
      stop(signal).then(() => process.exit(0), fail);
    } else if (performance.now() - first > SAME_SIGNAL_MS) {
      process.exit(STOP_SIGNALS[signal]);
    }
  };
  for (const signal of Object.keys(STOP_SIGNALS) as StopSignal[]) process.on(signal, onSignal);
}
