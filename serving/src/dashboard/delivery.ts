/** Whether predictions reach the store, and what waits in front of it. */

import type { Html } from "@churn/contract";
import type { DeliveryState } from "../store/recorder.ts";
import { alarm, facts, section } from "./sections.ts";
import { count, counted, duration } from "./words.ts";

export type DeliveryFacts = Pick<DeliveryState, "isUp" | "lagSeconds" | "waiting" | "dropped">;

export function deliverySection({ isUp, lagSeconds, waiting, dropped }: DeliveryFacts): Html {
  const alarms = [
    ...(isUp ? [] : [alarm("The store takes no records at the moment. They wait on disk and are delivered later.")]),
    ...(dropped > 0 ? [alarm(`Lost for want of room to wait: ${counted(dropped, "record")}.`)] : []),
  ];
  return section(
    "store",
    "Prediction store",
    "Do predictions and outcomes reach the store?",
    ...alarms,
    facts(
      ["State", isUp ? "up" : "away"],
      ["Oldest record that waits", waiting === 0 && lagSeconds === 0 ? "none" : duration(lagSeconds)],
      ["Records that wait", count(waiting)],
      ["Records lost", count(dropped)],
    ),
  );
}
