/**
 * The law of the Kolmogorov–Smirnov distance D between two samples that come from one distribution without ties (with
 * ties the probabilities here are too large, so a test errs on the side of silence).
 *
 * As scipy's `ks_2samp(method="auto")` has it: exact by counting paths while both samples are small, else as one
 * sample of n·m/(n+m) rows against a law that is known (`kstwo`).
 */
import { binomialProbability } from "./binomial.ts";

/** The largest sample for which paths are counted. */
const MOST_EXACT = 10_000;

/** P(D ≥ d) of two samples of n and m rows. */
export function kolmogorovTwoSample(d: number, n: number, m: number): number {
  if (Math.max(n, m) <= MOST_EXACT) return twoSampleExact(d, n, m);
  return kolmogorovUpperTail(d, roundHalfToEven((n * m) / (n + m)));
}

function roundHalfToEven(x: number): number {
  const rounded = Math.round(x);
  return x % 1 === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

// --- two samples, by counting paths ------------------------------------------------------------------------

/** Two samples, put in order together, are a path on the grid from (0, 0) to (n, m), each equally likely. */
function twoSampleExact(d: number, n: number, m: number): number {
  const g = greatestCommonDivisor(n, m);
  const h = Math.round(d * (n / g) * m); // distances are whole multiples of 1 / lcm(n, m)
  if (h === 0) return 1;
  return Math.min(1, n === m ? pathsOutsideSquare(n, h) : pathsOutside(Math.max(n, m), Math.min(n, m), g, h));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Samples of equal size: the reflection principle gives a short alternating sum. @source Gnedenko & Korolyuk 1951 */
function pathsOutsideSquare(n: number, h: number): number {
  let probability = 0;
  for (let k = Math.floor(n / h); k > 0; k--) {
    let ratio = 1; // C(2n, n − kh) / C(2n, n − (k − 1)h)
    const start = (k - 1) * h;
    for (let j = 0; j < h; j++) ratio *= (n - start - j) / (n + start + j + 1);
    probability = ratio * (1 - probability);
  }
  return 2 * probability;
}

/**
 * The share of paths that leave the band |x/n − y/m| < h / lcm, column by column; what is kept is the share that has
 * left by each point, so that a small one is exact to its last digits.
 *
 * @param n The larger sample. @param g The greatest common divisor.
 * @source Hodges 1958; Viehmann 2021, "Numerically more stable computation of the p-values for the two-sample
 *   Kolmogorov-Smirnov test"
 */
function pathsOutside(n: number, m: number, g: number, h: number): number {
  const [nStep, mStep] = [n / g, m / g];
  const left = new Float64Array(m + 1); // by y, of the column before: the share of paths to (x, y) that have left the band
  let low = 0; // the band's first y
  let end = Math.min(Math.ceil(h / nStep), m + 1); // and the one after its last
  left.fill(1, end);
  for (let x = 1; x <= n; x++) {
    low = Math.min(m, Math.max(0, Math.floor((mStep * x - h) / nStep) + 1));
    const before = end;
    end = Math.min(m + 1, Math.ceil((mStep * x + h) / nStep));
    if (end <= low) return 1;
    left.fill(1, before, end); // the column before had them outside
    let below = low === 0 ? 0 : 1;
    for (let y = low; y < end; y++) {
      below = (left[y] * x + below * y) / (x + y);
      left[y] = below;
    }
  }
  return left[m];
}

// --- one sample of n rows ----------------------------------------------------------------------------------

/** Below this n·d² a sample of more than 140 rows has D < d with a probability of less than 1e-14. */
const LEAST_SQUARE = 0.03;
/** Above it the sum over crossings is replaced by its limit. */
const MOST_SUMMED = 1_000_000;

/** P(D ≥ d) of one sample of n rows. @source Simard & L'Ecuyer 2011, for which way is exact enough where */
export function kolmogorovUpperTail(d: number, n: number): number {
  if (d >= 1) return 0;
  const t = n * d;
  if (t <= 0.5) return 1;
  if (t <= 1) return 1 - smallest(t, n);
  const square = t * d;
  if (square >= 370) return 0;
  if (square < LEAST_SQUARE && n > 140) return 1;
  if (d >= 0.5 || t >= n - 1 || square >= (n <= 140 ? 4 : 2.2)) return Math.min(1, 2 * oneSidedUpperTail(d, n));
  if (n <= 140 || (n <= 100_000 && n * d ** 1.5 <= 1.4)) return 1 - durbin(d, n);
  return 1 - pelzGood(d, n);
}

/** P(D < t / n) for t in (½, 1]: n! (2t − 1)ⁿ / nⁿ. */
function smallest(t: number, n: number): number {
  let log = n * Math.log(2 * t - 1);
  for (let i = 1; i < n; i++) log += Math.log(i / n);
  return Math.exp(log);
}

/** P(D⁺ ≥ d): a sum over where the sample's distribution function first crosses. @source Smirnov 1944 */
function oneSidedUpperTail(d: number, n: number): number {
  if (n > MOST_SUMMED) return Math.exp(-((6 * n * d + 1) ** 2) / (18 * n));
  let sum = 0;
  const last = Math.floor(n * (1 - d));
  for (let j = 0; j <= last; j++) {
    const p = d + j / n;
    const q = (n - j) / n - d;
    if (q >= 0) sum += binomialProbability(j, n, p, q) / p;
  }
  return d * sum;
}

/** P(D < d) as an entry of a matrix to the n-th power. @source Marsaglia, Tsang & Wang 2003; Durbin 1973 */
function durbin(d: number, n: number): number {
  const k = Math.ceil(n * d);
  const size = 2 * k - 1;
  const h = k - n * d;
  const matrix = Float64Array.from({ length: size * size }, (_, at) => {
    const [row, column] = [Math.floor(at / size), at % size];
    return row - column + 1 < 0 ? 0 : 1;
  });
  for (let i = 0; i < size; i++) {
    matrix[i * size] -= h ** (i + 1);
    matrix[(size - 1) * size + i] -= h ** (size - i);
  }
  matrix[(size - 1) * size] += 2 * h - 1 > 0 ? (2 * h - 1) ** size : 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) for (let g = 2; g <= i - j + 1; g++) matrix[i * size + j] /= g;
  }
  const { power, exponent } = matrixPower(matrix, size, n);
  let probability = power[(k - 1) * size + k - 1];
  let scale = exponent;
  for (let i = 1; i <= n; i++) {
    probability *= i / n;
    if (probability < 1e-140) {
      probability *= 1e140;
      scale -= 140;
    }
  }
  return probability * 10 ** scale;
}

/** A power by squaring, in units of 10^exponent that keep its entries in the range of a double. */
function matrixPower(matrix: Float64Array, size: number, n: number): { power: Float64Array; exponent: number } {
  if (n === 1) return { power: matrix, exponent: 0 };
  const half = matrixPower(matrix, size, Math.floor(n / 2));
  let power = product(half.power, half.power, size);
  let exponent = 2 * half.exponent;
  if (n % 2 === 1) power = product(matrix, power, size);
  if (power[(size * size - 1) / 2] > 1e140) {
    power = power.map((value) => value * 1e-140);
    exponent += 140;
  }
  return { power, exponent };
}

/** Of square matrices, row after row. */
function product(a: Float64Array, b: Float64Array, size: number): Float64Array {
  const result = new Float64Array(size * size);
  for (let row = 0; row < result.length; row += size) {
    for (let k = 0; k < size; k++) {
      const factor = a[row + k];
      for (let column = 0; column < size; column++) result[row + column] += factor * b[k * size + column];
    }
  }
  return result;
}

/** P(D < d), the first four terms of its expansion in 1/√n. @source Pelz & Good 1976 */
function pelzGood(d: number, n: number): number {
  const root = Math.sqrt(n);
  const z = root * d;
  const [z2, z4, z6, z8] = [2, 4, 6, 8].map((power) => z ** power);
  const pi2 = Math.PI ** 2;
  const [pi4, pi6] = [pi2 ** 2, pi2 ** 3];
  let [k0, k1, k2, k3] = [0, 0, 0, 0];
  for (let k = Math.ceil((16 * z) / Math.PI); k >= 0; k--) {
    // later terms are below e⁻¹²⁸
    const m2 = (k + 0.5) ** 2;
    const [m4, m6] = [m2 ** 2, m2 ** 3];
    const odd = 2 * Math.exp((-pi2 * m2) / (2 * z2)); // k and −k − 1
    k0 += odd;
    k1 += odd * (pi2 * m2 - z2);
    k2 += odd * (6 * z6 + 2 * z4 + pi2 * (2 * z4 - 5 * z2) * m2 + pi4 * (1 - 2 * z2) * m4);
    k3 +=
      odd *
      (pi6 * m6 * (5 - 30 * z2) +
        pi4 * m4 * (-60 * z2 + 212 * z4) +
        pi2 * m2 * (135 * z4 - 96 * z6) -
        (30 * z6 + 90 * z8));
  }
  let [k2Even, k3Even] = [0, 0];
  for (let k = Math.ceil((16 * z) / Math.PI); k >= 1; k--) {
    const even = 2 * Math.exp((-pi2 * k * k) / (2 * z2)); // k and −k
    k2Even += even * pi2 * k * k;
    k3Even += even * (-pi4 * k ** 4 + 3 * pi2 * z2 * k * k);
  }
  const half = Math.sqrt(Math.PI / 2);
  return (
    (Math.sqrt(2 * Math.PI) / z) * (k0 / 2) +
    ((half / (6 * z4)) * k1) / root +
    ((half / (72 * z ** 7)) * k2 - (half / (36 * z ** 3)) * k2Even) / n +
    ((half / (6480 * z ** 10)) * k3 + (half / (216 * z6)) * k3Even) / n ** 1.5
  );
}
