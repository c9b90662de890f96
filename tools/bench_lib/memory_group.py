"""A memory cgroup for one program, of either version: what it holds and the files that are kept in memory for it count together."""
import contextlib
import os

from bench_lib import programs

ROOT = "/sys/fs/cgroup"


def place(own, root=ROOT):
    """The folder in which a group may be made, by the text of /proc/self/cgroup, and the name of the file with its limit."""
    groups = [line.split(":", 2)[1:] for line in own.splitlines()]
    for controllers, path in groups:
        if "memory" in controllers.split(","):
            return os.path.join(root, "memory", path.lstrip("/")), "memory.limit_in_bytes"
    # In version 2 a group with processes has no groups inside, so it is made beside the own one.
    own_path = next((path for controllers, path in groups if controllers == ""), "/")
    return os.path.join(root, os.path.dirname(own_path).lstrip("/")), "memory.max"


def make(limit, own, root):
    folder, limit_file = place(own, root)
    group = os.path.join(folder, f"belay-bench-{os.getpid()}")
    os.mkdir(group)
    try:
        # Not made when it is missing: then this controller is not handed down.
        with open(os.path.join(group, limit_file), "r+", encoding="ascii") as file:
            file.write(str(limit))
    except OSError:
        os.rmdir(group)
        raise
    return group


def own_groups():
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        return file.read()


@contextlib.contextmanager
def limited(limit, own=None, root=ROOT):
    """The words that go before a program's own, so that it runs in a group, which ends with it."""
    try:
        group = make(limit, own or own_groups(), root)
    except OSError as error:
        raise programs.Failure(f"no memory cgroup can be made here: {error}") from None
    try:
        yield ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group]
    finally:
        os.rmdir(group)


def why_not():
    """Why none can be made; nothing when one can."""
    try:
        with limited(1 << 30):
            return ""
    except programs.Failure as failure:
        return str(failure)
