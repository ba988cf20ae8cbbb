"""Measures the daemon, the floor and the peers, prints the tables, and writes the document. See README.md."""

import argparse
import json
import pathlib
import subprocess
import sys

from . import BenchError, leave_nothing_behind, parts, peers, report
from .figure import Figure
from .parts import PARTS
from .place import Place
from .proc import Load
from .sides import Floor, Ours


def chosen(names, kind):
    def choose(text):
        for name in text.split(","):
            if name not in names:
                raise argparse.ArgumentTypeError(f"there is no {kind} {name}; there are: {', '.join(names)}")
        return text.split(",")

    return choose


def options():
    names = sorted({peer.name.split(" ")[0] for peer in peers.ALL})
    parser = argparse.ArgumentParser(prog="benches/run")
    parser.add_argument("--ossuary", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--built", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", type=chosen(PARTS, "part"), metavar="PART,…", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repetitions")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="every sample; target/benches/figures.json by default")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE", help="write the document from a file of --json")
    parser.add_argument("--resume", type=pathlib.Path, metavar="FILE", help="measure the parts that are not in FILE yet")
    compared = parser.add_mutually_exclusive_group()
    compared.add_argument("--peers", type=chosen(names, "peer"), metavar="PEER,…", default=names, help=", ".join(names))
    compared.add_argument("--no-peers", dest="peers", action="store_const", const=[])
    return parser.parse_args()


def measure(wanted):
    leave_nothing_behind()
    document = {"quick": wanted.quick, "absent": [], "left_out": [], "notes": {}, "parts": {}}
    if wanted.resume:
        document = json.loads(wanted.resume.read_text())
    parts_left = [name for name in wanted.only or PARTS if name not in document["parts"]]
    with Place(wanted) as place:
        sides = [Ours(), Floor()]
        for peer in peers.ALL:
            if peer.name.split(" ")[0] not in wanted.peers:
                continue
            if peer.found(place):
                sides.append(peer)
            elif peer.name not in document["absent"]:
                document["absent"].append(peer.name)
        document["notes"] |= {side.name: side.note for side in sides if getattr(side, "note", "")}
        turns = parts.Turns(place, sides)
        for name in parts_left:
            load = Load()
            try:
                figures = [figure.to_json() for figure in PARTS[name][0](turns)]
                document["parts"][name] = {"machine": load.report(), "figures": figures}
            except (BenchError, OSError, subprocess.SubprocessError) as error:
                place.say(f"skips {name}: {error}")
                turns.out.add(("ours", name))
                place.up.clear()
                place.end_orphans()
            left_out = {tuple(one) for one in document["left_out"]} | turns.out
            document["left_out"] = sorted(left_out)
            # After each part, so that a failure does not lose the earlier ones.
            save(document, wanted.json or wanted.resume or wanted.built / "figures.json")
    return document


def save(document, path):
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def main():
    wanted = options()
    document = json.loads(wanted.report.read_text()) if wanted.report else measure(wanted)
    results = {
        name: [Figure.from_json(figure) for figure in part["figures"]] for name, part in document["parts"].items()
    }
    report.show(document, results)
    if wanted.report or not (wanted.only or wanted.quick):
        report.write(document, results)


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"benches/run: {error}")
