import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import {
  compileFeatures,
  type DatasetSpecification,
  Model,
  type ModelManifest,
  ReasonFinder,
  RequestReader,
  readModelDirectory,
} from "@churn/contract";
import { customerFields, readCustomer } from "../src/dashboard/customer-form.ts";
import { wilsonInterval } from "../src/dashboard/outcomes.ts";
import { explainRecent } from "../src/dashboard/recent-predictions.ts";
import { BINS, scoreShares, shareBelow } from "../src/dashboard/score-shares.ts";
import { duration, percent } from "../src/dashboard/words.ts";
import type { DashboardParts } from "../src/routes/dashboard.ts";
import { buildDashboardApp, dashboardParts, EMPTY, SUMMARY, stored } from "./dashboard-parts.ts";
import { GYM, MEMBER, P_FADING_DAY, P_MEMBER, writeTinyModel } from "./tiny-model.ts";

const tiny = writeTinyModel();
after(tiny.remove);
const gym = Model.load(tiny.directory);

/** The gym's model with another manifest; its trees look at features 0, 3 and 5. */
function changed(change: (manifest: ModelManifest) => Partial<ModelManifest>): Model {
  const { manifest: before, forest } = readModelDirectory(tiny.directory);
  const manifest = { ...before, ...change(before) };
  return new Model({ manifest, features: compileFeatures(manifest.dataset, "test"), forest });
}

const PATH = "/dashboard";

/** The page as a browser would ask for it. */
async function get(model: Model = gym, change: Partial<DashboardParts> = {}) {
  const app = await buildDashboardApp(dashboardParts(model, change));
  return app.inject({ url: PATH });
}

interface Post {
  readonly model?: Model;
  readonly headers?: Readonly<Record<string, string>>;
}

async function post(form: Readonly<Record<string, string>>, { model = gym, headers = {} }: Post = {}) {
  const app = await buildDashboardApp(dashboardParts(model));
  return app.inject({
    method: "POST",
    url: PATH,
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    payload: new URLSearchParams(form).toString(),
  });
}

/** `MEMBER`, as a browser sends it. */
const FORM = Object.fromEntries(Object.entries(MEMBER).map(([name, value]) => [name, String(value)]));

/** A section of the page, by its id. */
function sectionOf(page: string, id: string): string {
  const [found] = new RegExp(`<section id="${id}"[\\s\\S]*?</section>`).exec(page) ?? assert.fail(`no section ${id}`);
  return found;
}

/** What stands around a field: its label, input, fault and hint. */
function fieldOf(page: string, name: string): string {
  const fields = sectionOf(page, "try").split('<div class="field">');
  return fields.find((field) => field.includes(`name="${name}"`)) ?? assert.fail(`no field ${name}`);
}

/** A seeded generator of numbers in [0, 1): Lehmer's, with Park and Miller's multiplier. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

test("shares of scores are never negative and sum to 1, whatever the quantiles", () => {
  const random = randomNumbers(7);
  for (let round = 0; round < 500; round++) {
    const length = 2 + Math.floor(random() * 30);
    const coarse = random() < 0.5; // makes ties, and scores on the edges of bins
    const quantiles = Array.from({ length }, () => (coarse ? Math.round(random() * 20) / 20 : random())).sort(
      (a, b) => a - b,
    );

    const shares = scoreShares(quantiles);

    assert.equal(shares.length, BINS);
    assert.ok(shares.every((share) => share >= 0));
    assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-12);
  }
});

test("shares are exact where the distribution function is straight between quantiles", () => {
  const uniform = Array.from({ length: 21 }, (_, i) => i / 20);
  for (const share of scoreShares(uniform)) assert.ok(Math.abs(share - 1 / BINS) < 1e-12);

  const square = Array.from({ length: 21 }, (_, i) => Math.sqrt(i / 20)); // P(score < x) = x²
  for (const [i, quantile] of square.entries()) assert.ok(Math.abs(shareBelow(square, quantile) - i / 20) < 1e-12);

  const narrow = scoreShares([0.2, 0.3, 0.4]);
  for (const [bin, share] of narrow.entries()) assert.ok(Math.abs(share - (bin >= 4 && bin < 8 ? 0.25 : 0)) < 1e-12);
});

test("shares are those of scores that are drawn between the quantiles and counted", () => {
  const random = randomNumbers(11);
  const quantiles = Array.from({ length: 21 }, random).sort((a, b) => a - b);
  const draws = 200_000;
  const counts = new Array<number>(BINS).fill(0);
  for (let k = 0; k < draws; k++) {
    const place = ((k + 0.5) / draws) * 20;
    const low = Math.floor(place);
    const score = quantiles[low] + (place - low) * (quantiles[low + 1] - quantiles[low]);
    counts[Math.min(BINS - 1, Math.floor(score * BINS))]++;
  }

  for (const [bin, share] of scoreShares(quantiles).entries()) assert.ok(Math.abs(share - counts[bin] / draws) < 1e-4);
});

test("equal scores fall into the one bin that begins with them", () => {
  for (const [score, bin] of [
    [0, 0],
    [0.5, 10],
    [0.52, 10],
    [1, 19],
  ]) {
    const shares = scoreShares([score, score, score]);
    assert.deepEqual(
      [...shares.keys()].filter((one) => shares[one] === 1),
      [bin],
      String(score),
    );
  }
});

test("the interval of a share ends where the share would be 1.96 standard errors away", () => {
  for (const [part, whole] of [
    [1, 2],
    [6, 10],
    [41, 74],
    [3, 5000],
  ]) {
    for (const end of wilsonInterval(part, whole)) {
      const error = Math.sqrt((end * (1 - end)) / whole);
      assert.ok(Math.abs(Math.abs(part / whole - end) / error - 1.96) < 1e-4);
    }
  }
  assert.equal(wilsonInterval(0, 9)[0], 0);
  assert.equal(wilsonInterval(9, 9)[1], 1);
});

test("numbers read well", () => {
  const nbsp = (text: string): string => text.replaceAll(" ", "\u00a0");
  for (const [seconds, text] of [
    [0.00042, "0.42 ms"],
    [0.0123, "12 ms"],
    [0.9996, "1 s"],
    [3.14, "3.1 s"],
    [600, "10 min"],
    [86_400, "24 h"],
    [NaN, "–"],
  ] as const) {
    assert.equal(duration(seconds), nbsp(text));
  }
  assert.equal(percent(0.2333), nbsp("23.3 %"));
  assert.equal(percent(0.0001), nbsp("< 0.1 %"));
  assert.equal(percent(0), nbsp("0.0 %"));
});

test("a form becomes the JSON that /predict takes; what is no value of its type stays text, for the schema to refuse", () => {
  const fields = customerFields(gym.manifest);
  const read = (form: Record<string, string>) => readCustomer(fields, new Map(Object.entries(form)));

  assert.deepEqual(read(FORM), MEMBER);
  assert.deepEqual(read({ visits: " 1e1 ", lockers: "+2", trainer: "true", tariff: " day ", weight: "" }), {
    visits: 10,
    lockers: 2,
    trainer: true,
    tariff: "day",
  });
  for (const text of ["2,7", "0x1F", "many", "--1", "Infinity", "1 2"])
    assert.deepEqual(read({ visits: text }), { visits: text });
  assert.deepEqual(read({ trainer: "1" }), { trainer: "1" });
});

test("a field of very many digits is read as fast as any other", () => {
  const digits = "1".repeat(60_000);
  const started = performance.now();
  const customer = readCustomer(customerFields(gym.manifest), new Map([["visits", `${digits}x`]]));
  assert.deepEqual(customer, { visits: `${digits}x` });
  assert.ok(performance.now() - started < 1000);
});

test("the page says which model is live and since when, how good it is, and where its threshold lies", async () => {
  const { statusCode, body } = await get();
  const model = sectionOf(body, "model");

  assert.equal(statusCode, 200);
  assert.match(body, new RegExp(`<h1>gym-churn <span>${gym.manifest.version}</span></h1>`));
  assert.match(model, /Live since<\/dt><dd><time datetime="2026-11-24T07:59:00.000Z">24 Nov 2026, 07:59:00 UTC/);
  assert.match(model, /Trained<\/dt><dd><time datetime="2026-11-23T20:45:00.000Z">/);
  assert.match(model, /ROC AUC<\/h3>\s*<p class="value">0.8000<\/p>\s*<p class="small">95&nbsp;%: 0.7500 – 0.8500/);
  assert.match(model, /probability to churn is 30.0\u00a0% or more is to be contacted \(Made up\)\./);
  assert.doesNotMatch(model, /Profit/); // the gym has no economics
});

test("a metric that a model has is shown, such as the profit where there are economics", async () => {
  const model = changed(({ metrics }) => ({
    metrics: { ...metrics, profit_per_customer: { value: 1248.4, low: 1200, high: 1300 } },
  }));

  const { body } = await get(model);

  assert.match(sectionOf(body, "model"), /Profit per customer<\/h3>\s*<p class="value">1,248.40/);
});

test("the page runs nothing, loads nothing, and its policy lets in nothing but its own style", async () => {
  const { body, headers } = await get();
  const [, style] = /<style>([\s\S]*)<\/style>/.exec(body) ?? assert.fail("no style");
  const hash = createHash("sha256").update(style).digest("base64");

  const policy = String(headers["content-security-policy"]);
  assert.match(policy, /^default-src 'none'; /);
  assert.ok(policy.includes(`style-src 'sha256-${hash}';`));
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  assert.doesNotMatch(body, /<script|<iframe|<img| style=| on[a-z]+=|http-equiv|@import|url\(/i);
  const links = [...body.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, link]) => link);
  assert.ok(links.length > 8 && links.every((link) => /^#|^data:,$/.test(link)), links.join());
  assert.equal(headers["content-type"], "text/html; charset=utf-8");
});

test("requests are shown by route: count, shares of errors, times", async () => {
  const section = sectionOf((await get()).body, "requests");
  const cells = [...section.matchAll(/class="number">([^<]*)</g)].map(([, cell]) => cell.replaceAll("\u00a0", " "));

  assert.match(section, /POST<\/small> \/predict/);
  assert.deepEqual(cells, ["4,300", "0.0 %", "0.0 %", "0.1 ms", "–", "1,520", "0.1 %", "1.3 %", "0.4 ms", "2.1 ms"]);
});

test("scores of now stand beside those of training, in a picture and as figures", async () => {
  const section = sectionOf((await get()).body, "scores");
  const rows = [...section.matchAll(/rowheader" scope="row">([^<]*)<\/th><td[^>]*>([^<]*)<\/td><td[^>]*>([^<]*)</g)];
  const shares = (column: number): number[] => rows.map((row) => Number.parseFloat(row[column]));

  assert.match(
    section,
    /<svg class="plot"[^>]* role="img" aria-label="Share of customers by score\. Of 1,500\u00a0predictions/,
  );
  assert.equal(rows.length, BINS);
  assert.equal(section.match(/<rect class="now" x/g)?.length, 15);
  assert.deepEqual(shares(2).slice(0, 16), [...new Array(15).fill(6.7), 0]);
  // Of training there are two quantiles, 0.15 and 0.75: evenly between them, so twelve bins of 8.3 %.
  assert.deepEqual(
    shares(3),
    Array.from({ length: BINS }, (_, bin) => (bin >= 3 && bin < 15 ? 8.3 : 0)),
  );
});

test("a model that keeps no scores of training, or only one, gets a picture without them", async () => {
  for (const scores of [[], [0.4]]) {
    const { statusCode, body } = await get(changed(({ reference }) => ({ reference: { ...reference, scores } })));

    assert.equal(statusCode, 200);
    assert.doesNotMatch(body, /<path class="training" d="M58|NaN/);
  }
});

test("a recent prediction has the first three reasons that its model gives for it", async () => {
  const recent = sectionOf((await get()).body, "recent");
  const { row } = new RequestReader(GYM, gym.encoder).read(MEMBER);
  const texts = new ReasonFinder(gym)
    .find(row)
    .reasons.slice(0, 3)
    .map(({ text }) => text);
  const shown = [...recent.matchAll(/<li>([^<]*)<\/li>/g)].map(([, text]) => text);

  assert.ok(texts.length > 0);
  assert.deepEqual(
    shown,
    [...texts, ...texts].map((text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")),
  );
  assert.match(recent, /<bdi>M-17<\/bdi>/);
  assert.match(recent, /no key/);
  assert.match(recent, /churned/);
  assert.match(recent, /not known/);
  assert.match(recent, new RegExp(`${(100 * P_MEMBER).toFixed(1)}\u00a0%`));
});

test("values appear in the list of predictions only as reasons, and sensitive ones never", async () => {
  const recent = sectionOf((await get()).body, "recent");

  assert.doesNotMatch(recent, /weight|71\.3/);
});

test("reasons are left out where they would not be those of the score", async () => {
  const recent = [
    stored(gym, { modelSha256: "ab".repeat(32), modelVersion: "20260101T000000Z-abababab" }),
    stored(gym, { score: 0.5 }),
    stored(gym, { features: { ...MEMBER, weight: "5f2c…" } }), // a hash in place of a sensitive number
    stored(gym, { features: { visits: 3 } }),
  ];

  const { statusCode, body } = await get(gym, { store: async () => ({ summary: SUMMARY, recent }) });

  const section = sectionOf(body, "recent");
  assert.equal(statusCode, 200);
  assert.match(section, /Made by model 20260101T000000Z-abababab, which is not live\./);
  assert.equal(section.match(/Left out: the stored values do not lead to this score again\./g)?.length, 3);
  assert.doesNotMatch(section, /<ul class="why">/);
});

test("at most ten predictions are explained, one a turn of the event loop", async () => {
  const reader = new RequestReader(GYM, gym.encoder);
  const finder = new ReasonFinder(gym);
  let turns = 0;
  const counter = setInterval(() => {}, 1000);
  let immediate: NodeJS.Immediate = setImmediate(function count() {
    turns++;
    immediate = setImmediate(count);
  });
  const explainedIn: number[] = [];
  const reasonFinder = Object.assign(Object.create(finder) as ReasonFinder, {
    find: (row: Parameters<ReasonFinder["find"]>[0]) => {
      explainedIn.push(turns);
      return finder.find(row);
    },
  });
  const recent = new Array(15).fill(stored(gym));

  const explained = await explainRecent(recent, { model: gym, reader, reasonFinder, fits: () => true });
  clearImmediate(immediate);
  clearInterval(counter);

  assert.equal(explained.length, 10);
  assert.equal(new Set(explainedIn).size, 10);
});

test("outcomes are counted, and precision and recall come with their intervals", async () => {
  const section = sectionOf((await get()).body, "outcomes").replaceAll("\u00a0", " ");

  assert.match(section, /known of <b>20<\/b> of 1,500 predictions \(1.3 %\) made from/);
  assert.match(
    section,
    /<b>6<\/b> <small>found[\s\S]*<b>4<\/b> <small>in vain[\s\S]*<b>2<\/b> <small>missed[\s\S]*<b>8<\/b> <small>rightly/,
  );
  assert.match(section, /how many churned<\/dt><dd>60.0 % \(6 of 10; 95 %: 31.3 % – 83.2 %\)/);
  assert.match(section, /were to be contacted<\/dt><dd>75.0 % \(6 of 8; 95 %: 40.9 % – 92.9 %\)/);
});

test("a service without predictions, requests and outcomes says so", async () => {
  const { statusCode, body } = await get(gym, {
    store: async () => ({ summary: EMPTY, recent: [] }),
    requests: async () => [],
  });

  assert.equal(statusCode, 200);
  assert.match(body, /No customer has been scored yet/);
  assert.match(sectionOf(body, "recent"), /There are no predictions yet/);
  assert.match(sectionOf(body, "outcomes"), /There are no predictions yet/);
  assert.match(sectionOf(body, "requests"), /No request has been counted yet/);
  assert.doesNotMatch(body, /NaN|undefined|null|Infinity/);

  const withoutOutcomes = { ...SUMMARY, outcomes: 0, confusion: EMPTY.confusion };
  const { body: later } = await get(gym, { store: async () => ({ summary: withoutOutcomes, recent: [] }) });
  assert.match(sectionOf(later, "outcomes"), /Report outcomes, and precision and recall appear here/);
});

test("a store that is away, or a counter that fails, costs the page only its own part", async () => {
  for (const fail of [
    () => Promise.reject(new Error("away: secret")),
    () => {
      throw new Error("secret");
    },
  ]) {
    const { statusCode, body } = await get(gym, {
      store: fail,
      requests: fail,
      delivery: () => ({ isUp: false, lagSeconds: 75, waiting: 12_345, dropped: 2 }),
    });

    assert.equal(statusCode, 200);
    assert.match(body, /the store does not answer/);
    assert.match(sectionOf(body, "recent"), /The prediction store is away/);
    assert.match(sectionOf(body, "requests"), /cannot be had/);
    assert.match(
      sectionOf(body, "store"),
      /They wait on disk[\s\S]*Lost for want of room to wait: 2\u00a0records[\s\S]*12,345/,
    );
    assert.match(sectionOf(body, "try"), /<button/);
    assert.match(sectionOf(body, "scores"), /class="training" d="M58/);
    assert.doesNotMatch(body, /secret|NaN|undefined/);
  }
});

test("a store that does not answer is not waited for longer than two seconds", async () => {
  const start = performance.now();
  const { statusCode, body } = await get(gym, { store: () => new Promise(() => {}) });
  const waitedMs = performance.now() - start;

  assert.equal(statusCode, 200);
  assert.match(sectionOf(body, "recent"), /The prediction store is away/);
  assert.ok(waitedMs > 1900 && waitedMs < 10_000, `${waitedMs} ms`);
});

test("the form has a field for every column that the model reads, by its type, filled with the example", async () => {
  const { body } = await get();
  const input = (name: string) => /<(?:input|select)[\s\S]*?(?:>$|<\/select>|">)/m.exec(fieldOf(body, name))?.[0] ?? "";

  assert.match(input("visits"), /required type="number" step="any" min="0" max="40" value="6.5"/);
  assert.match(fieldOf(body, "visits"), /<label for="field-0">visits <span class="muted">per month<\/span><\/label>/);
  assert.match(fieldOf(body, "visits"), /aria-describedby="field-0-hint"[\s\S]*id="field-0-hint">Visits\. 0 to 40\.</);
  assert.match(input("lockers"), /required type="number" step="1" min="0" max="3" value="1"/);
  assert.match(
    fieldOf(body, "trainer"),
    /required><option value="true">yes<\/option><option value="false" selected>no</,
  );
  assert.match(
    fieldOf(body, "tariff"),
    /"><option value="">not known<\/option><option value="day">day<\/option><option value="full" selected>full</,
  );
  assert.match(input("weight"), /type="number" step="any" value="71.3"/);
  assert.doesNotMatch(fieldOf(body, "weight"), /required/);
  for (const none of ["member", "seen_on", "full_name", "left", "fading"])
    assert.ok(!body.includes(`name="${none}"`), none);
});

test("a tried customer gets probability, decision and reasons with their bars; what was typed stays", async () => {
  const { statusCode, body } = await post({ ...FORM, visits: "1", tariff: "day" });
  const section = sectionOf(body, "try").replaceAll("\u00a0", " ");
  const { explanation } = {
    explanation: new ReasonFinder(gym).find(
      new RequestReader(GYM, gym.encoder).read({ ...MEMBER, visits: 1, tariff: "day" }).row,
    ),
  };

  assert.equal(statusCode, 200);
  assert.match(
    section,
    new RegExp(
      `<b>${(100 * P_FADING_DAY).toFixed(1)} %</b> probability to churn: <span class="contact">contact</span>`,
    ),
  );
  assert.match(section, /not stored and not counted/);
  const figures = [...section.matchAll(/<td class="number">(?:<span>)?([+−]?[\d.]+)/g)].map(([, text]) =>
    Number(text.replace("−", "-")),
  );
  const parts = [
    explanation.baseValue,
    ...explanation.reasons.map(({ contribution }) => contribution),
    explanation.otherContributions,
  ];
  assert.equal(figures.length, parts.length + 1);
  for (const [i, part] of [...parts, explanation.score].entries())
    assert.ok(Math.abs(figures[i] - 100 * part) < 0.0501);
  assert.ok(
    Math.abs(figures.slice(0, -1).reduce((sum, one) => sum + one, 0) - (figures.at(-1) as number)) <
      0.05 * figures.length,
  );
  const bars = [...section.matchAll(/<rect class="(raises|lowers)" x="([\d.]+)" y="1" width="([\d.]+)"/g)];
  assert.equal(bars.length, parts.length - 1);
  for (const [i, [, kind, x, width]] of bars.entries()) {
    assert.equal(kind, parts[i + 1] < 0 ? "lowers" : "raises");
    assert.ok(Math.abs(kind === "raises" ? Number(x) - 50 : Number(x) + Number(width) - 50) < 0.11);
  }
  assert.doesNotMatch(section, /weight[^<]*risk score/);
  assert.match(fieldOf(body, "visits"), /value="1"/);
  assert.match(fieldOf(body, "tariff"), /<option value="day" selected>/);
});

test("an unknown level and a missing nullable value are scored, with a warning", async () => {
  const { statusCode, body } = await post({ ...FORM, tariff: "night & day", weight: "" });
  const section = sectionOf(body, "try");

  assert.equal(statusCode, 200);
  assert.match(section, /tariff: the model has not seen &quot;night &amp; day&quot;; scored as unknown/);
  assert.match(section, /weight is missing; scored as unknown/);
  assert.match(section, /<option value="night &amp; day" selected>night &amp; day \(new to the model\)/);
});

test("a fault stands beside its field and above the form, and what was typed stays", async () => {
  const faults: readonly (readonly [field: string, typed: string, message: string])[] = [
    ["visits", "900", "expected a value &lt;= 40, got 900"],
    ["visits", "-1", "expected a value &gt;= 0, got -1"],
    ["visits", "many", "expected number, got &quot;many&quot;"],
    ["visits", "1e999", "expected number, got Infinity"],
    ["visits", "", "expected a value: the field is required"],
    ["lockers", "1.5", "expected integer, got 1.5"],
    ["lockers", "", "expected a value: the field is required"],
    ["trainer", "maybe", "expected boolean, got &quot;maybe&quot;"],
    ["trainer", "", "expected a value: the field is required"],
    ["tariff", "x".repeat(257), "NOT have more than 256 characters"],
    ["weight", "heavy", "expected number or null, got &quot;heavy&quot;"],
  ];
  for (const [field, typed, message] of faults) {
    const { statusCode, body, headers } = await post({ ...FORM, [field]: typed });
    const around = fieldOf(body, field);
    const id = /id="(field-\d)"/.exec(around)?.[1];

    assert.equal(statusCode, 422, `${field}: ${typed}`);
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    assert.match(body, /<title>Error: /);
    assert.ok(around.includes(message), `${around} has no ${message}`);
    assert.match(around, new RegExp(`aria-describedby="${id}-fault[" ]`));
    assert.match(around, new RegExp(`aria-invalid="true"[\\s\\S]*<p class="fault" id="${id}-fault">`));
    assert.match(sectionOf(body, "try"), new RegExp(`role="alert"[\\s\\S]*<li><a href="#${id}">${field}</a>: `));
    if (typed !== "") assert.ok(around.includes(`value="${typed.slice(0, 256)}"`), around);
    assert.doesNotMatch(body, /class="answer"/);
    for (const other of Object.keys(FORM).filter((name) => name !== field)) {
      assert.doesNotMatch(fieldOf(body, other), /aria-invalid|class="fault"/);
    }
  }
});

test("all faults come at once, and a field that the form does not have is one", async () => {
  const { statusCode, body } = await post({ visits: "many", lockers: "9", shoes: "2", ["__proto__"]: "x" });
  const [alert] = /<div class="alarm" role="alert">[\s\S]*?<\/div>/.exec(body) ?? assert.fail("no list");

  assert.equal(statusCode, 422);
  for (const field of ["visits", "lockers", "trainer"]) assert.match(alert, new RegExp(`>${field}</a>: expected`));
  assert.match(alert, /<li>shoes: expected no such field/);

  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`shoe${i}`, "1"]));
  const flooded = await post({ ...FORM, ...many });
  assert.equal(flooded.statusCode, 422);
  assert.match(flooded.body, /and 2,995\u00a0others/);
  assert.ok(flooded.body.length < 60_000);
});

test("forms are read here only, JSON elsewhere only, and neither beyond its limit", async () => {
  const app = await buildDashboardApp(dashboardParts(gym));
  const send = (url: string, type: string, payload: string) =>
    app.inject({ method: "POST", url, headers: { "content-type": type }, payload });

  const form = await send("/json", "application/x-www-form-urlencoded", "visits=1");
  const json = await send(PATH, "application/json", JSON.stringify(MEMBER));
  const large = await send(PATH, "application/x-www-form-urlencoded", `visits=${"1".repeat(64 * 1024)}`);

  assert.deepEqual([form.statusCode, json.statusCode, large.statusCode], [415, 415, 413]);
  for (const { headers } of [form, json, large]) assert.match(String(headers["content-type"]), /problem\+json/);
  assert.match(json.json().detail, /expected application\/x-www-form-urlencoded, got application\/json/);
  assert.equal((await send("/json", "application/json", "1")).statusCode, 200);
});

test("a form of another site is refused", async () => {
  const cases: readonly (readonly [status: number, headers: Readonly<Record<string, string>>])[] = [
    [200, {}],
    [200, { "sec-fetch-site": "same-origin" }],
    [200, { "sec-fetch-site": "none" }],
    [403, { "sec-fetch-site": "cross-site" }],
    [403, { "sec-fetch-site": "same-site" }],
    [403, { "sec-fetch-site": "cross-site", origin: "https://churn.example", host: "churn.example" }],
    [200, { origin: "https://churn.example", host: "churn.example" }],
    [200, { origin: "http://churn.example:8000", host: "churn.example:8000" }],
    [403, { origin: "https://churn.example:8000", host: "churn.example" }],
    [403, { origin: "https://evil.example", host: "churn.example" }],
    [403, { origin: "null", host: "churn.example" }],
  ];
  for (const [status, headers] of cases) {
    const response = await post(FORM, { headers });

    assert.equal(response.statusCode, status, JSON.stringify(headers));
    if (status === 403) {
      assert.match(String(response.headers["content-type"]), /problem\+json/);
      assert.match(response.json().detail, /of another site/);
    }
  }
});

/** Every type of column, nullable and not, under names that mean something to HTML, JSON Pointer or JavaScript. */
const EVIL = `<b title="x">&'</b>`;
const HOSTILE: DatasetSpecification = {
  name: EVIL,
  target: { column: "left", positive: "yes" },
  columns: {
    [EVIL]: { type: "number", nullable: true, unit: EVIL, description: `${EVIL}; more` },
    "a~b/c": { type: "integer", minimum: 0.5, maximum: 3.5 },
    constructor: { type: "boolean" as const },
    tariff: { type: "category", values: [EVIL, "day", "full"] },
    "#try": { type: "integer", nullable: true, sensitive: true },
    " ": { type: "boolean", nullable: true },
    left: { type: "category", values: ["yes", "no"] },
  },
};
const hostile = changed(() => ({
  name: EVIL,
  dataset: HOSTILE,
  threshold: { value: 0.3, method: "f1", reason: EVIL, interval: [0.2, 0.4] },
  inputExample: { [EVIL]: 1, "a~b/c": 2, constructor: true, tariff: EVIL, "#try": null, " ": null },
}));

test("no text becomes markup, whoever wrote it", async () => {
  const parts = dashboardParts(hostile, {
    requests: async () => [
      { method: EVIL, route: EVIL, count: 1, errors: 0, rejected: 0, p50Seconds: NaN, p99Seconds: NaN },
    ],
    store: async () => ({
      summary: SUMMARY,
      recent: [stored(gym, { customerKey: EVIL, modelVersion: EVIL, modelSha256: "other" })],
    }),
  });
  const app = await buildDashboardApp(parts);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const send = (form: Record<string, string>) =>
    app.inject({ method: "POST", url: PATH, headers, payload: new URLSearchParams(form).toString() });
  const valid = { [EVIL]: "1", "a~b/c": "2", constructor: "true", tariff: EVIL };

  const pages = [
    await app.inject({ url: PATH }),
    await send(valid),
    await send({ ...valid, tariff: `${EVIL}${EVIL}` }),
    await send({ ...valid, [EVIL]: EVIL, [`${EVIL}2`]: EVIL, constructor: EVIL, "a~b/c": "9" }),
  ];

  assert.deepEqual(
    pages.map(({ statusCode }) => statusCode),
    [200, 200, 200, 422],
  );
  for (const { body } of pages) {
    assert.doesNotMatch(body, /<b title|title="x"|&'/);
    assert.match(body, /&lt;b title=&quot;x&quot;&gt;&amp;&#39;&lt;\/b&gt;/);
  }
});

test("columns of every type and name can be filled in, and their faults find them", async () => {
  const valid = { [EVIL]: "1", "a~b/c": "2", constructor: "true", tariff: "day", "#try": "", " ": "false" };
  const first = await get(hostile);
  assert.equal((await post(valid, { model: hostile })).statusCode, 200);

  assert.match(fieldOf(first.body, "a~b/c"), /step="1" min="1" max="3"/); // whole numbers within 0.5 and 3.5
  assert.match(fieldOf(first.body, " "), /<option value="" selected>not known<\/option><option value="true">yes</);
  assert.match(fieldOf(first.body, "tariff"), /\(new to the model\)[\s\S]*<option value="day">day</);
  for (const [name, typed] of Object.entries({ "a~b/c": "7", constructor: "9", "#try": "1.5", " ": "yes" })) {
    const { statusCode, body } = await post({ ...valid, [name]: typed }, { model: hostile });

    assert.equal(statusCode, 422, name);
    assert.match(fieldOf(body, name), /class="fault"/);
    assert.equal(body.match(/class="fault"/g)?.length, 1);
  }
});

test("a category of very many levels is a field for text, so that the page stays small", async () => {
  const levels = Array.from({ length: 5000 }, (_, i) => `shop ${i}`);
  const model = changed(({ encodings }) => ({ encodings: { ...encodings, tariff: levels } }));

  const { body } = await get(model);

  assert.match(fieldOf(body, "tariff"), /<input [^>]*type="text" maxlength="256"/);
  assert.ok(body.length < 60_000, `${body.length} bytes`);
});

test("a model that is exchanged brings its own form and its own rules", async () => {
  const parts = { ...dashboardParts(gym) };
  const app = await buildDashboardApp(parts);
  const before = await app.inject({ url: PATH });

  Object.assign(parts, dashboardParts(hostile, { store: async () => ({ summary: EMPTY, recent: [] }) }));
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const old = await app.inject({ method: "POST", url: PATH, headers, payload: new URLSearchParams(FORM).toString() });

  assert.match(before.body, /name="visits"/);
  assert.equal(old.statusCode, 422);
  assert.match(old.body, /<li>visits: expected no such field/);
  assert.match(old.body, /name="a~b\/c"/);
});
