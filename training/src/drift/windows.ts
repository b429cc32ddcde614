/**
 * Which stretches of time a check looks at. Windows of one length are disjoint and lie where the calendar puts them, whenever the
 * check is made: made twice of the same window, it finds the same, and the false-alarm budget holds without a memory of what was
 * checked before.
 */
import type { TimeWindow } from "../store/prediction-reader.ts";

export const DAY_MS = 86_400_000;

/** Days. A sudden change shows in a short window, a small one in a long. */
const SCALES = [1, 7, 28];

/** The lengths for checks that are made every so many days: a shorter window would leave time out. */
export function scalesFor(everyDays: number): readonly number[] {
  const scales = SCALES.filter((days) => days >= everyDays);
  return scales.length === 0 ? [everyDays] : scales;
}

/** The last window of so many whole days that is over. @param now Epoch ms. */
export function lastWindow(days: number, now: number): TimeWindow {
  const length = days * DAY_MS;
  const to = Math.floor(now / length) * length;
  return { from: to - length, to };
}
