"""What the rows share: Quintet's process, interleaved timing, the limits of the machine, results as JSON."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BENCH = os.environ.get("QUINTET_BENCH", str(ROOT / "target/release/quintet-bench"))
PROGRAM = os.environ.get("QUINTET", str(ROOT / "target/release/quintet"))
WORK = pathlib.Path(os.environ.get("QUINTET_BENCH_WORK", str(HERE / "work")))
DATA = pathlib.Path(os.environ.get("QUINTET_DATA", str(ROOT.parent / "shared/data")))
# A folder of results a machine, kept with the code: the page shows them side by side.
RESULTS = HERE / "results"


class Quintet:
    """`quintet-bench ROW ARGUMENTS...`, waiting; a call does the work once and returns its answer."""

    def __init__(self, *arguments, threads=None):
        environment = dict(os.environ)
        if threads:
            environment["RAYON_NUM_THREADS"] = str(threads)
        self.child = subprocess.Popen([BENCH, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        if "ready" not in (self.child.stdout.readline() or ""):
            raise SystemExit(f"quintet-bench {arguments} did not start")

    def __call__(self):
        self.child.stdin.write("go\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit("quintet-bench ended")
        return json.loads(line)

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def child(command, stdin=None):
    """Runs a process to its end: wall seconds, processor seconds, peak resident memory in MiB, standard output.

    The peak of a process is at least what its parent held when it began, so rows that call this hold little themselves.
    """
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdin=stdin, stdout=subprocess.PIPE)
    if stdin is not None:
        # Only the child reads now: it must see the end, and the writer must notice if the child is gone.
        stdin.close()
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": seconds, "processor": usage.ru_utime + usage.ru_stime, "MiB": usage.ru_maxrss / unit, "out": out.decode()}


def timed(function):
    """The same face for a Python function: a call returns its seconds and, under `value`, its result."""
    def call():
        start = time.perf_counter()
        value = function()
        return {"seconds": time.perf_counter() - start, "value": value}
    return call


def interleave(sides, rounds, warm=2):
    """Calls every side in turn, `rounds` times after `warm` unmeasured ones; {name: [answer, ...]}."""
    answers = {name: [] for name in sides}
    for at in range(warm + rounds):
        # Every other round backwards, so that no side always follows the same other one.
        order = list(sides) if at % 2 == 0 else list(sides)[::-1]
        for name in order:
            # Idle threads of the side before go on asking for work for a moment: not in this one's time.
            time.sleep(0.02)
            answer = sides[name]()
            if at >= warm:
                answers[name].append(answer)
    return answers


def seconds(answers):
    return [a["seconds"] for a in answers]


def ratio(peer, ours):
    """How often ours fits into the peer: the median over rounds of the ratio, and its quartiles."""
    ratios = sorted(p / o for p, o in zip(peer, ours))
    quarters = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return {"median": statistics.median(ratios), "low": quarters[0], "high": quarters[2], "rounds": len(ratios)}


def machine():
    model, flags = platform.processor(), ""
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
            if line.startswith("flags"):
                flags = line
                break
    except OSError:
        pass
    wanted = ["avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"]
    return {"processor": model, "cores": os.cpu_count(), "instructions": [w for w in wanted if f" {w} " in flags.replace("\n", " ")]}


def has_bf16():
    """Whether the processor multiplies bfloat16; without it bfloat16 is slower than f32, for every side."""
    return any(name in machine()["instructions"] for name in ("avx512_bf16", "amx_bf16"))


def result(row):
    """Where this machine's result of a row lies."""
    of = machine()
    name = re.sub(r"\W+", "-", f"{of['processor']} {of['cores']} cores {' '.join(of['instructions'])}".lower()).strip("-")
    return RESULTS / name / f"{row}.json"


def save(row, record):
    """Writes a row's result; `report.py` makes the page of them."""
    path = result(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"row": row, "machine": machine(), "date": time.strftime("%Y-%m-%d"), **record}
    path.write_text(json.dumps(record) + "\n")
    print(json.dumps(record, indent=1))
