#!/usr/bin/env python3
"""bench-image.py OUTDIR [--quick]: the plain layer tars of the reference image, made of this machine's own files.

Six layers, about 880 MB and 40,000 entries: three of programs and libraries, one of 20,000 tiny files in one
directory, one that overwrites, one that deletes. --quick: two layers, about 80 MB. Reads only world-readable files.
"""
import hashlib, io, os, pathlib, random, stat, sys, tarfile

ROOTS = ["/usr/lib", "/usr/bin", "/usr/share", "/usr/include", "/usr/sbin", "/usr/libexec"]
BIGGEST = 160 << 20


def folders():
    """Every folder below ROOTS, in an order that mixes large and small but is the same each time."""
    found = [path for root in ROOTS for path, _, _ in os.walk(root)]
    return sorted(found, key=lambda path: hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest())


def files(folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_mode & 0o004 and status.st_size < BIGGEST):
            yield path, status


class Layer:
    def __init__(self, path):
        self.tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)
        self.folders, self.bytes, self.entries = set(), 0, 0

    def parents(self, path):
        for parent in reversed(pathlib.PurePosixPath(path).parents):
            if str(parent) not in (".", "/") and parent not in self.folders:
                self.folders.add(parent)
                self.header(str(parent), tarfile.DIRTYPE, 0o755)

    def header(self, name, kind, mode, data=b""):
        info = tarfile.TarInfo(name.lstrip("/"))
        info.type, info.mode, info.mtime, info.size = kind, mode, 1700000000, len(data)
        self.tar.addfile(info, io.BytesIO(data))
        self.bytes += len(data)
        self.entries += 1

    def generated(self, name, data):
        self.parents(name)
        self.header(name, tarfile.REGTYPE, 0o644, data)

    def copied(self, path):
        self.parents(path.lstrip("/"))
        info = self.tar.gettarinfo(path, arcname=path.lstrip("/"))
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        if info.isreg():
            with open(path, "rb") as file:
                self.tar.addfile(info, file)
            self.bytes += info.size
        else:
            self.tar.addfile(info)
        self.entries += 1


def filler(size, source):
    """About as compressible as programs are: noise, and again the same noise."""
    pieces = (source.randbytes(3072) for _ in range(size // 7168))
    return b"".join(piece + piece + piece[:1024] for piece in pieces)


def fill(layer, stream, size, entries, source):
    """Takes from the stream until one of the two budgets is used up, then makes up for missing bytes."""
    taken = []
    for path, status in stream:
        mean = (size - layer.bytes) / max(1, entries - layer.entries)
        if layer.entries >= entries or layer.bytes >= size:
            break
        if stat.S_ISREG(status.st_mode) and (layer.bytes + status.st_size > size or status.st_size > 3000 * mean):
            continue
        layer.copied(path)
        taken.append(path)
    number = 0
    while layer.bytes < size * 0.98:
        layer.generated(f"opt/filler/{number}.bin", filler(min(size - layer.bytes, 16 << 20), source))
        number += 1
    return taken


def main(out, quick):
    source = random.Random(42)
    stream = (found for folder in folders() for found in files(folder))
    sizes = [(75 << 20, 3000)] if quick else [(235 << 20, 6700), (285 << 20, 6700), (300 << 20, 6100)]
    taken = []
    for number, (size, entries) in enumerate(sizes, 1):
        layer = Layer(out / f"{number}.tar")
        taken += fill(layer, stream, size, entries, source)
        layer.tar.close()
    tiny = Layer(out / f"{len(sizes) + 1}.tar")
    for number in range(2000 if quick else 20000):
        tiny.generated(f"srv/tiny/{number:05}", f"file {number}\n".encode() * source.randrange(1, 60))
    tiny.tar.close()
    if quick:
        return
    over, gone = Layer(out / "5.tar"), Layer(out / "6.tar")
    for number, path in enumerate(taken[::40]):
        if not os.path.islink(path):
            over.generated(path.lstrip("/"), filler(40 << 10, source) + str(number).encode())
    for path in taken[7::60]:
        head, tail = os.path.split(path.lstrip("/"))
        gone.generated(f"{head}/.wh.{tail}", b"")
    gone.generated("opt/filler/.wh..wh..opq", b"")
    over.tar.close()
    gone.tar.close()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--quick"]):
        sys.exit(__doc__.splitlines()[0])
    main(pathlib.Path(sys.argv[1]), len(sys.argv) == 3)
