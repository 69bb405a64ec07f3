"""Run the benchmarks that need neither a telephone nor minutes, one after the other: `python -m benchmarks`."""

import runpy
import sys

QUICK = ("engine", "world", "gate", "ledger", "ami")

for name in QUICK:
    print(f"\n== python -m benchmarks.{name}", flush=True)
    sys.argv = [name]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")
