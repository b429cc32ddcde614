/** Numbers as people read them; the same everywhere, whatever the machine's language. */

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A count: 40,084. */
export const count = (value: number): string => grouped.format(value);

/** A metric to four places: 0.8471. Money, which is larger, to two and grouped: 1,246.19. */
export function figure(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(4) : money.format(value);
}

const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** A share: 23.3 %, which no line end parts. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)}\u00a0%`;

export const INTERVAL = "95\u00a0% interval";

/** A p-value: 0.032, 4e-12. */
export function pValue(p: number): string {
  if (p >= 0.001) return p.toFixed(3);
  return p === 0 ? "< 1e-307" : p.toExponential(0);
}

/** A value of a column to four digits: 899.5. */
export const short = (value: number): string => String(Number(value.toPrecision(4)));
