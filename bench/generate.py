"""Python's side of bench/generate.ts: customers one by one in a loop, as such scripts are usually written: eight
columns, evenly distributed, in memory, nothing written. One JSON request per line in (`{"rows": n}`), seconds out.
"""

import json
import platform
import random
import sys
import time


def customer():
    tenure = random.randint(1, 72)
    tickets = random.randint(0, 12)
    probability = 0.5 if tenure < 6 else 0.35 if tickets > 6 else 0.15
    return {
        "age": random.randint(18, 75),
        "gender": random.choice(["Male", "Female"]),
        "monthly_charges": round(random.uniform(250, 1800), 2),
        "tenure_months": tenure,
        "support_tickets": tickets,
        "payment_delay_days": random.randint(0, 20),
        "avg_usage_hours": round(random.uniform(0.2, 10), 2),
        "churn": int(random.random() < probability),
    }


for line in sys.stdin:
    start = time.perf_counter()
    rows = [customer() for _ in range(json.loads(line)["rows"])]
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "rows": len(rows), "versions": {"Python": platform.python_version()}}), flush=True)
