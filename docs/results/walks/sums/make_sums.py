"""The 400 sums of the walk: python make_sums.py > sums.jsonl."""

import json
import random

pairs = [(a, b) for a in range(5, 30) for b in range(5, 30)]
for a, b in random.Random(0).sample(pairs, 400):
    print(json.dumps({"problem": f"Add up: {a} + {b} =", "answer": str(a + b)}))
