import assert from "node:assert/strict";
import { test } from "node:test";
import { DIAGONAL, line, MODEL, plot } from "../src/report/plot.ts";
import { standaloneSvg } from "../src/report/standalone-svg.ts";
import { renderSvg } from "../src/report/vega.ts";

test("a plot alone has a size, a namespace and colours of its own", async () => {
  const svg = standaloneSvg(await renderSvg(plot({ title: "x" }, { title: "y" }, [line(DIAGONAL, MODEL)])));

  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="\d+" height="\d+" [^>]*viewBox="0 0 /);
  assert(!svg.includes("var(--") && svg.includes("#566173"));
  assert(!svg.includes("currentColor"));
});
