/** How much a finding matters: drift and performance are judged alike. */

/** `untested` says that there were too few rows for the test. */
export type Tier = "alarm" | "shifted" | "note" | "stable" | "untested";

const NOTE_LEVEL = 0.05;

/**
 * @param tests Of one subject, corrected for the number of tests of the check. @param isHarmful Whether the change reaches a floor.
 * @param level Of all tests of the check together.
 */
export function tierOf(
  tests: readonly { readonly pValue: number; readonly adjustedPValue: number }[],
  isHarmful: boolean,
  level: number,
): Tier {
  if (tests.length === 0) return "untested";
  if (tests.some(({ adjustedPValue }) => adjustedPValue <= level)) return isHarmful ? "alarm" : "shifted";
  return tests.some(({ pValue }) => pValue < NOTE_LEVEL) ? "note" : "stable";
}
