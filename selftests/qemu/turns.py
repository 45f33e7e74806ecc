#!/usr/bin/env python3
"""Has the kernel and QEMU take turns at the queues of a device, one connection to the
monitor long, and sees each time who serves them.

    turns.py SOCKET ROUNDS
"""

import json
import random
import socket
import sys
import time

DEVICE = '/machine/peripheral/main/virtio-backend'
BITMAP = {'node': 'disk', 'name': 'turns'}


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.lines = self.socket.makefile()
        json.loads(self.lines.readline())
        self.run('qmp_capabilities')

    def run(self, command, arguments=None):
        self.socket.sendall(json.dumps({'execute': command, 'arguments': arguments or {}}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            if 'error' in answer:
                sys.exit(f'{command}: {answer["error"]["desc"]}')
            if 'return' in answer:
                return answer['return']

    def expect(self, status):
        """The end of a drained section may come a little after what it was for."""
        for _ in range(1000):
            found = self.run('qom-get', {'path': DEVICE, 'property': 'vhost-status'})
            if found == status:
                return
        sys.exit(f'it is "{found}", not "{status}"')

    def throttle(self, iops):
        limits = dict.fromkeys(('bps', 'bps_rd', 'bps_wr', 'iops_rd', 'iops_wr'), 0)
        self.run('block_set_io_throttle', {'id': DEVICE, 'iops': iops, **limits})


def serve_a_while():
    """QEMU does, and is in the middle of it when the next turn comes."""
    time.sleep(random.uniform(0, 0.02))


def take_turns(monitor):
    monitor.run('stop')
    monitor.expect('off: a guest that does not run')
    monitor.run('cont')
    monitor.expect('on')
    monitor.throttle(100000)
    monitor.expect('off: throttling')
    serve_a_while()
    monitor.throttle(0)
    monitor.expect('on')
    monitor.run('block-dirty-bitmap-add', BITMAP)
    monitor.expect('off: a dirty bitmap')
    serve_a_while()
    monitor.run('block-dirty-bitmap-remove', BITMAP)
    monitor.expect('on')


def main():
    monitor = Monitor(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        take_turns(monitor)


main()
