#!/usr/bin/env python3
"""Write blocks each of which says which others are durable by then.

tags.py DISK OFFSET PHASE flush    flush now and then, say of what it covers that it is durable
tags.py DISK OFFSET PHASE through  never flush, say so of all that was written
tags.py DISK OFFSET PHASE lie      the same; not true of a disk with a cache
tags.py DISK OFFSET NAME mark      a single block

log_writes.py knows from these what has to be in which order on the disk.
"""
import mmap
import os
import random
import struct
import sys
import threading

BLOCK = 4096
THREADS = 4
WRITES = 60  # of each
MAGIC = b'vblk-tag'
# Magic, phase, thread, number among its writes from 1, number of each thread's
# writes that are durable.
FORMAT = struct.Struct(f'<8s16sII{THREADS}I')


class Writer:
    """Threads that write tags, each to blocks of its own."""

    def __init__(self, disk, offset, phase, how):
        self.disk, self.offset, self.how = disk, offset, how
        self.phase = phase.encode()
        self.done = [0] * THREADS
        self.durable = [0] * THREADS
        self.lock = threading.Lock()

    def write(self, thread, number):
        """Write one tag, and wait for it."""
        page = mmap.mmap(-1, BLOCK)  # for O_DIRECT
        page.write(FORMAT.pack(MAGIC, self.phase, thread, number, *self.durable))
        os.pwrite(self.disk, page, self.offset + (thread * WRITES + number - 1) * BLOCK)
        self.done[thread] = number

    def flush(self):
        """All that was written before is durable after."""
        done = list(self.done)
        if self.how == 'flush':
            os.fdatasync(self.disk)
        with self.lock:
            self.durable = [max(pair) for pair in zip(self.durable, done)]

    def run(self, thread):
        """What a thread does: a flush after every third write or so."""
        chance = random.Random(thread)
        for number in range(1, WRITES + 1):
            self.write(thread, number)
            if self.how != 'flush' or chance.random() < 0.3:
                self.flush()


def main():
    path, offset, phase, how = sys.argv[1:]
    writer = Writer(os.open(path, os.O_RDWR | os.O_DIRECT), int(offset), phase, how)
    if how == 'mark':
        writer.write(0, 1)
        return
    threads = [threading.Thread(target=writer.run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if min(writer.done) < WRITES:
        sys.exit(f'wrote only {writer.done}')


if __name__ == '__main__':
    main()
