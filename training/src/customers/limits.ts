/** How large the made-up world may be; apart from what makes it, so that an option's help need not load that. */

/** Ten years: each month is lived through. */
export const MAX_MONTH = 120;

/** Keys number places with so many digits. */
export const KEY_DIGITS = 8;
export const MAX_ROWS = 10 ** KEY_DIGITS;
