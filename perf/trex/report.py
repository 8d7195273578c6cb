"""What was measured: a table for people, CSV files for programs."""

import csv
import pathlib

ETHERNET_LEN = 18  # bytes, with the frame check sequence
RULE = (
    "A rate passes if in a trial of full length every packet that was sent came back (RFC 2544 26.1), and the tester\n"
    "sent at least 99 % of what it was to send. Rates are packets a second over all ports that send.\n"
    "Latency is that of TRex's stamped packets in the same trial, in microseconds; not the 20 trials of RFC 2544 26.2."
)
COLUMNS = (
    "direction",
    "inner_bytes",
    "bindings",
    "mags",
    "order",
    "pps",
    "core_mbit_s",
    "access_mbit_s",
    "bound",
    "trials",
    "seconds",
    "latency_us",
)
TRIAL_COLUMNS = ("direction", "inner_bytes", "rate_pps", "seconds", "elapsed_s", "sent", "received", "lost", "verdict")


def row(direction, size, mean_size, plan, order, answer):
    """A line of the result. `mean_size` is bytes of the inner packet, on the average."""
    trial = answer.trial
    pps = trial.offered if trial else 0
    return {
        "direction": direction,
        "inner_bytes": size,
        "bindings": plan.bindings,
        "mags": plan.mags,
        "order": order,
        "pps": round(pps),
        "core_mbit_s": megabits(pps, mean_size),
        "access_mbit_s": megabits(pps, mean_size + plan.overhead),
        "bound": answer.bound,
        "trials": answer.trials,
        "seconds": round(trial.elapsed, 1) if trial else 0,
        "latency_us": latency(trial) if trial else "",
    }


def megabits(pps, size):
    """Layer 2, a second: what the cable carries without preamble and gap."""
    return round(pps * (size + ETHERNET_LEN) * 8 / 1e6, 1)


def latency(trial):
    """min/average/max of each direction that was seen."""
    return " ".join(
        f"{direction} {found['min']:.0f}/{found['average']:.0f}/{found['max']:.0f}"
        for direction, found in trial.latency.items()
    )


def trial_row(direction, size, trial):
    """A line of the list of all trials."""
    values = (direction, size, round(trial.rate), trial.seconds, round(trial.elapsed, 2))
    return dict(zip(TRIAL_COLUMNS, values + (trial.sent, trial.received, trial.lost, trial.verdict)))


def table(rows):
    """Lines of text."""
    cells = [list(COLUMNS)] + [[str(line[column]) for column in COLUMNS] for line in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    return "\n".join(lines + ["", RULE])


def write(directory, rows, trials):
    """throughput.csv and trials.csv."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name, columns, lines in (("throughput", COLUMNS, rows), ("trials", TRIAL_COLUMNS, trials)):
        with open(directory / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(lines)
