"""Reference values of logistic regression with an L2 penalty, from scikit-learn.

Writes crates/quintet/src/tasks/reference/logistic.json, which the tests of tasks/linear.rs read.
Run from anywhere: python reference/logistic.py   (scikit-learn 1.0 or later)
"""

import json
import pathlib

import numpy as np
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(20260)
ROWS, WIDTH = 60, 12
x = np.where(rng.random((ROWS, WIDTH)) < 0.3, rng.normal(size=(ROWS, WIDTH)).round(3), 0.0).astype(np.float32)
y = x @ rng.normal(size=WIDTH) + rng.normal(size=ROWS) > 0.3
fits = []
for cost in (0.1, 1.0, 30.0):
    m = LogisticRegression(C=cost, tol=1e-12, max_iter=100000).fit(x.astype(np.float64), y)
    fits.append({"cost": cost, "weights": m.coef_[0].tolist(), "bias": float(m.intercept_[0]),
                 "probabilities": m.predict_proba(x.astype(np.float64))[:, 1].tolist()})
rows = [[[int(c), float(row[c])] for c in np.nonzero(row)[0]] for row in x]
path = pathlib.Path(__file__).parent.parent / "crates/quintet/src/tasks/reference/logistic.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps({"width": WIDTH, "rows": rows, "positive": y.tolist(), "fits": fits}) + "\n")
