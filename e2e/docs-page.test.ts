/** The docs page in a real browser: "Try it out" works, and nothing is asked of any other host. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { killServices, startService } from "../serving/test/service-process.ts";
import { P_MEMBER, writeTinyModel } from "../serving/test/tiny-model.ts";

const CHROMIUM_PATH = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium";
const isMissing = !existsSync(CHROMIUM_PATH) && process.env.CHURN_REQUIRE_ALL !== "1";

const tiny = writeTinyModel();
after(() => {
  killServices();
  tiny.remove();
});

/** Keeps the browser from asking anything of its own makers, so that every request seen is the page's. */
const QUIET = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

test("a visitor of /docs tries the filled-in example and reads a probability, without internet", {
  skip: isMissing && `no Chromium at ${CHROMIUM_PATH}`,
  timeout: 60_000,
}, async () => {
  const service = startService({ MODEL_DIR: tiny.directory });
  const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: QUIET });
  try {
    const url = await service.url;
    const page = await browser.newPage();
    const asked: string[] = [];
    const complaints: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));

    await page.goto(`${url}/docs`);
    const predict = page.locator("#operations-prediction-predict");
    await predict.locator(".opblock-summary-control").click();
    await predict.getByRole("button", { name: "Try it out" }).click();
    await predict.getByRole("button", { name: "Execute" }).click();
    const answer = predict.locator(".live-responses-table .response").first();
    const status = await answer.locator(".response-col_status").innerText();
    const body = await answer.locator(".response-col_description pre").first().innerText();

    assert.match(status, /^200/);
    assert.equal(JSON.parse(body).churn_probability, P_MEMBER);
    assert.deepEqual(complaints, []);
    assert.ok(asked.includes(`${url}/docs/json`) && asked.includes(`${url}/predict?explain=false`));
    const elsewhere = asked.filter((address) => !address.startsWith(`${url}/`) && !address.startsWith("data:"));
    assert.deepEqual(elsewhere, []);
  } finally {
    await browser.close();
    service.child.kill("SIGTERM");
  }
  assert.equal((await service.exit).code, 0);
});
