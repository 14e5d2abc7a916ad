# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole machine in QEMU: Debian with systemd, D-Bus and polkit, and Berth
installed in it from the build folder.

    with Booted(build folder) as m: m.run('berthctl')

Its disk is what tools/make-machine has made, and stays as it is: all that is
written goes to a layer of our own. What comes on top, Berth and a shell that
answers us, is in the initramfs (make-initramfs). A second disk is swap.

It is a `pc`, because a q35 sleeps only once in its life. To boot takes 10 to 40
seconds, as all is emulated; save() and restore() take one, so that a test
may do what it likes to the machine.
"""

import base64
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'system'))

import machine    # noqa: E402
import shapes     # noqa: E402
from machine import MachineError    # noqa: E402

# Two CPUs, and room for two more. The third cell is memory only; the fourth comes with the
# memory that somebody plugs in for it.
SHAPE = shapes.Shape(
    'booted', 'what the booted machine is', machine='pc', sockets=4, cpus=2,
    cells=[shapes.Cell(320, [0, 2]), shapes.Cell(256, [1, 3]), shapes.Cell(128, [], initiator=1),
           shapes.Cell(0, [], initiator=1)],
    distances=[[10, 21, 40, 41], [21, 10, 30, 31], [40, 30, 10, 22], [41, 31, 22, 10]],
    latency={(0, 0): 10, (0, 1): 20, (0, 2): 45, (0, 3): 50, (1, 0): 20, (1, 1): 12, (1, 2): 35, (1, 3): 40},
    bandwidth={(0, 0): 20480, (0, 1): 10240, (0, 2): 4096, (0, 3): 2048,
               (1, 0): 10240, (1, 1): 18432, (1, 2): 5120, (1, 3): 3072},
    extra_args=['-m', 'slots=1,maxmem=2G',
                '-global', 'PIIX4_PM.disable_s3=0', '-global', 'PIIX4_PM.disable_s4=0'])

SWAP_MIB = 1024

# More than other machines get: until all of its services run, this one says nothing.
DEADLINE_SEC = 300


class Result:
    """What a script in the machine came to."""

    def __init__(self, status, stdout, stderr):
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


def find_disk():
    """The root.img in $BERTH_MACHINE, which tools/make-machine makes."""
    folder = (os.environ.get('BERTH_MACHINE') or
              os.path.join(os.environ.get('BERTH_BUILD_ROOT', '.'), 'machine'))
    disk = os.path.join(folder, 'root.img')
    return os.path.realpath(disk) if os.path.exists(disk) else None


def missing():
    """What is needed and not here, or None."""
    if not machine.find_qemu():
        return 'qemu-system-x86'
    if not machine.find_busybox():
        return 'busybox-static'
    if not machine.find_kernel():
        return 'a kernel that tools/fetch-guest-kernel has put into $BERTH_GUEST_KERNEL'
    if not find_disk():
        return 'a disk that tools/make-machine has put into $BERTH_MACHINE'
    return None


class Booted(machine.Machine):
    def __init__(self, build, qemu_args=()):
        if missing():
            raise MachineError('needs ' + missing())
        self.folder = tempfile.mkdtemp(prefix='berth-booted-')
        self.events = []
        self.said = []
        self.lost = False       # it does not answer, and nothing else can be asked of it
        try:
            self._make_disks()
            initramfs = self._path('initramfs')
            subprocess.run([os.path.join(HERE, 'make-initramfs'), os.path.dirname(machine.find_kernel()),
                            build, initramfs], check=True, stdout=sys.stderr)
            self.args = ['-kernel', machine.find_kernel(), '-initrd', initramfs,
                         '-append', machine.KERNEL_ARGS,
                         *SHAPE.qemu_args(), *qemu_args]
            for name in ('root', 'swap'):
                self.args += ['-drive', f'if=virtio,format=qcow2,file={self._path(name)},cache=unsafe']
            self._start(*self.args)
            self.wait_for('ready')
        except BaseException:
            self.close()
            raise

    def _start(self, *args):
        super()._start(*args)
        for connection in (self.qmp, self.guest):
            connection.settimeout(DEADLINE_SEC)

    def _line(self, connection, pending):
        try:
            return super()._line(connection, pending)
        except MachineError:
            self.lost = True
            raise

    def _make_disks(self):
        swap = self._path('swap.raw')
        with open(swap, 'wb') as file:
            file.truncate(SWAP_MIB * shapes.MIB)
        subprocess.run(['mkswap', '--quiet', swap], check=True)
        for name, base in (('root', find_disk()), ('swap', swap)):
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base,
                            self._path(name)], check=True)

    # --- commands in the machine

    def _guest_message(self):
        """The next thing that the machine says, as words."""
        return self._guest_line().split(' ')

    def wait_for(self, word):
        """Until the machine has said it: "ready", or "woke" after a sleep."""
        while word not in self.said:
            self.said.append(self._guest_message()[0])
            if self.said[-1] == 'ready' != word:
                raise MachineError('it has booted anew')
        self.said.remove(word)

    def run(self, script, user=None, check=True):
        """Runs a shell script, as root or as the user of that name."""
        if user is not None:
            packed = base64.b64encode(script.encode()).decode()
            script = (f'echo {packed} | base64 -d >/tmp/script-{user}; cd /\n'
                      f'exec setpriv --reuid={user} --regid="$(id -g {user})" --init-groups -- '
                      f'env -i PATH="$PATH" HOME=/ sh /tmp/script-{user}')
        self.guest.sendall(base64.b64encode(script.encode()) + b'\n')
        while (words := self._guest_message())[0] != 'done':
            self.said.append(words[0])
        status, stdout, stderr = int(words[1]), *(base64.b64decode(w).decode() for w in words[2:])
        if check and status != 0:
            raise MachineError(f'{stderr or stdout} ended with {status} in the machine: {script}')
        return Result(status, stdout, stderr)

    # --- the monitor

    def qmp_execute(self, command, **arguments):
        """As its parent's, and remembers the events that came meanwhile."""
        self._qmp_send(command, arguments)
        while True:
            message = self._qmp_read()
            if 'event' in message:
                self.events.append(message['event'])
            elif 'error' in message:
                raise MachineError(f'{command}: {message["error"]["desc"]}')
            else:
                return message['return']

    def wait_for_event(self, name):
        """Until the monitor has told the event, now or since the last time that
        it was waited for."""
        while name not in self.events:
            message = self._qmp_read()
            if 'event' in message:
                self.events.append(message['event'])
        self.events.remove(name)

    def _monitor(self, line):
        said = self.qmp_execute('human-monitor-command', **{'command-line': line})
        if said.strip():
            raise MachineError(f'{line}: {said.strip()}')

    # --- its states

    def save(self, name):
        """Keeps the whole machine as it is now, disks and all."""
        self._monitor(f'savevm {name}')

    def restore(self, name):
        """As it was when it was saved. In a new QEMU, since this one may have got devices meanwhile."""
        self.qmp_execute('quit')
        self._start_again('-loadvm', name)

    def wake(self):
        """As a key would, once it sleeps."""
        self.wait_for_event('SUSPEND')
        self.qmp_execute('system_wakeup')
        self.wait_for('woke')

    def start_again(self):
        """After it has switched itself off: from its disks as they are, which
        may hold an image to wake from. Then "woke" is what it says, else "ready"."""
        self._start_again()

    def _start_again(self, *args):
        self.process.wait(DEADLINE_SEC)
        for name in ('qmp', 'guest'):
            getattr(self, name).close()
            os.unlink(self._path(name))
        self.events.clear()
        self.said.clear()
        self._start(*self.args, *args)
