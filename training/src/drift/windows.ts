/**
 * Which stretches of time a check looks at. Windows lie where the calendar puts them, whenever the check is made: made twice of
 * the same window, it finds the same, and the false-alarm budget holds without a memory of what was checked before. Those of one
 * length are disjoint. Only young predictions are looked at again, older by the time from one check to the next: each look has
 * its own part of the budget.
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

/**
 * The last window of so many whole days that is over. @param now Epoch ms. @param step Days from the end of one window to that of
 * the next; with fewer than `days` they overlap
 */
export function lastWindow(days: number, now: number, step: number = days): TimeWindow {
  const to = Math.floor(now / (step * DAY_MS)) * step * DAY_MS;
  return { from: to - days * DAY_MS, to };
}

/**
 * How far back to look at predictions whose horizon runs: a third of it and a half. In a shorter time too few have left; in a
 * longer what has just begun is lost among what was before.
 */
export function youngLengths(horizonDays: number | null): readonly number[] {
  return horizonDays === null ? [] : [...new Set([3, 2].map((part) => Math.ceil(horizonDays / part)))];
}
