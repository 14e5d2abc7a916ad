# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shapes of the test machines, and what each must be seen to be.

A shape is what one would tell QEMU: sockets, dies, cores, threads; cells with
their memory, CPUs and distances; what firmware says about the speed of memory;
and what happens while the machine runs (CPUs plugged, taken offline, huge
pages). From that alone comes `expected`, in the schema of the other captured
hosts: nothing in it is read from our own service. How the numbers follow:

- QEMU counts CPUs thread by thread, core by core, die by die, socket by
  socket, and makes each one's APIC id of these four numbers, each with just
  enough bits. Linux numbers the CPUs in that order, those that are plugged
  later in the order in which they come.
- Linux takes the socket, die, core apart from the APIC id again (the die's
  bits stay in the core's number), and on x86 calls "cluster" what shares an
  L2, by the APIC id of its first thread.
- Caches are those of QEMU's Intel models: L1 32 KiB of each kind, L2 4 MiB
  a core, L3 16 MiB a die. A cache's id is the APIC id without the bits of
  those that share it.
- Linux numbers cells in the order of the firmware's table; one whose CPUs
  are all still to be plugged is possible but not there.

Only amounts of memory cannot be told from the command line, because kernel
and firmware keep some: they are taken from the recorded file itself and held
against bounds.
"""

import re
from dataclasses import dataclass, field

MIB = 1024 * 1024


# What a q35 machine has without being asked: memory controller, ISA bridge,
# SATA, SMBus. Firmware names no cell for them, so they are the only cell's,
# where there is only one; the kernel here has no driver for them built in.
Q35_DEVICES = [{'address': f'0000:00:{slot}', 'class': code, 'driver': None}
               for slot, code in (('00.0', '060000'), ('1f.0', '060100'),
                                  ('1f.2', '010601'), ('1f.3', '0c0500'))]


def bits(n):
    return (n - 1).bit_length()


def cpu_list(numbers):
    """The kernel's list format: 0-3,8"""
    runs = []
    for n in sorted(numbers):
        if runs and runs[-1][1] == n - 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ','.join(str(a) if a == b else f'{a}-{b}' for a, b in runs)


@dataclass
class Cell:
    mem_mib: int
    cpus: list = field(default_factory=list)    # QEMU's CPU indices
    initiator: int = None                       # HMAT: from where it is reached best
    huge: dict = field(default_factory=dict)    # {page size in KiB: pages}
    cache: dict = None                          # HMAT: a memory-side cache
    devices: list = field(default_factory=list)  # what must be listed there


@dataclass
class Shape:
    name: str
    description: str
    sockets: int = 1
    dies: int = 1
    cores: int = 1
    threads: int = 1
    cpus: int = None                # at the start; None = all
    cells: list = field(default_factory=list)
    mem_mib: int = 256              # where there are no cells
    distances: list = None          # rows
    latency: dict = None            # {(initiator, target): ns}
    bandwidth: dict = None          # {(initiator, target): MiB/s}
    isolated: list = field(default_factory=list)
    plug: list = field(default_factory=list)      # CPU indices, in this order
    offline: list = field(default_factory=list)   # Linux's numbers
    huge_by_sysfs: bool = False     # set while running instead of at boot
    extra_args: list = field(default_factory=list)
    machine: str = 'q35'

    # --- to QEMU

    @property
    def possible(self):
        return self.sockets * self.dies * self.cores * self.threads

    @property
    def at_boot(self):
        return self.possible if self.cpus is None else self.cpus

    def place(self, index):
        """(socket, die, core, thread) of QEMU's CPU index."""
        rest, thread = divmod(index, self.threads)
        rest, core = divmod(rest, self.cores)
        socket, die = divmod(rest, self.dies)
        return socket, die, core, thread

    def slot(self, index):
        """The same, as QEMU wants it said: no die where there is only one."""
        keys = ('socket-id', 'die-id', 'core-id', 'thread-id')
        return {k: v for k, v in zip(keys, self.place(index)) if k != 'die-id' or self.dies > 1}

    def qemu_args(self):
        cells = self.cells
        args = ['-machine', self.machine + (',hmat=on' if self.latency else ''),
                # An Intel CPU, as that is where dies come from the CPU itself. No
                # MTRRs: to set a new CPU's, Linux stops all CPUs before that one
                # is online, and under emulation that sometimes never ends.
                '-cpu', 'max,vendor=GenuineIntel,mtrr=off',
                '-smp', f'cpus={self.at_boot},maxcpus={self.possible},sockets={self.sockets},'
                        f'dies={self.dies},cores={self.cores},threads={self.threads}',
                '-m', f'{sum(c.mem_mib for c in cells) or self.mem_mib}M']
        for number, cell in enumerate(cells):
            node = f'node,nodeid={number}'
            if cell.mem_mib:
                args += ['-object', f'memory-backend-ram,id=m{number},size={cell.mem_mib}M']
                node += f',memdev=m{number}'
            if cell.initiator is not None:
                node += f',initiator={cell.initiator}'
            args += ['-numa', node]
        for number, cell in enumerate(cells):
            for index in cell.cpus:
                args += ['-numa', f'cpu,node-id={number},' +
                         ','.join(f'{key}={value}' for key, value in self.slot(index).items())]
        for src, row in enumerate(self.distances or []):
            for dst, value in enumerate(row):
                args += ['-numa', f'dist,src={src},dst={dst},val={value}']
        for what, table in (('latency', self.latency), ('bandwidth', self.bandwidth)):
            for (initiator, target), value in (table or {}).items():
                args += ['-numa', f'hmat-lb,initiator={initiator},target={target},hierarchy=memory,'
                                  f'data-type=access-{what},{what}={value}'
                                  + ('M' if what == 'bandwidth' else '')]
        for number, cell in enumerate(cells):
            if cell.cache:
                c = cell.cache
                args += ['-numa', f'hmat-cache,node-id={number},size={c["size_kib"]}K,level={c["level"]},'
                                  f'associativity={c["associativity"]},policy={c["qemu_policy"]},line={c["line"]}']
        return args + self.extra_args

    def kernel_args(self):
        words = []
        if self.isolated:
            words.append('isolcpus=' + cpu_list(self.isolated))
        if not self.huge_by_sysfs:
            for size in sorted({s for c in self.cells for s in c.huge}):
                suffix = {2048: '2M', 1048576: '1G'}[size]
                pools = ','.join(f'{n}:{c.huge[size]}' for n, c in enumerate(self.cells) if size in c.huge)
                words.append(f'hugepagesz={suffix} hugepages={pools}')
        return ' '.join(words)

    # --- while it runs

    def happen(self, machine):
        """Does to the running machine what this shape says."""
        number = self.at_boot
        for index in self.plug:
            machine.qmp_execute('device_add', driver='max-x86_64-cpu', id=f'plugged{index}',
                                **self.slot(index))
            folder = f'/sys/devices/system/cpu/cpu{number}'
            # Firmware tells the guest in its own time; the file is the sign.
            machine.run(f'until echo 1 > {folder}/online; do :; done 2>/dev/null; grep -q 1 {folder}/online')
            number += 1
        for cpu in self.offline:
            machine.run(f'echo 0 > /sys/devices/system/cpu/cpu{cpu}/online')
        if self.huge_by_sysfs:
            for cell, c in enumerate(self.cells):
                for size, count in c.huge.items():
                    machine.run(f'echo {count} > /sys/devices/system/node/node{cell}'
                                f'/hugepages/hugepages-{size}kB/nr_hugepages')

    # --- what must be seen

    def _caches(self, linux, shared_l1):
        """linux: {Linux's number: QEMU's index} of the CPUs that are online."""
        t, c = bits(self.threads), bits(self.cores)
        kinds = [(1, 'Data', 32, t if shared_l1 else 0), (1, 'Instruction', 32, t if shared_l1 else 0),
                 (2, 'Unified', 4096, t), (3, 'Unified', 16384, t + c)]
        for level, kind, size_kib, shift in kinds:
            groups = {}
            for number, index in sorted(linux.items()):
                groups.setdefault(self.apic_id(index) >> shift, []).append(number)
            for cache_id, cpus in sorted(groups.items(), key=lambda g: g[1]):
                yield {'level': level, 'type': kind, 'size_kib': size_kib, 'cpus': cpus, 'id': cache_id}

    def apic_id(self, index):
        socket, die, core, thread = self.place(index)
        t, c, d = bits(self.threads), bits(self.cores), bits(self.dies)
        return thread | core << t | die << (t + c) | socket << (t + c + d)

    def expected(self, meminfo, qemu_version=(7, 2)):
        """meminfo: {cell: text of its meminfo}, {'/': text of /proc/meminfo}."""
        linux = dict(enumerate([*range(self.at_boot), *self.plug]))
        online = {n: i for n, i in linux.items() if n not in self.offline}
        qemu_cells = self.cells or [Cell(self.mem_mib, list(range(self.possible)))]
        cell_of = {i: n for n, c in enumerate(qemu_cells) for i in c.cpus}
        shown = [n for n, c in enumerate(qemu_cells)
                 if c.mem_mib or any(cell_of.get(i) == n for i in linux.values())]
        # QEMU 9.1 was the first whose L1 is a core's, not a thread's.
        caches = list(self._caches(online, qemu_version >= (9, 1)))

        cpus = []
        for number, index in linux.items():
            if number not in online:
                # Its folder keeps the link to its cell, and nothing else.
                cpus.append({'id': number, 'online': False, 'package': None, 'die': None, 'cluster': None,
                             'core': None, 'siblings': [], 'cell': cell_of[index]})
                continue
            socket, die, core, _ = self.place(index)
            siblings = [n for n, i in online.items() if self.place(i)[:3] == (socket, die, core)]
            cpus.append({'id': number, 'online': True, 'package': socket, 'die': die,
                         'cluster': self.apic_id(index) & ~((1 << bits(self.threads)) - 1),
                         'core': core | die << bits(self.cores),
                         'siblings': siblings, 'cell': cell_of[index]})
        up = [c for c in cpus if c['online']]

        def grouped(*keys):
            groups = {}
            for c in up:
                groups.setdefault(tuple(c[k] for k in keys), []).append(c['id'])
            return groups

        packages = [{'id': p, 'cpus': ids} for (p,), ids in grouped('package').items()]
        dies = [{'id': d, 'package': p, 'cpus': ids} for (p, d), ids in grouped('package', 'die').items()]
        clusters = [{'id': c, 'package': p, 'cpus': ids}
                    for (p, c), ids in grouped('package', 'cluster').items()]

        cells = []
        for number in shown:
            cell = qemu_cells[number]
            total_kib = self._memory(meminfo[number], 'MemTotal', cell.mem_mib)
            # Linux gives every cell its pools, be there memory or not.
            pools = [{'size_kib': s, 'total': cell.huge.get(s, 0), 'free': cell.huge.get(s, 0)}
                     for s in (2048, 1048576)]
            if self.distances:
                row = [{'id': n, 'value': self.distances[number][n]} for n in shown]
            else:
                row = [{'id': n, 'value': 10 if n == number else 20} for n in shown]
            entry = {'id': number,
                     'cpus': [n for n, i in online.items() if cell_of[i] == number],
                     'memory_kib': total_kib, 'distances': row, 'hugepages': pools,
                     'base_pages': {'size_kib': 4,
                                    'total': (total_kib - sum(p['size_kib'] * p['total'] for p in pools)) // 4},
                     'free_kib': self._memory(meminfo[number], 'MemFree', cell.mem_mib, floor=0),
                     'devices': Q35_DEVICES if len(shown) == 1 else cell.devices,
                     'from': {'cpus': ['command line'], 'memory_kib': ['kernel_file', 'command line (bounds)'],
                              'distances': ['command line'], 'hugepages': ['command line']}}
            if cell.cache:
                c = cell.cache
                entry['memory_side_caches'] = [{'level': c['level'], 'associativity': c['associativity'],
                                                'policy': c['policy'], 'size_kib': c['size_kib'],
                                                'line': c['line']}]
            cells.append(entry)

        doc = {'schema': 1, 'strength': {'independent_peers': ['QEMU command line'], 'level': 'strong'},
               'name': self.name, 'set': 'own', 'description': self.description,
               'source': {'corpus': 'recorded with tools/record-host', 'file': 'tests/system/shapes.py',
                          'licence': 'LGPL-2.1-or-later'},
               'tools': {'qemu': ' '.join([*self.qemu_args(), '-append', self.kernel_args()]).strip()},
               'identity': {'arch': 'x86_64', 'vendor': 'Intel', 'model': 'QEMU TCG CPU version 2.5+'},
               'kernel': {'cpu_online': cpu_list(online),
                          # the kernel counts those never plugged among the offline ones
                          'cpu_offline': cpu_list(set(range(self.possible)) - set(online)),
                          'cpu_present': cpu_list(linux), 'cpu_possible': cpu_list(range(self.possible)),
                          'cpu_isolated': cpu_list(self.isolated),
                          'node_online': cpu_list(shown), 'node_possible': cpu_list(range(len(qemu_cells))),
                          'hugepages': [{'size_kib': s, 'total': sum(c.huge.get(s, 0) for c in qemu_cells),
                                         'free': sum(c.huge.get(s, 0) for c in qemu_cells)}
                                        for s in (2048, 1048576)],
                          'meminfo_total_kib': self._memory(meminfo['/'], 'MemTotal',
                                                            sum(c.mem_mib for c in qemu_cells))},
               'summary': {'cpus_present': len(linux), 'cpus_online': len(online), 'cpus_possible': self.possible,
                           'cells': len(cells),
                           'cells_without_cpus': [c['id'] for c in cells if not c['cpus']],
                           'cells_without_memory': [c['id'] for c in cells if not qemu_cells[c['id']].mem_mib],
                           'packages': len(packages), 'dies': len(dies), 'clusters': len(clusters),
                           'cores': len({tuple(c['siblings']) for c in up}),
                           'threads_per_core_max': max(len(c['siblings']) for c in up),
                           'caches': len(caches), 'memory_kib_total': sum(c['memory_kib'] for c in cells)},
               'cells': cells, 'packages': packages, 'clusters': clusters, 'dies': dies, 'cpus': cpus,
               'caches': caches, 'warnings': [], 'disagreements': [], 'notes': []}
        if self.latency:
            doc['hmat'] = {'command_line': list(self._hmat())}
        return doc

    def _hmat(self):
        """Linux shows, of each cell, how it is reached from its initiator."""
        for target, cell in enumerate(self.cells):
            initiator = target if cell.cpus else cell.initiator
            for way in ('read', 'write'):
                yield {'kind': 'latency', 'initiator': initiator, 'target': target, 'type': way,
                       'value': self.latency[initiator, target]}
                yield {'kind': 'bandwidth', 'initiator': initiator, 'target': target, 'type': way,
                       'value': self.bandwidth[initiator, target] * 1024, 'unit': 'KiB'}

    def _memory(self, text, key, mem_mib, floor=0.5):
        value = int(re.search(key + r':\s+(\d+) kB', text).group(1))
        if not mem_mib * 1024 * floor <= value <= mem_mib * 1024:
            raise ValueError(f'{self.name}: {key} is {value} KiB of {mem_mib} MiB')
        return value


ALL = [
    Shape('qemu-plain', 'one socket, two CPUs, no NUMA table: the plain case', cores=2),

    Shape('qemu-full-house', 'two of everything: 2 sockets, 2 dies each, 2 cores, 2 threads; a cell a socket',
          sockets=2, dies=2, cores=2, threads=2,
          cells=[Cell(160, list(range(0, 8))), Cell(160, list(range(8, 16)))]),

    Shape('qemu-odd-cores', '3 sockets of 3 cores: holes between the APIC ids', sockets=3, cores=3),

    Shape('qemu-four-cells', 'four cells with uneven distances, CPUs dealt out in turn', sockets=4, cores=2,
          cells=[Cell(128, [0, 4]), Cell(128, [1, 5]), Cell(128, [2, 6]), Cell(128, [3, 7])],
          distances=[[10, 16, 28, 22], [16, 10, 22, 28], [28, 22, 10, 16], [22, 28, 16, 10]]),

    Shape('qemu-hmat', 'firmware that knows how fast memory is; a cell of slow memory without CPUs; '
                       'a memory-side cache', sockets=2,
          cells=[Cell(160, [0], cache={'size_kib': 10240, 'level': 1, 'associativity': 'direct',
                                       'policy': 'writeback', 'qemu_policy': 'write-back', 'line': 64}),
                 Cell(160, [1]), Cell(128, [], initiator=1)],
          distances=[[10, 20, 40], [20, 10, 30], [40, 30, 10]],
          latency={(0, 0): 10, (0, 1): 20, (0, 2): 45, (1, 0): 20, (1, 1): 12, (1, 2): 35},
          bandwidth={(0, 0): 20480, (0, 1): 10240, (0, 2): 4096, (1, 0): 10240, (1, 1): 18432, (1, 2): 5120}),

    Shape('qemu-memory-only', 'a cell that is memory only', cores=2,
          cells=[Cell(160, [0, 1]), Cell(128)], distances=[[10, 17], [17, 10]]),

    Shape('qemu-cpu-only', 'a cell that has CPUs and no memory', cores=4,
          cells=[Cell(256, [0, 1]), Cell(0, [2, 3])]),

    Shape('qemu-sparse', 'cells 0 and 2: the only CPU of cell 1 is still to be plugged', sockets=2, cpus=1,
          cells=[Cell(160, [0]), Cell(0, [1]), Cell(160)]),

    Shape('qemu-hotplugged', 'two CPUs plugged while running, the last one first; one still to come',
          sockets=5, cpus=2, plug=[4, 2],
          cells=[Cell(160, [0, 1, 2]), Cell(160, [3, 4])]),

    Shape('qemu-offline', 'offline CPUs: a thread of one core, and a whole core', cores=4, threads=2,
          cells=[Cell(160, [0, 1, 2, 3]), Cell(160, [4, 5, 6, 7])], offline=[1, 4, 5]),

    Shape('qemu-cell-offline', 'a cell all of whose CPUs are offline', cores=4,
          cells=[Cell(160, [0, 1]), Cell(160, [2, 3])], offline=[2, 3]),

    Shape('qemu-isolated', 'isolated CPUs, and room for more', cores=8, cpus=4, isolated=[2, 3]),

    Shape('qemu-huge-boot', '2 MiB pages reserved in each cell at boot', cores=2,
          cells=[Cell(160, [0], huge={2048: 3}), Cell(192, [1], huge={2048: 17})]),

    Shape('qemu-huge-late', '2 MiB pages asked for while running, in one cell only', cores=2,
          cells=[Cell(160, [0]), Cell(192, [1], huge={2048: 8})], huge_by_sysfs=True),

    Shape('qemu-pci-cells', 'PCI host bridges that belong to cells, with a device behind each', sockets=2,
          cells=[Cell(160, [0], devices=[{'address': '0000:40:00.0', 'class': '060400', 'driver': 'pcieport'},
                                         {'address': '0000:41:00.0', 'class': '00ff00', 'driver': None}]),
                 Cell(160, [1], devices=[{'address': '0000:80:00.0', 'class': '060400', 'driver': 'pcieport'},
                                         {'address': '0000:81:00.0', 'class': '00ff00', 'driver': None}])],
          extra_args=[arg for cell, bus in ((0, 64), (1, 128)) for arg in (
              '-device', f'pxb-pcie,id=pxb{cell},bus_nr={bus},numa_node={cell},bus=pcie.0',
              '-device', f'pcie-root-port,id=port{cell},bus=pxb{cell},chassis={cell + 1},slot=0',
              '-device', f'virtio-rng-pci,bus=port{cell}')]),
]

BY_NAME = {shape.name: shape for shape in ALL}
