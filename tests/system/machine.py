# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU machine that runs a Linux kernel for a few seconds, and is told over
a serial port what to do there.

Always emulated (TCG): nested KVM may be offered and hang, and then no test
would be worth anything. QEMU connects to two sockets that we listen on, so
that there is nothing to wait for but the connections: one is its monitor
(QMP), one is the guest's second serial port, on which guest-init answers.
"""

import base64
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

# A machine is up in some 5 to 10 seconds; a loaded host may take longer. This
# only ends what hangs, no test depends on its value.
DEADLINE_SEC = 120

# tsc=unstable: with a TSC to calibrate, Linux changes its clock source some two
# seconds after the start, which stops all CPUs; a CPU that is brought online at
# that moment hangs the emulated machine for good.
KERNEL_ARGS = ('console=ttyS0 quiet loglevel=3 panic=-1 nokaslr mitigations=off audit=0 '
               'cryptomgr.notests random.trust_cpu=1 no_timer_check tsc=unstable')


class MachineError(Exception):
    pass


def find_qemu():
    return os.environ.get('QEMU') or shutil.which('qemu-system-x86_64')


def find_busybox():
    return os.environ.get('BERTH_BUSYBOX') or shutil.which('busybox')


def find_kernel():
    """The vmlinuz in $BERTH_GUEST_KERNEL, which tools/fetch-guest-kernel fills."""
    folder = (os.environ.get('BERTH_GUEST_KERNEL') or
              os.path.join(os.environ.get('BERTH_BUILD_ROOT', '.'), 'guest-kernel'))
    kernel = os.path.join(folder, 'vmlinuz')
    return kernel if os.path.exists(kernel) else None


def die_with_parent():
    """In the child: no machine outlives the test that started it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


class Machine:
    """with Machine(arguments, …) as m: m.run('uname -r')"""

    def __init__(self, qemu_args, kernel, initramfs, kernel_args=''):
        self.folder = tempfile.mkdtemp(prefix='berth-machine-')
        try:
            self._start('-no-reboot', '-kernel', kernel, '-initrd', initramfs,
                        '-append', f'{KERNEL_ARGS} {kernel_args}'.strip(), *qemu_args)
            if self._guest_line() != 'ready':
                raise MachineError('the guest did not say "ready"')
        except BaseException:
            self.close()
            raise

    def _start(self, *args):
        """Starts QEMU, to where its monitor takes commands."""
        self.qmp_input = b''
        self.guest_input = b''
        listeners = {name: self._listen(name) for name in ('qmp', 'guest')}
        self.console = os.path.join(self.folder, 'console')
        command = [find_qemu(), '-nodefaults', '-no-user-config', '-display', 'none',
                   '-accel', 'tcg,thread=multi',
                   '-chardev', 'socket,id=qmp,server=off,path=' + self._path('qmp'),
                   '-mon', 'chardev=qmp,mode=control',
                   '-serial', 'file:' + self.console,
                   '-chardev', 'socket,id=guest,server=off,path=' + self._path('guest'),
                   '-serial', 'chardev:guest', *args]
        with open(self._path('qemu.log'), 'wb') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        self.qmp = self._accept(listeners['qmp'])
        self.guest = self._accept(listeners['guest'])
        self._qmp_read()                    # the greeting
        self.qmp_execute('qmp_capabilities')

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _listen(self, name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self._path(name))
        listener.listen(1)
        listener.settimeout(1)
        return listener

    def _accept(self, listener):
        for _ in range(DEADLINE_SEC):
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                if self.process.poll() is None:
                    continue
                raise MachineError('QEMU ended: ' + self._tail('qemu.log')) from None
            listener.close()
            connection.settimeout(DEADLINE_SEC)
            return connection
        raise MachineError('QEMU does not connect')

    def _tail(self, name):
        try:
            self.process.wait(1)    # what it has to say as it ends
        except subprocess.TimeoutExpired:
            pass
        try:
            with open(self._path(name), errors='replace') as f:
                return f.read()[-2000:]
        except OSError as e:
            return str(e)

    def _line(self, connection, pending):
        while b'\n' not in pending:
            try:
                data = connection.recv(65536)
            except (TimeoutError, ConnectionResetError):
                data = b''
            if not data:
                raise MachineError('the machine went silent. QEMU: ' + self._tail('qemu.log') +
                                   ' Console: ' + self._tail('console'))
            pending += data
        line, _, rest = pending.partition(b'\n')
        return line.rstrip(b'\r'), rest

    # --- the monitor

    def _qmp_read(self):
        line, self.qmp_input = self._line(self.qmp, self.qmp_input)
        return json.loads(line)

    def _qmp_send(self, command, arguments):
        self.qmp.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode() + b'\n')

    def qmp_execute(self, command, **arguments):
        self._qmp_send(command, arguments)
        while True:
            message = self._qmp_read()
            if 'error' in message:
                raise MachineError(f'{command}: {message["error"]["desc"]}')
            if 'return' in message:
                return message['return']

    # --- the guest

    def _guest_line(self):
        line, self.guest_input = self._line(self.guest, self.guest_input)
        return line.decode()

    def run(self, command):
        """Runs a line of shell in the guest; returns its output's lines."""
        self.guest.sendall(command.encode() + b'\n')
        lines = []
        while True:
            line = self._guest_line()
            if line.startswith('done '):
                if line != 'done 0':
                    raise MachineError(f'{command!r} in the guest: {line}; {self._tail("console")}')
                return lines
            lines.append(line)

    def record(self, name, options=''):
        """tools/record-host, run in the guest; returns the plain tar as bytes."""
        lines = self.run(f'record-host {options} --name {name} | base64')
        return base64.b64decode(''.join(lines))

    def close(self):
        process = getattr(self, 'process', None)
        if process is not None:
            process.kill()
            process.wait()
        for name in ('qmp', 'guest'):
            if hasattr(self, name):
                getattr(self, name).close()
        shutil.rmtree(self.folder, ignore_errors=True)
