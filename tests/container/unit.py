#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Berth as it is installed, under a real systemd: unit, activation, sandbox, polkit.

    unit.py BUILD-FOLDER        as root

One container serves all tests, in the order in which they stand here: each
leaves berthd running. Results are TAP.
"""

import json
import os
import sys
import time
import traceback

import box

CELLS = ('org.berth1', '/org/berth1/host', 'org.berth1.Host.Cells')
PAGE = str(2 * 1024 * 1024)
NOBODY = 65534
SOMEBODY = 1            # "daemon", whom a rule lets through; a bus refuses who is not in passwd

# Set by main(): the container, and the first cell of this machine.
berth = None
cell = None


def expect(truth, message):
    if not truth:
        raise AssertionError(message)


def systemctl(*words):
    return berth.run('systemctl', *words).stdout.strip()


def unit(name):
    return systemctl('show', '--property', name, '--value', 'berthd.service')


def call(*words, user=None):
    return berth.run('busctl', '--system', 'call', *words, user=user, check=False)


def get_property(name, user=None):
    return berth.run('busctl', '--system', 'get-property', 'org.berth1', '/org/berth1',
                     'org.berth1.Manager', name, user=user).stdout


def alloc_pages(count, *flags, user=None):
    return call(*CELLS, 'AllocPages', 'uttas', cell, PAGE, str(count), str(len(flags)), *flags,
                user=user)


def in_tree(name):
    return os.path.join(berth.node_tree, f'node{cell}', name)


def pages():
    with open(in_tree('hugepages/hugepages-2048kB/nr_hugepages'), encoding='ascii') as file:
        return int(file.read())


def journal(*matches):
    text = berth.run('journalctl', '--quiet', '--output=json', *matches).stdout
    return [json.loads(line) for line in text.splitlines()]


def in_sandbox(*command):
    """Runs a command among berthd's own mounts and network, with all of root's rights."""
    return berth.run('nsenter', '-t', unit('MainPID'), '--mount', '--net', '--root', '--wd', '--',
                     *command, check=False)


# ---- The tests

def it_runs_after_boot():
    expect(unit('ActiveState') == 'active', unit('ActiveState'))
    expect(unit('NRestarts') == '0', 'it was started more than once')
    get_property('Version')


def systemd_finds_no_fault_in_the_unit():
    result = berth.run('systemd-analyze', 'verify', 'berthd.service', check=False)
    faults = [line for line in result.stderr.splitlines() if 'berth' in line]
    expect(not faults, '\n'.join(faults))


def the_folders_are_there_and_belong_to_root():
    for path, mode in (('/run/berth', '755'), ('/run/berth/domains', '755'), ('/var/lib/berth', '700')):
        found = berth.run('stat', '--format=%a %U:%G', path).stdout.strip()
        expect(found == mode + ' root:root', f'{path} is {found}')


def the_group_for_rules_is_there():
    berth.run('getent', 'group', 'berth')


def the_manual_is_well_formed():
    files = berth.run('sh', '-c', 'ls /usr/share/man/man?/*berth*').stdout.split()
    for name in ('berthctl.1', 'berthd.8', 'berthd.conf.5', 'org.berth1.5'):
        expect(any(os.path.basename(file) == name for file in files), f'{name} is missing')
    for file in files:
        faults = berth.run('man', '--warnings', '--local-file', file).stderr
        expect(not faults, faults)


def a_call_starts_it_from_nothing():
    systemctl('stop', 'berthd.service')
    expect(unit('ActiveState') == 'inactive', unit('ActiveState'))
    get_property('Version', user=NOBODY)
    expect(unit('ActiveState') == 'active', unit('ActiveState'))


def an_ordinary_user_reads():
    result = call(*CELLS, 'GetFreeMemory', 'uu', '0', '0', user=NOBODY)
    expect(result.stdout.startswith('a(ut) '), result.stderr)
    result = call('org.berth1', '/org/berth1', 'org.freedesktop.DBus.ObjectManager',
                  'GetManagedObjects', user=NOBODY)
    expect(f'/org/berth1/host/cells/{cell}' in result.stdout, result.stderr or result.stdout)


def berthctl_shows_this_machine_to_an_ordinary_user():
    expect(berth.run('berthctl', user=NOBODY).stdout.strip(), 'it printed nothing')


def only_root_may_own_the_name():
    systemctl('stop', 'berthd.service')
    result = call('org.freedesktop.DBus', '/', 'org.freedesktop.DBus', 'RequestName',
                  'su', 'org.berth1', '0', user=NOBODY)
    expect(result.returncode != 0, 'an ordinary user took it')
    systemctl('start', 'berthd.service')


def polkit_refuses_an_ordinary_user():
    # By gdbus, because busctl has a text of its own for this error.
    result = berth.run('gdbus', 'call', '--system', '--dest', CELLS[0], '--object-path', CELLS[1],
                       '--method', CELLS[2] + '.AllocPages', cell, PAGE, '7', '@as []',
                       user=NOBODY, check=False)
    expect(result.returncode != 0, 'it was allowed')
    expect('org.freedesktop.DBus.Error.AccessDenied' in result.stderr or
           'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired' in result.stderr, result.stderr)
    expect('org.berth1.host.alloc-pages' in result.stderr, result.stderr)
    expect(pages() == 0, f'{pages()} pages')


def root_changes_huge_pages():
    result = alloc_pages(3, 'set', 'dry-run')
    expect(result.returncode == 0, result.stderr)
    expect(pages() == 0, 'a dry run changed something')
    result = alloc_pages(3, 'set')
    expect(result.stdout.strip() == 't 3', result.stderr or result.stdout)
    expect(pages() == 3, f'{pages()} pages')


def a_rule_lets_a_user_through():
    box.write(os.path.join(berth.root, 'etc/polkit-1/rules.d/10-test.rules'), '''
        polkit.addRule(function(action, subject) {
            if (action.id == "org.berth1.host.alloc-pages" &&
                action.lookup("cell") == "%s" && action.lookup("count") == "5" &&
                subject.user == "daemon")
                return polkit.Result.YES;
        });''' % cell)
    # The sample has nothing to say here, but must be well formed.
    berth.run('cp', '/usr/share/doc/berth/berth.rules.sample', '/etc/polkit-1/rules.d/50-berth.rules')
    # Rules are read when polkit starts, so there is nothing to wait for.
    systemctl('restart', 'polkit.service')
    errors = [line['MESSAGE'] for line in journal('--unit=polkit.service') if 'Error' in line['MESSAGE']]
    expect(not errors, errors)
    result = alloc_pages(6, 'set', user=SOMEBODY)
    expect(result.returncode != 0, 'the rule does not allow six')
    result = alloc_pages(5, 'set', user=SOMEBODY)
    expect(result.stdout.strip() == 't 5', result.stderr or result.stdout)
    expect(pages() == 5, f'{pages()} pages')


def who_asked_for_pages_is_in_the_journal():
    lines = journal('MESSAGE_ID=f562eb90e18546db92e4f0c8a2a11672')
    expect(len(lines) == 2, f'{len(lines)} lines')
    expect([line['BERTH_UID'] for line in lines] == ['0', str(SOMEBODY)], lines)


# CAP_DAC_OVERRIDE, CAP_SYS_PTRACE and CAP_SYS_NICE, by their numbers.
CAPABILITIES = 1 << 1 | 1 << 19 | 1 << 23


def it_has_two_capabilities_and_can_gain_none():
    status = berth.run('cat', f"/proc/{unit('MainPID')}/status").stdout
    fields = dict(line.split(':\t', 1) for line in status.splitlines() if ':\t' in line)
    for name, allowed in (('CapInh', 0), ('CapPrm', CAPABILITIES), ('CapEff', CAPABILITIES),
                          ('CapBnd', CAPABILITIES), ('CapAmb', 0)):
        expect(int(fields[name], 16) == allowed, f'{name} is {fields[name]}')
    expect(fields['NoNewPrivs'] == '1', 'it could gain privileges')
    expect(fields['Seccomp'] == '2', 'no filter of system calls')


def a_guest_of_another_user_appears_and_goes():
    # All in one shell, so that what gdbus hears is read as it comes.
    script = '''
        set -e
        guest=/run/berth/domains/web
        mkdir -p $guest /run/heard
        chown nobody $guest
        mkfifo /run/heard/fifo
        gdbus monitor --system --dest org.berth1 >/run/heard/fifo &
        monitor=$!
        exec 3</run/heard/fifo
        hear() { while read -r line <&3; do case $line in *"$1"*) return; esac; done; return 1; }
        hear 'is owned by'
        setpriv --reuid nobody --clear-groups qemu-system-x86_64 -accel tcg -machine q35 -S -nodefaults \\
                -display none -m 32 -smp 1 -qmp unix:$guest/qmp.sock,server=on,wait=off &
        qemu=$!
        hear "InterfacesAdded (objectpath '/org/berth1/domains/web'"
        busctl call org.berth1 /org/berth1/domains/web org.berth1.Domain.Vcpus ListVcpus as 0
        kill $qemu
        hear "InterfacesRemoved (objectpath '/org/berth1/domains/web'"
        kill $monitor
        rm -r $guest /run/heard
    '''
    result = berth.run('timeout', '60', 'sh', '-c', script, check=False)
    expect(result.returncode == 0, result.stderr)
    expect('"effective_cpus"' in result.stdout, result.stdout)


VCPUS = 'org.berth1.Domain.Vcpus'
WEB = '/org/berth1/domains/web'
WEB_UUID = '12345678-1234-1234-1234-1234567890ab'


def vcpus(method, signature, *words, user=None):
    return call('org.berth1', WEB, VCPUS, method, signature, *words, user=user)


def expect_done(result):
    expect(result.returncode == 0, result.stderr)
    return result.stdout


def wait_for_guest():
    """Until its vCPUs are told, with their threads. A machine may take its time for that."""
    deadline = time.monotonic() + box.DEADLINE_SEC
    while '"thread"' not in vcpus('GetVcpu', 'uas', '1', '0').stdout:
        expect(time.monotonic() < deadline, 'it did not appear')


def restart():
    # These tests start it oftener than systemd allows in ten seconds.
    systemctl('reset-failed', 'berthd.service')
    systemctl('restart', 'berthd.service')


class Guest:
    """A stopped QEMU of an ordinary user's, which is there when this is entered."""

    def __enter__(self):
        berth.run('mkdir', '-p', '/run/berth/domains/web')
        berth.run('chown', 'nobody', '/run/berth/domains/web')
        berth.run('systemd-run', '--unit=web', '--uid=nobody', '--collect', 'qemu-system-x86_64', '-accel', 'tcg',
                  '-machine', 'q35', '-S', '-nodefaults', '-display', 'none', '-m', '64', '-uuid', WEB_UUID,
                  '-smp', '2,sockets=4,maxcpus=4', '-qmp', 'unix:/run/berth/domains/web/qmp.sock,server=on,wait=off')
        wait_for_guest()
        return self

    def __exit__(self, *_):
        systemctl('stop', 'web.service')
        berth.run('rm', '-r', '/run/berth/domains/web')

    @staticmethod
    def pid():
        return systemctl('show', '--property', 'MainPID', '--value', 'web.service')


def thread_of(vcpu):
    text = expect_done(vcpus('GetVcpu', 'uas', str(vcpu), '0'))
    return text.split('"thread" u ')[1].split()[0]


def some_cpu():
    return str(min(os.sched_getaffinity(0)))


def a_guest_of_another_user_is_pinned_and_scheduled():
    with Guest() as guest:
        expect_done(vcpus('Pin', 'usas', '1', some_cpu(), '0'))
        expect_done(vcpus('SetScheduler', 'usias', '1', 'fifo', '7', '0'))
        thread = thread_of(1)
        status = berth.run('cat', f'/proc/{guest.pid()}/task/{thread}/status').stdout
        expect(f'Cpus_allowed_list:\t{some_cpu()}\n' in status, status)
        expect('Uid:\t65534' in status, 'it is not the user\'s')
        scheduler = berth.run('chrt', '--pid', thread).stdout
        expect('SCHED_FIFO' in scheduler and 'priority: 7' in scheduler, scheduler)


def memory_of_another_user_s_guest_is_counted():
    with Guest():
        result = expect_done(call('org.berth1', WEB, 'org.berth1.Domain', 'GetMemoryByCell'))
        words = result.split()
        expect(words[0] == 'a(ut)' and int(words[1]) >= 1 and int(words[3]) > 1024 * 1024, result)


def live_pins_and_vcpus_survive_a_restart():
    with Guest():
        expect_done(vcpus('Pin', 'usas', '3', some_cpu(), '0'))
        expect_done(vcpus('SetScheduler', 'usias', '3', 'batch', '0', '0'))
        restart()
        wait_for_guest()
        expect_done(vcpus('SetVcpu', 'ubas', '3', 'true', '0'))
        text = expect_done(vcpus('GetVcpu', 'uas', '3', '0'))
        expect(f'"cpus" s "{some_cpu()}"' in text and f'"effective_cpus" s "{some_cpu()}"' in text, text)
        expect('"scheduler" s "batch"' in text, text)


def what_is_defined_lies_in_the_state_folder_and_survives_a_restart():
    manager = ('org.berth1', '/org/berth1', 'org.berth1.Manager')
    document = f"<domain><uuid>{WEB_UUID}</uuid><vcpu current='2'>4</vcpu></domain>"
    expect_done(call(*manager, 'DefineDomain', 'ssas', 'web', document, '0'))
    expect_done(vcpus('Pin', 'usas', '1', some_cpu(), '0'))
    found = berth.run('stat', '--format=%a %U', '/var/lib/berth/domains/web.xml').stdout.strip()
    expect(found == '600 root', found)
    restart()
    text = expect_done(vcpus('GetVcpu', 'uas', '1', '1', 'config'))
    expect(f'"cpus" s "{some_cpu()}"' in text, text)
    with Guest():
        text = expect_done(vcpus('GetVcpu', 'uas', '1', '1', 'live'))
        expect(f'"effective_cpus" s "{some_cpu()}"' in text, text)
    expect_done(call(*manager, 'UndefineDomain', 'oas', WEB, '0'))
    expect(berth.run('ls', '/var/lib/berth/domains').stdout == '', 'the file stays')


def polkit_refuses_changes_of_guests():
    manager = ('org.berth1', '/org/berth1', 'org.berth1.Manager')
    with Guest():
        for action, result in (
                ('domain.set-vcpus', vcpus('SetVcpu', 'ubas', '3', 'true', '0', user=NOBODY)),
                ('domain.pin', vcpus('Pin', 'usas', '1', some_cpu(), '0', user=NOBODY)),
                ('domain.set-scheduler', vcpus('SetScheduler', 'usias', '1', 'fifo', '1', '0', user=NOBODY)),
                ('domain.define', call(*manager, 'DefineDomain', 'ssas', 'x', '<domain><vcpu>1</vcpu></domain>', '0', user=NOBODY))):
            expect(result.returncode != 0, f'{action} was allowed')
            expect('denied' in result.stderr or 'authentication' in result.stderr or 'org.berth1.' + action in result.stderr, result.stderr)
        text = expect_done(vcpus('GetVcpu', 'uas', '1', '0', user=NOBODY))
        expect('"cpus"' not in text and '"scheduler" s "other"' in text, text)


def it_can_write_where_it_must_and_nowhere_else():
    pool = f'/sys/devices/system/node/node{cell}/hugepages/hugepages-2048kB/nr_hugepages'
    for path in ('/run/berth/domains', '/var/lib/berth', pool):
        expect(in_sandbox('test', '-w', path).returncode == 0, f'{path} is not writable')
    for path in ('/etc', '/usr', '/var/lib', '/run', '/sys/devices/system/cpu', '/sys/power',
                 '/proc/sys/kernel/hostname', '/sys/fs/cgroup'):
        expect(in_sandbox('test', '-w', path).returncode != 0, f'{path} is writable')


def it_sees_no_homes_no_devices_no_network():
    for path in ('/root', '/home'):
        expect(in_sandbox('ls', path).stdout == '', f'{path} is visible')
    for path in ('/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda'):
        expect(in_sandbox('test', '-e', path).returncode != 0, f'{path} is there')
    pid = unit('MainPID')
    links = berth.run('cat', f'/proc/{pid}/net/dev').stdout.splitlines()[2:]
    expect([line.split(':')[0].strip() for line in links] == ['lo'], links)


def systemd_rates_the_sandbox_well():
    result = berth.run('systemd-analyze', 'security', '--no-pager', '--threshold=16',
                       'berthd.service', check=False)
    print('#', result.stdout.strip().splitlines()[-1])
    expect(result.returncode == 0, result.stdout)


def a_restart_keeps_what_guests_have_put_there():
    berth.run('mkdir', '/run/berth/domains/guest')
    berth.run('touch', '/run/berth/domains/guest/something')
    pid = unit('MainPID')
    restart()
    expect(unit('MainPID') != pid, 'it was not restarted')
    berth.run('stat', '/run/berth/domains/guest/something')
    berth.run('rm', '-r', '/run/berth/domains/guest')


def a_reload_reads_the_machine_again():
    pid = unit('MainPID')
    with open(in_tree('meminfo'), encoding='ascii') as file:
        before = file.read()
    with berth.reading('gdbus', 'monitor', '--system', '--dest', 'org.berth1',
                       '--object-path', f'/org/berth1/host/cells/{cell}') as monitor:
        # It says who owns the name once it listens.
        expect(any('is owned by' in line for line in monitor), 'nobody listens')
        # Written in place, as the kernel's file: berthd may keep it open.
        with open(in_tree('meminfo'), 'w', encoding='ascii') as file:
            for line in before.splitlines():
                if ' MemTotal:' in line:
                    line = f'Node {cell} MemTotal: 123456 kB'
                print(line, file=file)
        systemctl('reload', 'berthd.service')
        seen = any('PropertiesChanged' in line and str(123456 * 1024) in line for line in monitor)
    expect(seen, 'no signal')
    expect(unit('MainPID') == pid, 'it was restarted')
    with open(in_tree('meminfo'), 'w', encoding='ascii') as file:
        file.write(before)
    systemctl('reload', 'berthd.service')


def it_comes_back_after_a_crash():
    # These tests start it oftener than systemd allows in ten seconds.
    systemctl('reset-failed', 'berthd.service')
    pid = unit('MainPID')
    with berth.reading('gdbus', 'monitor', '--system', '--dest', 'org.berth1') as monitor:
        expect(any('is owned by' in line for line in monitor), 'nobody listens')
        systemctl('kill', '--signal=SEGV', 'berthd.service')
        # Before that, a call could still reach the one that dies.
        expect(any('does not have an owner' in line for line in monitor), 'it did not go')
    get_property('Version')     # by activation, if systemd has not restarted it yet
    expect(unit('MainPID') not in ('0', pid), 'it is not running')


def it_stops_cleanly():
    systemctl('stop', 'berthd.service')
    expect(unit('Result') == 'success', unit('Result'))
    expect(unit('ExecMainStatus') == '0', unit('ExecMainStatus'))
    systemctl('start', 'berthd.service')


def the_journal_has_no_error_of_ours():
    # That this machine contradicts itself would be its mistake, not ours.
    lines = [line for line in journal('--priority=warning', 'SYSLOG_IDENTIFIER=berthd')
             if line.get('MESSAGE_ID') != '9a229de2d2b24a6fbf79146e2954dfd3']
    expect(not lines, '\n'.join(str(line['MESSAGE']) for line in lines))
    # What systemd says about the crash above is well.
    lines = [line for line in journal('--priority=warning', 'UNIT=berthd.service')
             if 'status=11' not in line['MESSAGE'] and "result 'core-dump'" not in line['MESSAGE']
             and "result 'signal'" not in line['MESSAGE']]
    expect(not lines, '\n'.join(str(line['MESSAGE']) for line in lines))


def each_message_is_explained_in_the_catalog():
    berth.run('journalctl', '--update-catalog')
    ids = {line['MESSAGE_ID'] for line in journal('SYSLOG_IDENTIFIER=berthd') if 'MESSAGE_ID' in line}
    expect(len(ids) >= 2, f'only {ids}')
    for message_id in ids:
        text = berth.run('journalctl', '--dump-catalog', message_id).stdout
        expect('Defined-By: Berth' in text, message_id)


def a_setting_it_does_not_understand_is_reported():
    box.write(os.path.join(berth.root, 'etc/berth/berthd.conf'), '[Log]\nLevle=debug\n')
    systemctl('restart', 'berthd.service')
    found = get_property('Warnings')
    expect('config-invalid' in found and 'Levle' in found, found)
    lines = journal('MESSAGE_ID=c614d9daebb649df8e5e977e4efa4c48')
    expect(len(lines) == 1 and 'Levle' in lines[0]['MESSAGE'], lines)


TESTS = [
    it_runs_after_boot,
    systemd_finds_no_fault_in_the_unit,
    the_folders_are_there_and_belong_to_root,
    the_group_for_rules_is_there,
    the_manual_is_well_formed,
    a_call_starts_it_from_nothing,
    an_ordinary_user_reads,
    berthctl_shows_this_machine_to_an_ordinary_user,
    only_root_may_own_the_name,
    polkit_refuses_an_ordinary_user,
    root_changes_huge_pages,
    a_rule_lets_a_user_through,
    who_asked_for_pages_is_in_the_journal,
    it_has_two_capabilities_and_can_gain_none,
    a_guest_of_another_user_appears_and_goes,
    a_guest_of_another_user_is_pinned_and_scheduled,
    memory_of_another_user_s_guest_is_counted,
    live_pins_and_vcpus_survive_a_restart,
    what_is_defined_lies_in_the_state_folder_and_survives_a_restart,
    polkit_refuses_changes_of_guests,
    it_can_write_where_it_must_and_nowhere_else,
    it_sees_no_homes_no_devices_no_network,
    systemd_rates_the_sandbox_well,
    a_restart_keeps_what_guests_have_put_there,
    a_reload_reads_the_machine_again,
    it_comes_back_after_a_crash,
    it_stops_cleanly,
    the_journal_has_no_error_of_ours,
    each_message_is_explained_in_the_catalog,
    a_setting_it_does_not_understand_is_reported,
]


def main():
    global berth, cell
    failed = 0
    print(f'1..{len(TESTS)}')
    with box.Box(sys.argv[1]) as berth:
        cell = min(int(name[4:]) for name in os.listdir(berth.node_tree) if name.startswith('node'))
        cell = str(cell)
        for number, test in enumerate(TESTS, 1):
            try:
                test()
                print('ok', number, test.__name__)
            except Exception:
                failed += 1
                print('not ok', number, test.__name__)
                print('# ' + traceback.format_exc().strip().replace('\n', '\n# '))
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == '__main__':
    if os.getuid() != 0:
        sys.exit('unit.py: a container needs root')
    box.enter_namespace()
    sys.exit(main())
