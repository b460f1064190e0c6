#!/usr/bin/env python3
"""make-image.py: layer folders or layer tars to an image file, without any container tool.

Owners, modes, hard links, fifos, device nodes, `.wh.` names, user.* xattrs and file capabilities are kept. Folders are read in name
order, so the same input gives the same digests.
"""
import argparse, bz2, gzip, hashlib, json, lzma, os, pathlib, shutil, subprocess, sys, tarfile, tempfile

OCI = "application/vnd.oci.image."
LAYER = {"none": OCI + "layer.v1.tar", "gzip": OCI + "layer.v1.tar+gzip", "zstd": OCI + "layer.v1.tar+zstd",
         "xz": OCI + "layer.v1.tar+xz", "bzip2": OCI + "layer.v1.tar+bzip2"}
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}


def digest(path):
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def xattrs(path):
    """user.* and file capabilities, as pax records."""
    try:
        names = [n for n in os.listxattr(path, follow_symlinks=False) if n.startswith("user.") or n == "security.capability"]
        values = [os.getxattr(path, n, follow_symlinks=False).decode("utf-8", "surrogateescape") for n in names]
        return {"SCHILY.xattr." + n: v for n, v in zip(names, values)}
    except OSError:  # a file system without them
        return {}


def tar_folder(folder, out, owner):
    """Writes one folder as a layer tar; tarfile itself turns the second name of an inode into a hard link."""
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        def add(path, name):
            info = tar.gettarinfo(path, arcname=name)
            if info is None:
                sys.exit(f"make-image: {path}: a socket has no place in a layer")
            info.uname = info.gname = ""
            if owner:
                info.uid, info.gid = owner
            seconds, nanos = divmod(os.lstat(path).st_mtime_ns, 1_000_000_000)
            info.mtime = seconds
            if nanos:  # a float would lose the last digits
                info.pax_headers["mtime"] = f"{seconds}.{nanos:09}"
            info.pax_headers.update(xattrs(path))
            if info.isreg():
                with open(path, "rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
            if info.isdir():
                for child in sorted(os.listdir(path)):
                    add(os.path.join(path, child), os.path.join(name, child) if name != "." else child)
        for child in sorted(os.listdir(folder)):
            add(os.path.join(folder, child), child)


def compress(source, target, kind, level):
    tool = {"zstd": ["zstd", "-q", "-c", f"-{level or 3}"], "gzip": ["gzip", "-n", "-c", f"-{level or 6}"],
            "xz": ["xz", "-c", f"-{level or 1}"], "bzip2": ["bzip2", "-c"], "none": ["cat"]}[kind]
    with open(source, "rb") as input, open(target, "wb") as output:
        if shutil.which(tool[0]):
            return subprocess.run(tool, stdin=input, stdout=output, check=True)
        if kind == "zstd":
            sys.exit("make-image: zstd is not installed")
        opener = {"gzip": lambda file: gzip.GzipFile("", "wb", fileobj=file, mtime=0),
                  "xz": lambda file: lzma.open(file, "wb"), "bzip2": lambda file: bz2.open(file, "wb")}[kind]
        with opener(output) as stream:
            shutil.copyfileobj(input, stream)


class Image:
    """Collects blobs by digest in one folder and knows the documents that name them."""

    def __init__(self, args, work):
        self.args, self.work = args, work
        self.blobs = work / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        self.layers, self.diff_ids = [], []
        for number, source in enumerate(args.layers):
            tar = work / f"{number}.tar"
            if os.path.isdir(source):
                tar_folder(source, tar, args.owner)
            else:
                tar = pathlib.Path(source)
            self.diff_ids.append("sha256:" + digest(tar))
            kind = "none" if args.format.startswith("docker") else args.compression
            packed = work / f"{number}.packed"
            compress(tar, packed, kind, args.level)
            self.layers.append(self.descriptor(packed, LAYER[kind]))
            if tar.parent == work:
                tar.unlink()
        self.config = self.document(self.config_document(), OCI + "config.v1+json")
        self.manifest = self.document({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                                       "config": self.config, "layers": self.layers}, OCI + "manifest.v1+json")

    def descriptor(self, path, media_type):
        name, size = digest(path), os.path.getsize(path)
        os.replace(path, self.blobs / name)
        return {"mediaType": media_type, "digest": "sha256:" + name, "size": size}

    def document(self, value, media_type):
        path = self.work / "document"
        path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        return self.descriptor(path, media_type)

    def config_document(self):
        machine = os.uname().machine
        history = [{"created": self.args.created, "created_by": f"make-image {os.path.basename(l)}"} for l in self.args.layers]
        return {"architecture": ARCH.get(machine, machine), "os": "linux", "created": self.args.created,
                "config": self.args.config, "rootfs": {"type": "layers", "diff_ids": self.diff_ids}, "history": history}

    def oci_files(self):
        repository, _, tag = self.args.name.rpartition(":")
        named = dict(self.manifest, annotations={"org.opencontainers.image.ref.name": tag,
                     "io.containerd.image.name": f"docker.io/library/{repository}:{tag}"})
        index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [named]}
        (self.work / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (self.work / "index.json").write_text(json.dumps(index, ensure_ascii=False))
        return ["oci-layout", "index.json", *self.blob_names()]

    def blob_names(self):
        return ["blobs/sha256/" + name for name in sorted(os.listdir(self.blobs))]

    def docker_files(self):
        """Old form: CONFIG.json and LAYER/layer.tar beside manifest.json. New form: the paths lead into blobs."""
        old = self.args.format == "docker-archive"
        config, layers = self.config["digest"][7:], [l["digest"][7:] for l in self.layers]
        paths = [f"{l}/layer.tar" if old else f"blobs/sha256/{l}" for l in layers]
        entry = {"Config": f"{config}.json" if old else f"blobs/sha256/{config}", "RepoTags": [self.args.name], "Layers": paths}
        (self.work / "manifest.json").write_text(json.dumps([entry], ensure_ascii=False))
        if not old:
            return ["manifest.json", *self.oci_files()]
        for name, path in zip([config, *layers], [entry["Config"], *paths]):
            (self.work / path).parent.mkdir(exist_ok=True)
            if not (self.work / path).exists():
                os.link(self.blobs / name, self.work / path)
        return ["manifest.json", *sorted({entry["Config"], *paths})]

    def write(self):
        names = self.oci_files() if self.args.format.startswith("oci") else self.docker_files()
        out = pathlib.Path(self.args.output)
        if self.args.format == "oci-dir":
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            for name in ("blobs", "oci-layout", "index.json"):
                (self.work / name).rename(out / name)
            return
        partial = out.with_name(out.name + ".partial")
        with tarfile.open(partial, "w:gz" if out.name.endswith("gz") else "w") as tar:
            tar.dereference = True  # a file with two names stands here for two files
            for name in names:
                tar.add(self.work / name, arcname=name, filter=self.anonymous)
        partial.rename(out)

    @staticmethod
    def anonymous(info):
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        info.mode = 0o644
        return info


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layers", nargs="+", metavar="LAYER", help="folder or plain tar, lowest first")
    parser.add_argument("-o", "--output", required=True, help="a file, or a folder for oci-dir; *.gz is compressed as a whole")
    parser.add_argument("-f", "--format", default="oci-dir", choices=["oci-dir", "oci-tar", "docker-archive", "docker-archive-oci"])
    parser.add_argument("-z", "--compression", default="gzip", choices=list(LAYER), help="of OCI layers")
    parser.add_argument("--level", type=int, help="of the compression")
    parser.add_argument("-n", "--name", default="fixture:latest", help="NAME:TAG")
    parser.add_argument("-c", "--config", default={}, type=json.loads, metavar="JSON", help='such as {"Cmd": ["sh"]}')
    parser.add_argument("--created", default="2023-11-14T22:13:20Z", help="RFC 3339")
    parser.add_argument("--owner", type=lambda t: tuple(map(int, t.split(":"))), metavar="UID:GID", help="for everything in folders")
    args = parser.parse_args()
    args.name += "" if ":" in args.name else ":latest"
    return args


if __name__ == "__main__":
    arguments_given = arguments()
    target_folder = os.path.dirname(os.path.abspath(arguments_given.output))
    with tempfile.TemporaryDirectory(dir=target_folder, prefix=".make-image.") as folder:
        Image(arguments_given, pathlib.Path(folder)).write()
