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
    { name: "age", type: "INTEGER" },
    { name: "gender", type: "VARCHAR", values: GENDERS },
    { name: "monthly_charges", type: "DOUBLE", scale: 10 },
    { name: "tenure_months", type: "INTEGER" },
    { name: "support_tickets", type: "INTEGER" },
    { name: "payment_delay_days", type: "INTEGER" },
    { name: "avg_usage_hours", type: "DOUBLE", scale: 10 },
    { name: "contract", type: "VARCHAR", values: CONTRACTS },
    { name: "contract_months_left", type: "INTEGER" },
    { name: "plan", type: "VARCHAR", values: PLANS },
    { name: "product_count", type: "INTEGER" },
    { name: "payment_method", type: "VARCHAR", values: PAYMENT_METHODS },
    { name: "auto_pay", type: "BOOLEAN" },
    { name: "region", type: "VARCHAR", values: REGIONS },
    { name: "price_change_percent", type: "DOUBLE", scale: 2 },
    { name: "usage_trend_percent", type: "INTEGER" },
    { name: "days_since_login", type: "INTEGER" },
    { name: "satisfaction_score", type: "INTEGER" },
    { name: "churn", type: "INTEGER" },
    { name: "outcome_at", type: "DATE" },
  ];
  if (withTruth) columns.push({ name: "churn_truth", type: "DOUBLE" });
  return columns;
}
