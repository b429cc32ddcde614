/** Numbers and times as people read them; the same everywhere, whatever the machine's language and time zone. */
import { type Html, html } from "@churn/contract";
import { lazily } from "../lazily.ts";

// They take 20 ms to make.
const grouped = lazily(() => new Intl.NumberFormat("en", { maximumFractionDigits: 0 }));
const money = lazily(() => new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }));
const clock = lazily(
  () => new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" }),
);

/** Where there is no figure. */
export const NO_FIGURE = "–";

/** A count: 40,084. */
export const count = (value: number): string => grouped().format(value);

/** A count and its noun: 1 record, 40,084 records. */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)}\u00a0${value === 1 ? one : many}`;

/** A metric to four places: 0.8471. Money, which is larger, to two and grouped: 1,246.19. */
export const figure = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(4) : money().format(value));

/** A share: 23.3 %, which no line end parts. One that is small and not 0 does not read as 0. */
export function percent(share: number): string {
  if (share > 0 && share < 0.0005) return "<\u00a00.1\u00a0%";
  return `${(100 * share).toFixed(1)}\u00a0%`;
}

/** A part of a whole: 23.3 %; a dash when the whole is nothing. */
export const percentOf = (part: number, whole: number): string => (whole === 0 ? NO_FIGURE : percent(part / whole));

/** The forest's score, or a part of it, in hundredths: 23.5. */
export const points = (score: number): string => (100 * score).toFixed(1).replace("-", "−");

/** A part of the score with its sign: +3.2, −0.4. */
export const signed = (contribution: number): string => `${contribution < 0 ? "" : "+"}${points(contribution)}`;

/** Seconds in the unit that suits: 0.42 ms, 12 ms, 3.1 s, 5 min, 2 h. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return NO_FIGURE;
  if (seconds < 0.9995) return `${Number((1000 * seconds).toPrecision(2))}\u00a0ms`;
  if (seconds < 120) return `${Number(seconds.toPrecision(2))}\u00a0s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}\u00a0min`;
  return `${Math.round(seconds / 3600)}\u00a0h`;
}

/** A moment in UTC: 28 Nov 2026, 19:10:03 UTC. */
export function moment(time: Date): Html {
  return html`<time datetime="${time.toISOString()}">${clock().format(time)} UTC</time>`;
}
