/** The outputs of an exported graph, by their names. */
export const PROBABILITY = "churn_probability";
export const PREDICTION = "churn_prediction";
