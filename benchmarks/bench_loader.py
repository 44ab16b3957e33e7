"""How fast dump files and records get into PostgreSQL: this project's loader, others, and plain psql.

    .venv/bin/python benchmarks/bench_loader.py --quick
    .venv/bin/python benchmarks/bench_loader.py --only yardstick,fresh --repetitions 5

`docs/benchmarks/loader-speed.md` explains the figures.
"""

import signal
import sys

from loader_speed.cli import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped and the files go
    sys.exit(main())
