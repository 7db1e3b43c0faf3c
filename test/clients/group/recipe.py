#!/usr/bin/python3
"""Run a recipe of examples/recipes until its topic is empty, or die in the work.

Usage: recipe.py FILE DIE_AFTER [MEMBER]

Prints a line for each piece of work; after DIE_AFTER of them (0: never) it
kills itself, as if the machine had failed.
"""
import importlib.util
import os
import signal
import sys

import psycopg2

spec = importlib.util.spec_from_file_location("recipe", sys.argv[1])
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)
left = int(sys.argv[2])


def work(account, payment):
    global left
    print(account, payment["amount"], flush=True)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


connection = psycopg2.connect(os.environ["DSN"])
while recipe.consume(connection, *sys.argv[3:], work) > 0:
    pass
