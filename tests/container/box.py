# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container with a real systemd, in which Berth is installed.

It is the machine we are on, once more: an overlay over its root folder, with
what "meson install" lays down on top, and nothing of what the host has
enabled. All that it writes lies in a tmpfs. It boots in less than a second.

The host is not disturbed: everything is mounted in a namespace of our own
(enter_namespace()), the container is unknown to any systemd outside, and /sys
below devices/system/node is a made-up folder, so that a pool of huge pages can
be written to. The network is the host's, because a container with its own gets
a fresh /sys and would not see that folder; nothing in it uses the network.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

DEADLINE_SEC = 30       # only ends what hangs; nothing depends on its value


class BoxError(Exception):
    pass


def enter_namespace():
    """Starts this program again in a mount namespace of its own, unless it is there."""
    if os.environ.get('BERTH_BOX') == 'inside':
        return
    os.environ['BERTH_BOX'] = 'inside'
    os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', '--',
                          sys.executable] + sys.argv)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def run(*command, check=True):
    return subprocess.run(command, check=check, text=True, timeout=DEADLINE_SEC,
                          stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def make_node_tree(folder):
    """The host's cells as they are, each with an empty pool of 2 MiB pages."""
    host = '/sys/devices/system/node'
    os.makedirs(folder)
    for name in os.listdir(host):
        path = os.path.join(host, name)
        if name.startswith('node'):
            for file in ('cpulist', 'cpumap', 'distance', 'meminfo', 'numastat'):
                with open(os.path.join(path, file), encoding='ascii') as source:
                    write(os.path.join(folder, name, file), source.read())
            pool = os.path.join(folder, name, 'hugepages/hugepages-2048kB')
            for file in ('nr_hugepages', 'free_hugepages', 'surplus_hugepages'):
                write(os.path.join(pool, file), '0\n')
        elif os.path.isfile(path) and name != 'uevent':
            with open(path, encoding='ascii') as source:
                write(os.path.join(folder, name), source.read())


class Box:
    """with Box(build folder) as box: box.run('busctl', …)"""

    def __init__(self, build):
        self.build = build
        self.nspawn = None
        self.leader = None

    def __enter__(self):
        try:
            self._prepare()
            self._boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        self._end()

    def _prepare(self):
        # nspawn keeps notes in /run, and the host's are not its business.
        run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run')
        self.folder = '/run/box'
        for name in ('upper', 'work', 'root', 'installed'):
            os.makedirs(os.path.join(self.folder, name))
        self.root = os.path.join(self.folder, 'root')
        self.node_tree = os.path.join(self.folder, 'node')
        make_node_tree(self.node_tree)

        installed = os.path.join(self.folder, 'installed')
        run('meson', 'install', '-C', self.build, '--no-rebuild', '--destdir', installed)
        run('mount', '-t', 'overlay', '-o',
            f'lowerdir={installed}:/,upperdir={self.folder}/upper,workdir={self.folder}/work',
            'overlay', self.root)

        # Of the host's services, those that it has enabled stay out; and a disk
        # in fstab that is not here would cost a minute and a half of boot.
        for path in ('etc/systemd/system', 'etc/rc2.d', 'etc/rc3.d', 'etc/rc5.d', 'etc/rcS.d'):
            run('rm', '-rf', os.path.join(self.root, path))
        for path in ('etc/fstab', 'etc/machine-id'):
            write(os.path.join(self.root, path), '')
        write(os.path.join(self.root, 'etc/hostname'), 'box\n')
        run('systemctl', f'--root={self.root}', 'set-default', 'multi-user.target')
        run('systemctl', f'--root={self.root}', 'enable', 'berthd.service')

    def _boot(self):
        # nspawn says by sd_notify() which process is the container's first, and
        # (with --notify-ready) when that one says that it has booted.
        path = os.path.join(self.folder, 'notify')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(path)
            ready.settimeout(DEADLINE_SEC)
            self.console = open(os.path.join(self.folder, 'console'), 'w+b')  # closed with us
            self.nspawn = subprocess.Popen(
                ['setpriv', '--pdeathsig', 'KILL', '--',
                 'systemd-nspawn', '--quiet', '--boot', '--register=no', '--keep-unit',
                 '--console=pipe', '--notify-ready=yes', '--machine=box', '--directory=' + self.root,
                 '--bind=' + self.node_tree + ':/sys/devices/system/node'],
                env=dict(os.environ, NOTIFY_SOCKET=path),
                stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
            booted = False
            while not (booted and self.leader):
                try:
                    message = ready.recv(4096).decode()
                except TimeoutError:
                    raise BoxError('the container did not boot:\n' + self._console()) from None
                for line in message.splitlines():
                    if line.startswith('X_NSPAWN_LEADER_PID='):
                        self.leader = int(line.partition('=')[2])
                    booted = booted or line == 'READY=1'

    def _console(self):
        self.console.seek(0)
        return self.console.read().decode(errors='replace')

    def command(self, *command, user=None):
        """What runs the command in the container; "user" is a number."""
        # nsenter waits outside for the command inside, which must not outlive it.
        # --root and --wd, because those of a mount namespace are its creator's,
        # and may be a chroot's.
        enter = ['nsenter', '-t', str(self.leader), '--all', '--root', '--wd', '--',
                 'setpriv', '--pdeathsig=KILL']
        if user is not None:
            enter += [f'--reuid={user}', f'--regid={user}', '--clear-groups']
        return enter + ['--'] + list(command)

    def run(self, *command, user=None, check=True):
        result = run(*self.command(*command, user=user), check=False)
        if check and result.returncode != 0:
            raise BoxError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
        return result

    @contextlib.contextmanager
    def reading(self, *command):
        """Runs a command in the container and yields its lines as they come."""
        # The shell ends the command when its own input ends. To end nsenter would
        # leave a process in the container whose parent is outside of it.
        script = '"$@" & read -r _; kill $!'
        with subprocess.Popen(self.command('sh', '-c', script, 'sh', *command), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            timer = threading.Timer(DEADLINE_SEC, process.stdin.close)
            timer.start()
            try:
                yield process.stdout
            finally:
                timer.cancel()
                process.stdin.close()

    def _end(self):
        if self.nspawn and self.nspawn.poll() is None:
            if self.leader:
                os.kill(self.leader, signal.SIGRTMIN + 4)       # systemd: power off
            else:
                self.nspawn.kill()
            try:
                self.nspawn.wait(DEADLINE_SEC)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        remove_left_cgroups()


def remove_left_cgroups():
    """nspawn leaves two groups behind in each hierarchy of our own control group."""
    with open('/proc/self/cgroup', encoding='ascii') as file:
        groups = [line.rstrip('\n').split(':', 2)[1:] for line in file]
    for controllers, path in groups:
        name = controllers.removeprefix('name=') or 'unified'
        for mount in (f'/sys/fs/cgroup/{name}', '/sys/fs/cgroup'):
            for left in ('payload', 'supervisor'):
                top = f'{mount}{path}/{left}'
                for folder, _, _ in os.walk(top, topdown=False):
                    try:
                        os.rmdir(folder)
                    except OSError:
                        pass    # somebody else's, and in use
