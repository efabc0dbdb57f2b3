"""One day of the small campus in virtual time: `python -m bench.scenario [--days N]`.

Prints how many times faster than real time the whole stack ran; goal: 1,000 times.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

from hub.cli.scenarios import find, site_of_scenario
from hub.cli.virtual import play_virtual


def main() -> None:
    """Play the day and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1)
    days = parser.parse_args().days
    scenario = find("normal_day").model_copy(update={"length": timedelta(days=days)})
    settings = site_of_scenario(scenario, None)
    wall, cpu = time.perf_counter(), time.process_time()
    played = play_virtual(settings, scenario, scenario.seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    virtual = scenario.length.total_seconds()
    print(f"virtual {virtual / 3600:.0f} h, readings {played.readings:,}, polls {played.polls}")
    print(f"wall {wall:.1f} s, CPU {cpu:.1f} s: {virtual / wall:,.0f} x real time (goal 1,000)")


if __name__ == "__main__":
    main()
