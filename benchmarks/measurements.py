"""
What is measured, and the goals. All apps take turns, so that whatever else this machine does slows down everybody.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from benchmarks.apps import BARE, MEASURED, OURS, RIVALS, App
from benchmarks.limit import LATENCY, requests, trips
from benchmarks.results import Goal, Results
from benchmarks.stage import SUBSCRIPTIONS, FailedError, Run, Stage, manage, open_stage
from benchmarks.timeline import draw, rounds
from localcloud.kinds.kind import LocalKind
from rotation.vocabulary.limits import PACE

WARM_UP = 2  # rotations
VAULTS, SHARING, DUE_ONE_IN = 3, 4, 100  # of a sweep: four secrets in a row hold keys of one target
_AT_A_TIME = 32  # More than host.json lets one instance do, which is set by what Azure Resource Manager takes.
_FEW, _MANY = 1_000, 10_000
_SOON, _LATER = timedelta(days=29), timedelta(days=60)  # the first is due since yesterday
_SERVICES = {"vault": "Key Vault", "arm": "ARM", "storage": "tables", "eventgrid": "topic", "identity": "tokens"}

_INDEXED, _FIRST, _STORED, _START_PEAK = "app indexed", "first rotation, {}", "its new key stored, {}", "its peak, {}"
_WARM, _TRIPS, _WAITED = "one warm rotation, {}", "its trips one after the other, {}", "the time of these trips, {}"
_REQUESTS, _CPU, _UNPROVEN = "its requests, {}", "its CPU time, {}", ", without the proof"
_BULK, _BULK_CPU = f"one of many rotations, {_AT_A_TIME} at a time", "CPU time of one of many"
_FIFTH, _LAST = "memory after a fifth of them", "memory after the last"
_SWEEP, _SWEEP_CPU, _SWEEP_PEAK = "sweep of {:,} secrets", "CPU time of the sweep of {:,}", "peak of the sweep of {:,}"

GOALS = [
    Goal(_INDEXED, 1.15, "x a bare import of azure.functions", (_INDEXED, "limit")),
    *(Goal(_STORED.format(k), 1.25, "x the tutorial's rotation", (_FIRST.format(k), "tutorial")) for k in MEASURED),
    *(Goal(_WARM.format(k), 1.1, "x its own trips", (_WAITED.format(k), "")) for k in MEASURED),
    *(Goal(_TRIPS.format(k + _UNPROVEN), 9, "trips") for k in MEASURED),
    *(Goal(_REQUESTS.format(k + _UNPROVEN), most, "requests") for k, most in (("Batch", 14), ("workflow", 16))),
    *(Goal(_CPU.format(k), 1.1, "x the tutorial", (_CPU.format(k), "tutorial")) for k in MEASURED),
    Goal(_BULK_CPU, 0.6, "x the tutorial, one by one", (_CPU.format("Batch"), "tutorial")),
    Goal(_LAST, 1.05, "x that after a fifth", (_FIFTH, "")),
    Goal(_SWEEP.format(_MANY), 60, "seconds"),
    Goal(_SWEEP_PEAK.format(_MANY), 1.15, f"x that of {_FEW:,}", (_SWEEP_PEAK.format(_FEW), "")),
]


async def measure_cold_starts(results: Results, apps: Sequence[App], *, quick: bool) -> None:
    """
    Measure processes that begin with one rotation; the limit imports azure.functions, and then makes the trips.

    The first process of each is not counted: it leaves bytecode behind, which a deployment ships.
    """
    async with open_stage() as stage:
        for turn in range(2 if quick else 10):
            into = results if turn else Results()
            for label, kind in MEASURED.items():
                bare = await stage.measure(BARE)
                into.add("cold", _INDEXED, "limit", [bare.seconds_to("indexed")])
                into.add(
                    "cold", _FIRST.format(label), "limit", [bare.seconds_to("indexed") + len(trips(kind)) * LATENCY]
                )
                for app in (*apps, *RIVALS):
                    await stage.clear()
                    run = await stage.rotate(app, await stage.add(kind, 1))
                    if app not in RIVALS:
                        into.add("cold", _INDEXED, app.name, [run.seconds_to("indexed")])
                    into.add("cold", _FIRST.format(label), app.name, [run.seconds_to("first")])
                    for entry in stage.requests.of("Vault.SetSecret"):
                        answered = entry.ended.monotonic if entry.ended else math.inf
                        into.add("cold", _STORED.format(label), app.name, [answered - run.spawned])
                    into.add("cold", _START_PEAK.format(label), app.name, [run.peak], "byte")


async def measure_warm_rotations(results: Results, apps: Sequence[App], *, quick: bool) -> None:
    """
    Measure rotations one by one, of ours without the proof of the new key too.
    """
    unproven = [app._replace(settings={"ROTATION_PROVE_KEYS": "false"}) for app in apps]
    async with open_stage() as stage:
        for _ in range(1 if quick else 3):
            for label, kind in MEASURED.items():
                for suffix, takers in (("", (*apps, *RIVALS)), (_UNPROVEN, unproven)):
                    for app in takers:
                        run = await rotate_again(stage, app, kind, 2 if quick else 8)
                        _add_warm(results, stage, app, run, label + suffix)
                    needed = trips(kind, proven=not suffix)
                    results.add("warm", _WARM.format(label + suffix), "limit", [len(needed) * LATENCY])
                    results.add("warm", _TRIPS.format(label + suffix), "limit", [len(needed)], "integer")
                    asked = requests(kind, proven=not suffix).total()
                    results.add("warm", _REQUESTS.format(label + suffix), "limit", [asked], "integer")


async def rotate_again(stage: Stage, app: App, kind: LocalKind, count: int) -> Run:
    """
    Rotate so many secrets that have been rotated before, as all have but the newest, in a process that is warm.

    What is logged is that alone.
    """
    await stage.clear()
    secrets = await stage.add(kind, WARM_UP + count)
    stage.slow_down(0.0)
    for _ in range(0 if app in RIVALS else 2):  # From the second on there is a version whose key is dead.
        await stage.rotate(app, secrets)
    stage.slow_down()
    stage.requests.clear()
    return await stage.rotate(app, secrets)


def _add_warm(results: Results, stage: Stage, app: App, run: Run, label: str) -> None:
    warm = run.rotations[WARM_UP:]
    asked = [stage.took(rotation) for rotation in warm]
    trips_made = [rounds(each) for each in asked]
    results.add("warm", _WARM.format(label), app.name, [ended - began for began, ended, _ in warm])
    results.add("warm", _WAITED.format(label), app.name, [number * LATENCY for number in trips_made])
    results.add("warm", _CPU.format(label), app.name, [run.cpu_of_one])
    results.add("warm", _TRIPS.format(label), app.name, trips_made, "integer")
    results.add("warm", _REQUESTS.format(label), app.name, map(len, asked), "integer")
    if _UNPROVEN not in label:
        for service, calls in Counter(entry.service for each in asked for entry in each).items():
            figure = f"{label}: {_SERVICES.get(service, 'the target itself')}"
            results.add("units", figure, app.name, [calls / len(warm)], "integer")
        if app == OURS:
            results.drawings[f"timeline-{label.lower()}"] = draw(asked[-1], *warm[-1][:2])


async def measure_many_rotations(results: Results, apps: Sequence[App], *, quick: bool) -> None:
    """
    Measure many rotations at a time, which keep one worker busy.
    """
    kind, count = MEASURED["Batch"], 50 if quick else 500
    async with open_stage() as stage:
        for _ in range(1 if quick else 3):
            results.add("many", _BULK, "limit", [len(trips(kind)) * LATENCY / _AT_A_TIME])
            for app in apps:
                await stage.clear()
                run = await stage.rotate(app, await stage.add(kind, 1 + count), at_a_time=_AT_A_TIME)
                results.add("many", _BULK, app.name, [(run.marks["all"][0] - run.marks["first"][0]) / count])
                results.add("many", _BULK_CPU, app.name, [run.cpu_of_one])
                for figure, number in ((_FIFTH, count // 5), (_LAST, count)):
                    results.add("many", figure, app.name, [run.rotations[number][2]], "byte")


async def measure_sweeps(results: Results, apps: Sequence[App], *, quick: bool) -> None:
    """
    Measure a small sweep and a large one, each in a fresh process: the look, the verification, the count of all.
    """
    for secrets in (_FEW // 10, _FEW) if quick else (_FEW, _MANY):
        due, targets = math.ceil(secrets / DUE_ONE_IN), math.ceil(secrets / SHARING)
        results.add("sweep", _SWEEP.format(secrets), "limit", [math.ceil(targets / len(SUBSCRIPTIONS)) * PACE])
        for app in apps:
            async with open_stage() as stage:
                await fill(stage, secrets)
                run = await stage.measure(app)
                asked = Counter(entry.service for entry in stage.requests)
                if run.due != due or asked["arm"] < targets:
                    raise FailedError(f"{app.name}: found {run.due} due of {due}, compared {asked['arm']} of {targets}")
            seconds, cpu = (run.marks["all"][clock] - run.marks["indexed"][clock] for clock in (0, 1))
            results.add("sweep", _SWEEP.format(secrets), app.name, [seconds])
            results.add("sweep", _SWEEP_CPU.format(secrets), app.name, [cpu])
            results.add("sweep", _SWEEP_PEAK.format(secrets), app.name, [run.peak], "byte")
            for service, number in asked.items():
                figure = f"requests of the sweep of {secrets:,}: {_SERVICES.get(service, service)}"
                results.add("sweep", figure, app.name, [number], "integer")


async def fill(stage: Stage, secrets: int) -> None:
    """
    Make vaults, targets that are spread over subscriptions, and their secrets, which are put into the vaults in turn.
    """
    await stage.clear(VAULTS)
    in_each = math.ceil(secrets / SHARING / len(SUBSCRIPTIONS))
    for number in range(secrets):
        if number % SHARING == 0:
            subscription = SUBSCRIPTIONS[number // SHARING // in_each]
            target = await MEASURED["Batch"].make(stage.azure, f"shared{number}", subscription=subscription)
        expires_in = _LATER if number % DUE_ONE_IN else _SOON
        manage(stage.vaults[number % VAULTS], f"secret-{number:06d}", target, expires_in=expires_in)
