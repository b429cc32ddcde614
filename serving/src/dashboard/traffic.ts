/** The requests since the service started, by route: how many, how many failed, how fast. */

import { type Html, html } from "@churn/contract";
import type { RouteTraffic } from "../metrics.ts";
import { alarm, note, type Row, section, table } from "./sections.ts";
import { count, duration, percentOf } from "./words.ts";

/** A service has fewer routes; a counter that has gone wild does not make the page long. */
const MOST_ROUTES = 20;

export function trafficSection(traffic: readonly RouteTraffic[] | undefined): Html {
  const question = "How many requests since the service started, and how fast were they answered?";
  return section("requests", "Requests", question, content(traffic));
}

function content(traffic: readonly RouteTraffic[] | undefined): Html {
  if (traffic === undefined) return alarm("The figures of the requests cannot be had at the moment.");
  const rows = traffic.filter((one) => one.count > 0).toSorted((a, b) => b.count - a.count);
  if (rows.length === 0) return note("No request has been counted yet.");
  const header = ["Route", "Requests", "Failed", "Refused", "p50", "p99"];
  return html`${table("Requests by route", header, rows.slice(0, MOST_ROUTES).map(row))}
${note("Failed: the service's fault (5xx). Refused: the caller's (4xx). p50 and p99: half, and 99 of 100, were answered within this time.")}`;
}

function row({ method, route, count: requests, errors, rejected, p50Seconds, p99Seconds }: RouteTraffic): Row {
  return [
    html`<small class="method">${method}</small> ${route}`,
    count(requests),
    percentOf(errors, requests),
    percentOf(rejected, requests),
    duration(p50Seconds),
    duration(p99Seconds),
  ];
}
