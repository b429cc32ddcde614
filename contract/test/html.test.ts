import assert from "node:assert/strict";
import { test } from "node:test";
import { html, trusted } from "../src/html.ts";

test("a template escapes what is put into it, in text and in attributes", () => {
  const hostile = `<script>alert("1")</script>&'`;

  const page = html`<p title="${hostile}">${hostile}</p>`.toString();

  const safe = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";
  assert.equal(page, `<p title="${safe}">${safe}</p>`);
});

test("a template within a template is not escaped again; a list is joined", () => {
  const items = ["a<b", "c"].map((name) => html`<li>${name}</li>`);

  assert.equal(html`<ul>${items}</ul>${trusted("<hr>")}${3}`.toString(), "<ul><li>a&lt;b</li><li>c</li></ul><hr>3");
});

test("text of the data stays as it is where it has no meaning in HTML", () => {
  const text = "back\\slash $& $1 `tick`";

  assert.equal(html`${text}`.toString(), text.replace("&", "&amp;"));
});
