/**
 * The columns of the `customers` file. What makes rows (on other threads) does not need them: names and cities are
 * made here only.
 */
import type { TableColumn } from "../data/table-block.ts";
import { KEY_WIDTH } from "./customers.ts";
import { CONTRACTS, GENDERS, PAYMENT_METHODS, PLANS, REGIONS } from "./people.ts";
import { pools } from "./pools.ts";

/** The columns of the file, in order. */
export function customerColumns({ withTruth = false } = {}): TableColumn[] {
  const { names, emails, cities } = pools();
  const columns: TableColumn[] = [
    { name: "customer_id", type: "VARCHAR", width: KEY_WIDTH },
    { name: "observed_at", type: "DATE" },
    { name: "name", type: "VARCHAR", values: names },
    { name: "email", type: "VARCHAR", values: emails },
    { name: "city", type: "VARCHAR", values: cities },
    { name: "signup_date", type: "DATE" },
    { name: "age", type: "INTEGER", range: [18, 127] },
    { name: "gender", type: "VARCHAR", values: GENDERS },
    { name: "monthly_charges", type: "DOUBLE", scale: 10, range: [2500, 20_700] },
    { name: "tenure_months", type: "INTEGER", range: [0, 511] },
    { name: "support_tickets", type: "INTEGER", range: [0, 20] },
    { name: "payment_delay_days", type: "INTEGER", range: [0, 60] },
    { name: "avg_usage_hours", type: "DOUBLE", scale: 10 },
    { name: "contract", type: "VARCHAR", values: CONTRACTS },
    { name: "contract_months_left", type: "INTEGER", range: [1, 24] },
    { name: "plan", type: "VARCHAR", values: PLANS },
    { name: "product_count", type: "INTEGER", range: [1, 5] },
    { name: "payment_method", type: "VARCHAR", values: PAYMENT_METHODS },
    { name: "auto_pay", type: "BOOLEAN" },
    { name: "region", type: "VARCHAR", values: REGIONS },
    { name: "price_change_percent", type: "DOUBLE", scale: 2, range: [-20, 90] },
    { name: "usage_trend_percent", type: "INTEGER", range: [-90, 90] },
    { name: "days_since_login", type: "INTEGER", range: [0, 90] },
    { name: "satisfaction_score", type: "INTEGER", range: [1, 10] },
    { name: "churn", type: "INTEGER", range: [0, 1] },
    { name: "outcome_at", type: "DATE" },
  ];
  if (withTruth) columns.push({ name: "churn_truth", type: "DOUBLE" });
  return columns;
}
