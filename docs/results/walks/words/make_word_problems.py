"""The 400 word problems of the walk: python make_word_problems.py > word_problems.csv."""

import csv
import random
import sys

MORE = "{0} has {2} {1} and gets {3} more. How many {1} does {0} have? {2} + {3} ="
LESS = "{0} has {2} {1} and gives {3} away. How many {1} are left? {2} - {3} ="

draw = random.Random(0)
problems = {}
while len(problems) < 400:
    name = draw.choice(["Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana"])
    things = draw.choice(["pens", "apples", "cards", "books", "coins", "stamps"])
    a, b = draw.randrange(10, 40), draw.randrange(2, 30)
    if draw.random() < 0.5:
        problems[MORE.format(name, things, a, b)] = a + b
    elif a > b:
        problems[LESS.format(name, things, a, b)] = a - b
rows = csv.writer(sys.stdout)
rows.writerow(["question", "answer"])
rows.writerows(problems.items())
