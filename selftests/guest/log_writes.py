#!/usr/bin/env python3
"""Look into a log of dm-log-writes for what tags.py wrote.

log_writes.py count LOG               how many entries of which kind
log_writes.py check LOG PHASE         is there what a tag says is durable?
log_writes.py blind LOG PHASE         the same, without seeing that anything was flushed
log_writes.py replay LOG MARK FILE    what a disk has that lost power before MARK was written

The log's form: Documentation/admin-guide/device-mapper/log-writes.rst. A write is in
it when it is durable: behind others when it was FUA, else together with the others
that the disk had completed when a flush began, and then the flush. What was never
flushed comes last.
"""
import collections
import mmap
import struct
import sys

from tags import BLOCK, FORMAT, MAGIC, THREADS, WRITES

SUPER = struct.Struct('<QQQI')  # magic, version, entries, bytes of a sector
ENTRY = struct.Struct('<QQQQ')  # sector, sectors, flags, length of a mark
LOG_MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8

Entry = collections.namedtuple('Entry', 'where flags data')
Tag = collections.namedtuple('Tag', 'thread number durable')


def entries(path):
    """What was logged, in its order."""
    with open(path, 'rb') as file:
        # A block device has a size only for who seeks.
        log = mmap.mmap(file.fileno(), file.seek(0, 2), prot=mmap.PROT_READ)
    magic, version, count, sector = SUPER.unpack_from(log)
    if (magic, version) != (LOG_MAGIC, 1):
        sys.exit(f'{path} is no log of writes')
    at = sector
    for _ in range(count):
        first, length, flags, _ = ENTRY.unpack_from(log, at)
        at += sector
        size = 0 if flags & DISCARD else length * sector
        yield Entry(first * sector, flags, log[at:at + size])
        at += size


def tags(entry, phase):
    """Those of a phase that an entry wrote; many, where requests were merged."""
    for at in range(0, len(entry.data), BLOCK):
        if entry.data.startswith(MAGIC, at):
            _, name, thread, number, *durable = FORMAT.unpack_from(entry.data, at)
            if name.rstrip(b'\0').decode() == phase:
                yield Tag(thread, number, durable)


class Disk:
    """Which tags are durable as the log goes on."""

    def __init__(self, blind):
        self.blind = blind
        self.cached, self.durable = set(), set()

    def log(self, flags, written):
        """One more entry."""
        seen = 0 if self.blind else flags
        (self.durable if seen & FUA else self.cached).update(written)
        if seen & FLUSH:
            self.durable |= self.cached
            self.cached.clear()

    def lacks(self, tag):
        """What a tag says is durable, and is not."""
        said = {(thread, number) for thread in range(THREADS)
                for number in range(1, tag.durable[thread] + 1)}
        return said - self.durable


def check(path, phase, blind=False):
    """A tag was submitted when what it speaks of was over, so it is logged after it."""
    disk, found, wrong = Disk(blind), 0, 0
    for entry in entries(path):
        written = list(tags(entry, phase))
        found += len(written)
        wrong += sum(bool(disk.lacks(tag)) for tag in written)
        disk.log(entry.flags, [tag[:2] for tag in written])
    print(f'{found} tags, {wrong} said too much')
    sys.exit(found != THREADS * WRITES or wrong > 0)


def replay(path, mark, target):
    """All up to the last entry before the mark that made something durable."""
    pending, marked = [], False
    with open(target, 'r+b') as file:
        for entry in entries(path):
            marked = any(tags(entry, mark))
            if marked:
                break
            pending.append(entry)
            if entry.flags & (FLUSH | FUA):
                for one in pending:
                    file.seek(one.where)
                    file.write(one.data)
                pending.clear()
    if not marked:
        sys.exit(f'{mark} was not written')


def count(path):
    """Entries by their flags."""
    kinds = collections.Counter(entry.flags for entry in entries(path))
    names = {FLUSH: 'flush', FUA: 'FUA', DISCARD: 'discard', MARK: 'mark'}
    for flags, number in sorted(kinds.items()):
        print(number, '+'.join(name for bit, name in names.items() if flags & bit) or 'plain')


def main():
    how, *arguments = sys.argv[1:]
    {'count': count, 'check': check, 'replay': replay,
     'blind': lambda log, phase: check(log, phase, blind=True)}[how](*arguments)


if __name__ == '__main__':
    main()
