#!/usr/bin/env python3
"""crash-replay.py - what a disk may hold after a power cut.

  crash-replay.py record DIR SIZE [-- CMD]    logs all writes to a device of SIZE bytes while CMD runs with $CRASH_DEV
  crash-replay.py check DIR [-n N] [-s SEED] [--torn] [--from-mark] [-- CMD]
                                              for N cuts: CMD with $CRASH_DEV, the disk after the cut, and $CRASH_MARK,
                                              the last mark before it; a code other than 0 says that the cut is bad

Without a CMD `record` writes a line `device PATH` and goes on until its standard input ends; `check` writes a line
`cut PATH MARK` for each cut and reads one: `ok`, or what is wrong.

A disk after a cut is every write before the last flush that came before the cut, and a random part of the writes after
it. With --torn some of those are there in part only; sectors of 512 bytes are whole.

A mark is a sector `MARK <text>` in the last MiB of the device, written (O_DIRECT) by the workload when it has told its
caller that something is done: a file system of SIZE minus 1 MiB leaves room for it.

The device is a loop device over qemu-storage-daemon's FUSE export; the log is what its blklogwrites driver writes, which
is the format of dm-log-writes (Linux, Documentation/admin-guide/device-mapper/log-writes.rst).
"""
import argparse
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
SECTOR = 512
MARKS = 1 << 20


class Write:
    """An entry of the log: `size` bytes at `start` of the device, which are at `at` of the log."""

    def __init__(self, start, size, flags, at):
        self.start, self.size, self.flags, self.at = start, size, flags, at

    def is_flush(self):
        return bool(self.flags & FLUSH) and not self.size

    def has_data(self):
        return self.size > 0 and not self.flags & DISCARD


def writes_of(log):
    magic, _version, count, sector = struct.unpack("<QQQI", log.read(28))
    if magic != MAGIC:
        sys.exit("not a log of writes")
    at, writes = sector, []
    for _ in range(count):
        log.seek(at)
        start, number, flags, _length = struct.unpack("<QQQQ", log.read(32))
        at += sector
        writes.append(Write(start * sector, number * sector, flags, at))
        if not flags & DISCARD:
            at += number * sector
    return writes


def attach(image):
    return subprocess.check_output(["losetup", "-f", "--show", image], text=True).strip()


def detach(device):
    subprocess.run(["losetup", "-d", device], check=False)


def is_mounted(path):
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
        return any(f" {path} " in line for line in table)


def record(a):
    os.makedirs(a.dir, exist_ok=True)
    disk, log, export = (os.path.abspath(os.path.join(a.dir, name)) for name in ("disk.img", "writes.log", "export.img"))
    for path in (disk, log, export):
        with open(path, "wb"):
            pass
    os.truncate(disk, a.size)
    daemon = subprocess.Popen([
        "qemu-storage-daemon",
        "--blockdev", f"driver=file,node-name=f0,filename={disk},cache.no-flush=on",
        "--blockdev", f"driver=file,node-name=l0,filename={log},cache.no-flush=on",
        "--blockdev", f"driver=blklogwrites,node-name=w0,file=f0,log=l0,log-sector-size={SECTOR}",
        "--export", f"type=fuse,id=e0,node-name=w0,mountpoint={export},writable=on"],
        stdin=subprocess.DEVNULL, stdout=sys.stderr)
    status = 1
    try:
        for _ in range(200):
            if is_mounted(export) or daemon.poll() is not None:
                break
            time.sleep(0.05)
        if not is_mounted(export):
            sys.exit("qemu-storage-daemon exports nothing")
        device = attach(export)
        try:
            if a.command:
                status = subprocess.run(a.command, env={**os.environ, "CRASH_DEV": device}, check=False).returncode
            else:
                print("device", device, flush=True)
                sys.stdin.read()
                status = 0
        finally:
            detach(device)
            # The loop device lets go of the export a moment later.
            for _ in range(200):
                if subprocess.run(["umount", export], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                    break
                time.sleep(0.05)
    finally:
        daemon.terminate()
        daemon.wait()
    with open(log, "rb") as f:
        print(f"{len(writes_of(f))} writes, status {status}", file=sys.stderr)
    return status


def ask(command, device, mark):
    """What is wrong with a disk; nothing for a good one."""
    if command:
        env = {**os.environ, "CRASH_DEV": device, "CRASH_MARK": mark}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return f"status {done.returncode}\n{done.stdout[-600:]}" if done.returncode else ""
    print("cut", device, mark, flush=True)
    answer = sys.stdin.readline().strip()
    if not answer:
        sys.exit("nobody answers")
    return "" if answer == "ok" else answer


def marks_of(log, writes, size):
    """The place of each mark in the log, and its text."""
    marks = []
    for place, write in enumerate(writes):
        if write.size == SECTOR and write.start >= size - MARKS:
            log.seek(write.at)
            sector = log.read(SECTOR).rstrip(b"\0 \n")
            if sector.startswith(b"MARK "):
                marks.append((place, sector[5:].decode(errors="replace")))
    return marks


def apply(log, write, to, begin=0, end=None):
    log.seek(write.at + begin)
    to.seek(write.start + begin)
    to.write(log.read((write.size if end is None else end) - begin))


def lose(rng, later, log, to, torn):
    """Of the writes that were not flushed some are there, and some of those in part."""
    share = rng.choice((0.0, 0.1, 0.5, 0.9, 1.0))
    kept = 0
    for write in later:
        if write.flags & FUA:
            apply(log, write, to)
        elif rng.random() < share:
            sectors = write.size // SECTOR
            if torn and sectors > 1 and rng.random() < 0.2:
                begin, end = sorted(rng.sample(range(sectors + 1), 2))
                apply(log, write, to, begin * SECTOR, end * SECTOR)
            else:
                apply(log, write, to)
        else:
            continue
        kept += 1
    return kept


def check(a):
    size = os.path.getsize(os.path.join(a.dir, "disk.img"))
    base, image = (os.path.join(a.dir, name) for name in ("base.img", "crash.img"))
    with open(base, "wb"):
        pass
    os.truncate(base, size)
    rng = random.Random(a.seed)
    durable, bad, began = 0, 0, time.time()
    with open(os.path.join(a.dir, "writes.log"), "rb") as log, open(base, "r+b") as whole:
        writes = writes_of(log)
        marks = marks_of(log, writes, size)
        first = marks[0][0] if a.from_mark and marks else 0
        cuts = sorted(rng.sample(range(first, len(writes) + 1), min(a.number, len(writes) + 1 - first)))
        for cut in cuts:
            safe = max((place for place in range(durable, cut) if writes[place].is_flush()), default=durable)
            for write in writes[durable:safe]:
                if write.has_data():
                    apply(log, write, whole)
            durable = safe
            whole.flush()
            mark = next((text for place, text in reversed(marks) if place < cut), "")
            subprocess.check_call(["cp", "--sparse=always", base, image])
            later = [write for write in writes[safe:cut] if write.has_data()]
            with open(image, "r+b") as disk:
                kept = lose(rng, later, log, disk, a.torn)
            device = attach(image)
            try:
                wrong = ask(a.command, device, mark)
            finally:
                detach(device)
            if wrong:
                bad += 1
                print(f"cut {cut} of {len(writes)} (durable to {safe}, {kept} of {len(later)} later writes, "
                      f"mark {mark!r}): {wrong}", file=sys.stderr)
                shutil.copyfile(image, os.path.join(a.dir, f"bad-{cut}.img"))
    print(f"{len(cuts)} cuts, {bad} bad, {time.time() - began:.1f} s", file=sys.stderr)
    return 1 if bad else 0


def main():
    # What is attached is let go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True)
    r = verbs.add_parser("record")
    r.add_argument("dir")
    r.add_argument("size", type=int)
    r.add_argument("command", nargs="*")
    c = verbs.add_parser("check")
    c.add_argument("dir")
    c.add_argument("-n", "--number", type=int, default=100)
    c.add_argument("-s", "--seed", type=int, default=1)
    c.add_argument("--torn", action="store_true")
    c.add_argument("--from-mark", action="store_true", help="no cuts before the first mark")
    c.add_argument("command", nargs="*")
    a = p.parse_args()
    return record(a) if a.verb == "record" else check(a)


if __name__ == "__main__":
    sys.exit(main())
