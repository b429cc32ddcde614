"""The other side of bench/serve.ts: a churn service as such services are usually written in Python. FastAPI takes any
JSON object, pandas makes the features, a pickled scikit-learn forest answers; the log is text and holds the record.

    MODEL=model.pkl uvicorn seed_service:app

Two things differ from the usual: the forest is ours (bench/seed_model.py), and the probability is not rounded, so that
the answers of both sides can be compared. The endpoint is async, as a pool of threads (def) makes it no faster: what it
does is work for one processor.
"""

import logging
import os
import pickle

import numpy as np
import pandas as pd
from fastapi import FastAPI

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
logger = logging.getLogger("churn")

with open(os.environ["MODEL"], "rb") as file:
    model = pickle.load(file)
forest, codes = model["forest"], model["codes"]

app = FastAPI(title="Churn prediction")


def preprocess(frame):
    for column, code in codes.items():
        frame[column] = frame[column].map(code)
    frame["high_risk_user"] = ((frame["support_tickets"] > 5) & (frame["payment_delay_days"] > 5)).astype(int)
    frame["tenure_bucket"] = pd.cut(frame["tenure_months"], [-np.inf, 6, 24, np.inf], labels=False)
    frame["charges_per_hour"] = frame["monthly_charges"] / (30 * frame["avg_usage_hours"].clip(lower=0.1))
    return frame[forest.feature_names_in_].astype(float)


@app.get("/")
def health():
    return {"status": "ok"}


@app.post("/predict")
async def predict(data: dict):
    logger.info("Received prediction request: %s", data)
    features = preprocess(pd.DataFrame([data]))
    prediction = int(forest.predict(features)[0])
    probability = float(forest.predict_proba(features)[0][1])
    logger.info("Prediction: %s, probability: %s", prediction, probability)
    return {"churn_prediction": prediction, "churn_probability": probability}
