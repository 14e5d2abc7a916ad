/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>

#include "peer.h"

typedef enum AnswerKind {
        ANSWER_VALUE,
        ANSWER_ERROR,
        ANSWER_NEVER,
        ANSWER_LEAVING,
        ANSWER_HELD,
} AnswerKind;

typedef struct Answer {
        AnswerKind kind;
        GVariant *value;
        char *name, *message;
} Answer;

struct Peer {
        GSubprocess *bus;
        char *address;
        GDBusConnection *connection;
        guint filter;
        GMutex lock;         /* over the answers: they are read in GDBus's thread */
        GHashTable *answers; /* member, or interface and member with a dot between, to Answer */
        GDBusMessage *held;  /* the call that is not yet answered */
        GAsyncQueue *calls;
};

/* A machine of two sockets, each a cell of two cores with two threads. */
static const char small_objects[] =
        "({'/org/berth1': {'org.berth1.Manager': {'Version': <'0.1.0'>, 'Backends': <['qemu']>, 'Warnings': <@aa{sv} []>}},"
        "  '/org/berth1/host': {'org.berth1.Host.Topology': {'Arch': <'x86_64'>, 'Vendor': <'Intel'>,"
        "      'Model': <'Intel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz'>, 'Generation': <uint64 3>,"
        "      'Warnings': <@aa{sv} []>, 'Sockets': <uint32 2>, 'Dies': <uint32 2>, 'Cores': <uint32 4>,"
        "      'Threads': <uint32 8>, 'PossibleCpus': <'0-7'>, 'PresentCpus': <'0-7'>, 'OnlineCpus': <'0-7'>,"
        "      'IsolatedCpus': <''>, 'SmtActive': <true>},"
        "    'org.berth1.Host.Power': {'CanSuspendMem': <'yes'>, 'CanSuspendIdle': <'blocked'>, 'CanSuspendDisk': <'no'>},"
        "    'org.berth1.Host.Cells': {'Count': <uint32 2>}},"
        "  '/org/berth1/host/cells/1': {'org.berth1.Host.Cell': {'Id': <uint32 1>, 'Cpus': <'2-3,6-7'>,"
        "      'Memory': <uint64 34359738368>, 'CacheSize': <uint64 14417920>,"
        "      'Distances': <{uint32 0: uint32 21, 1: 10}>,"
        "      'PageSizes': <[uint64 4096, 2097152, 1073741824]>, 'Sockets': <[uint32 1]>}},"
        "  '/org/berth1/host/cells/0': {'org.berth1.Host.Cell': {'Id': <uint32 0>, 'Cpus': <'0-1,4-5'>,"
        "      'Memory': <uint64 34359738368>, 'CacheSize': <uint64 14417920>,"
        "      'Distances': <{uint32 0: uint32 10, 1: 21}>,"
        "      'PageSizes': <[uint64 4096, 2097152, 1073741824]>, 'Sockets': <[uint32 0]>}}},)";

static const char small_topology[] =
        "({'Arch': <'x86_64'>, 'Vendor': <'Intel'>, 'Model': <'Intel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz'>,"
        "  'Generation': <uint64 3>, 'Warnings': <@aa{sv} []>, 'Sockets': <uint32 2>, 'Dies': <uint32 2>,"
        "  'Cores': <uint32 4>, 'Threads': <uint32 8>, 'PossibleCpus': <'0-7'>, 'PresentCpus': <'0-7'>,"
        "  'OnlineCpus': <'0-7'>, 'IsolatedCpus': <''>, 'SmtActive': <true>},)";

/* What GDBus has no type of its own for is a row of the table. */
static char *small_cpus(void) {
        GString *text = g_string_new("([");

        for (unsigned i = 0; i < 8; i++)
                g_string_append_printf(text,
                                       "%s{'id': <uint32 %u>, 'online': <true>, 'cell': <uint32 %u>, 'socket': <uint32 %u>,"
                                       " 'core': <uint32 %u>, 'siblings': <'%u,%u'>, 'max_khz': <uint32 3000000>}",
                                       i > 0 ? "," : "", i, i / 2 % 2, i / 2 % 2, i % 2, i % 4, i % 4 + 4);
        g_string_append(text, "],)");
        return g_string_free(text, FALSE);
}

static char *small_caches(void) {
        static const struct {
                unsigned level;
                const char *type;
                unsigned kib;
        } kinds[] = { { 1, "data", 32 }, { 1, "instruction", 32 }, { 2, "unified", 1024 } };
        GString *text = g_string_new("([");

        for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
                for (unsigned i = 0; i < 4; i++)
                        g_string_append_printf(text,
                                               "{'level': <uint32 %u>, 'type': <'%s'>, 'size': <uint64 %u>,"
                                               " 'cpus': <'%u,%u'>, 'id': <uint32 %u>, 'cell': <uint32 %u>},",
                                               kinds[k].level, kinds[k].type, kinds[k].kib * 1024, i, i + 4, i, i / 2);
        g_string_append(text,
                        "{'level': <uint32 3>, 'type': <'unified'>, 'size': <uint64 14417920>, 'cpus': <'0-1,4-5'>,"
                        " 'id': <uint32 0>, 'cell': <uint32 0>},"
                        "{'level': <uint32 3>, 'type': <'unified'>, 'size': <uint64 14417920>, 'cpus': <'2-3,6-7'>,"
                        " 'id': <uint32 1>, 'cell': <uint32 1>}],)");
        return g_string_free(text, FALSE);
}

static void answer_free(gpointer data) {
        Answer *a = data;

        g_clear_pointer(&a->value, g_variant_unref);
        g_free(a->name);
        g_free(a->message);
        g_free(a);
}

void peer_call_free(PeerCall *call) {
        g_free(call->path);
        g_free(call->interface);
        g_free(call->member);
        g_free(call->arguments);
        g_clear_object(&call->fds);
        g_free(call);
}

/* For a method with this first argument; of this interface, or the properties of that; else for the member. */
static const Answer *answer_find(Peer *peer, GDBusMessage *message) {
        const char *interface = g_dbus_message_get_interface(message), *member = g_dbus_message_get_member(message);
        GVariant *body = g_dbus_message_get_body(message);
        g_autofree char *of = NULL, *full = NULL, *first = NULL, *with_first = NULL;
        const Answer *a;

        if (g_strcmp0(interface, "org.freedesktop.DBus.Properties") == 0 && body)
                g_variant_get_child(body, 0, "s", &of);
        else if (body && g_str_has_prefix(g_variant_get_type_string(body), "(s"))
                g_variant_get_child(body, 0, "s", &first);
        with_first = g_strdup_printf("%s %s", member, first ?: "");
        a = g_hash_table_lookup(peer->answers, with_first);
        if (a)
                return a;
        full = g_strdup_printf("%s.%s", of ?: interface, member);
        a = g_hash_table_lookup(peer->answers, full);
        return a ?: g_hash_table_lookup(peer->answers, member);
}

/* In GDBus's thread: takes each call that comes, and lets all else pass. */
static GDBusMessage *on_message(GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer data) {
        g_autoptr(GDBusMessage) reply = NULL;
        Peer *peer = data;

        if (!incoming || g_dbus_message_get_message_type(message) != G_DBUS_MESSAGE_TYPE_METHOD_CALL)
                return message;

        GVariant *body = g_dbus_message_get_body(message);
        PeerCall *call = g_new0(PeerCall, 1);
        const char *member = g_dbus_message_get_member(message);
        call->path = g_strdup(g_dbus_message_get_path(message));
        call->interface = g_strdup(g_dbus_message_get_interface(message));
        call->member = g_strdup(member);
        call->arguments = body ? g_variant_print(body, TRUE) : g_strdup("()");
        g_set_object(&call->fds, g_dbus_message_get_unix_fd_list(message));
        call->interactive = (g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;

        g_mutex_lock(&peer->lock);
        const Answer *a = answer_find(peer, message);
        if (!a)
                reply = g_dbus_message_new_method_error(message, "org.freedesktop.DBus.Error.UnknownMethod",
                                                        "There is no method %s here", member);
        else if (a->kind == ANSWER_VALUE) {
                reply = g_dbus_message_new_method_reply(message);
                g_dbus_message_set_body(reply, a->value);
        } else if (a->kind == ANSWER_ERROR)
                reply = g_dbus_message_new_method_error_literal(message, a->name, a->message);
        else if (a->kind == ANSWER_LEAVING)
                g_dbus_connection_close(connection, NULL, NULL, NULL);
        else if (a->kind == ANSWER_HELD)
                g_set_object(&peer->held, message);
        g_mutex_unlock(&peer->lock);

        if (reply)
                g_dbus_connection_send_message(connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
        g_async_queue_push(peer->calls, call);
        g_object_unref(message);
        return NULL;
}

static void answer_set(Peer *peer, const char *member, Answer *answer) {
        g_mutex_lock(&peer->lock);
        g_hash_table_replace(peer->answers, g_strdup(member), answer);
        g_mutex_unlock(&peer->lock);
}

void peer_answer(Peer *peer, const char *member, const char *type, const char *text) {
        g_autoptr(GError) error = NULL;
        Answer *a = g_new0(Answer, 1);

        a->kind = ANSWER_VALUE;
        a->value = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);
        g_assert_no_error(error);
        answer_set(peer, member, a);
}

void peer_answer_error(Peer *peer, const char *member, const char *name, const char *message) {
        Answer *a = g_new0(Answer, 1);

        a->kind = ANSWER_ERROR;
        a->name = g_strdup(name);
        a->message = g_strdup(message);
        answer_set(peer, member, a);
}

void peer_answer_never(Peer *peer, const char *member) {
        Answer *a = g_new0(Answer, 1);

        a->kind = ANSWER_NEVER;
        answer_set(peer, member, a);
}

void peer_answer_held(Peer *peer, const char *member) {
        Answer *a = g_new0(Answer, 1);

        a->kind = ANSWER_HELD;
        answer_set(peer, member, a);
}

void peer_release(Peer *peer, const char *type, const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GDBusMessage) call = NULL, reply = NULL;

        g_mutex_lock(&peer->lock);
        call = g_steal_pointer(&peer->held);
        g_mutex_unlock(&peer->lock);
        g_assert_nonnull(call);
        reply = g_dbus_message_new_method_reply(call);
        GVariant *body = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);
        g_assert_no_error(error);
        g_dbus_message_set_body(reply, body);
        g_variant_unref(body);
        g_dbus_connection_send_message(peer->connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, &error);
        g_assert_no_error(error);
}

void peer_answer_leaving(Peer *peer, const char *member) {
        Answer *a = g_new0(Answer, 1);

        a->kind = ANSWER_LEAVING;
        answer_set(peer, member, a);
}

static void host_small(Peer *peer) {
        g_autofree char *cpus = small_cpus(), *caches = small_caches();

        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", small_objects);
        peer_answer(peer, "GetAll", "(a{sv})", small_topology);
        peer_answer(peer, "ListCpus", "(aa{sv})", cpus);
        peer_answer(peer, "ListCaches", "(aa{sv})", caches);
        peer_answer(peer, "GetFreeMemory", "(a(ut))", "([(0, 16643162112), (1, 34359738368)],)");
        peer_answer(peer, "GetFreePages", "(a(utt))",
                    "([(0, 4096, 4063272), (0, 2097152, 512), (0, 1073741824, 0),"
                    "  (1, 4096, 8388608), (1, 2097152, 0), (1, 1073741824, 0)],)");
        peer_answer(peer, "GetPages", "(a(ttt))",
                    "([(4096, 7864320, 4063272), (2097152, 1024, 512), (1073741824, 0, 0)],)");
        peer_answer(peer, "GetMemoryStats", "(a{st})",
                    "({'MemTotal': 34359738368, 'AnonPages': 8589934592, 'FilePages': 2147483648, 'Slab': 536870912},)");
        peer_answer(peer, "ListDevices", "(aa{sv})",
                    "([{'address': <'0000:00:1f.2'>, 'class': <'010601'>, 'driver': <'ahci'>, 'name': <'SATA controller'>},"
                    "  {'address': <'0000:01:00.0'>, 'class': <'020000'>}],)");
        peer_answer(peer, "GetAccess", "(aa{sv})",
                    "([{'initiator': <uint32 0>, 'class': <uint32 0>, 'read_latency_ns': <uint32 80>,"
                    "   'read_bandwidth_mbs': <uint32 100000>, 'write_latency_ns': <uint32 90>}],)");
        peer_answer(peer, "GetXml", "(s)", "('<topology/>',)");
        peer_answer(peer, "GetCapabilitiesXml", "(s)", "('<capabilities>\\n  <host/>\\n</capabilities>\\n',)");
        peer_answer(peer, "AllocPages", "(t)", "(1024,)");
}

/* The bus ends with the test, however that ends. */
static void on_bus_child(gpointer data) {
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static void bus_start(Peer *peer) {
        g_autoptr(GSubprocessLauncher) launcher =
                g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
        g_autoptr(GDataInputStream) output = NULL;
        g_autoptr(GError) error = NULL;

        g_subprocess_launcher_set_child_setup(launcher, on_bus_child, NULL, NULL);
        peer->bus = g_subprocess_launcher_spawn(launcher, &error, "dbus-daemon", "--session", "--nofork",
                                                "--nopidfile", "--print-address", NULL);
        g_assert_no_error(error);
        output = g_data_input_stream_new(g_subprocess_get_stdout_pipe(peer->bus));
        peer->address = g_data_input_stream_read_line(output, NULL, NULL, &error);
        g_assert_no_error(error);
        g_assert_nonnull(peer->address);
}

Peer *peer_new(void) {
        g_autoptr(GError) error = NULL;
        Peer *peer = g_new0(Peer, 1);

        bus_start(peer);
        g_mutex_init(&peer->lock);
        peer->answers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, answer_free);
        peer->calls = g_async_queue_new();
        peer->connection = g_dbus_connection_new_for_address_sync(
                peer_address(peer),
                G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                NULL, NULL, &error);
        g_assert_no_error(error);
        g_dbus_connection_set_exit_on_close(peer->connection, FALSE);
        host_small(peer);
        peer->filter = g_dbus_connection_add_filter(peer->connection, on_message, peer, NULL);
        peer_own(peer);
        return peer;
}

void peer_free(Peer *peer) {
        g_dbus_connection_remove_filter(peer->connection, peer->filter);
        if (!g_dbus_connection_is_closed(peer->connection))
                g_dbus_connection_close_sync(peer->connection, NULL, NULL);
        g_object_unref(peer->connection);
        peer_stop_bus(peer);
        g_object_unref(peer->bus);
        g_free(peer->address);
        peer_forget_calls(peer);
        g_async_queue_unref(peer->calls);
        g_hash_table_unref(peer->answers);
        g_clear_object(&peer->held);
        g_mutex_clear(&peer->lock);
        g_free(peer);
}

void peer_stop_bus(Peer *peer) {
        g_subprocess_send_signal(peer->bus, SIGTERM);
        g_assert_true(g_subprocess_wait(peer->bus, NULL, NULL));
}

const char *peer_address(const Peer *peer) {
        return peer->address;
}

GDBusConnection *peer_connection(const Peer *peer) {
        return peer->connection;
}

static void name_call(Peer *peer, const char *member, GVariant *arguments) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply = NULL;

        reply = g_dbus_connection_call_sync(peer->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                            "org.freedesktop.DBus", member, arguments, G_VARIANT_TYPE("(u)"),
                                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
        g_assert_no_error(error);
}

void peer_own(Peer *peer) {
        name_call(peer, "RequestName", g_variant_new("(su)", "org.berth1", 0));
}

void peer_disown(Peer *peer) {
        name_call(peer, "ReleaseName", g_variant_new("(s)", "org.berth1"));
}

PeerCall *peer_wait_call(Peer *peer) {
        return g_async_queue_pop(peer->calls);
}

int peer_calls_left(Peer *peer) {
        return g_async_queue_length(peer->calls);
}

void peer_forget_calls(Peer *peer) {
        for (PeerCall *call; (call = g_async_queue_try_pop(peer->calls));)
                peer_call_free(call);
}

void peer_emit(Peer *peer, const char *path, const char *interface, const char *member, const char *type,
               const char *text) {
        g_autoptr(GError) error = NULL;
        GVariant *body = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);

        g_assert_no_error(error);
        g_dbus_connection_emit_signal(peer->connection, NULL, path, interface, member, body, &error);
        g_variant_unref(body);
        g_assert_no_error(error);
}

/* A guest */

void peer_guest_is(Peer *peer, const char *state, unsigned pid) {
        g_autofree char *text = g_strdup_printf(
                "({'Name': <'db'>, 'State': <'%s'>, 'Pid': <uint32 %u>, 'Features': <['plug', 'config']>,"
                "  'Warnings': <@aa{sv} []>},)", state, pid);

        peer_answer(peer, "org.berth1.Domain.GetAll", "(a{sv})", text);
}

/* A guest "db" with the vCPUs 0 to 3, of which 0 and 1 are there, on two cells. */
void peer_guest_db(Peer *peer) {
        static const char *const pins[] = { "Pin", "PinAll", "PinEmulator", "PinIothread", "SetScheduler" };

        peer_guest_is(peer, "running", 4711);
        peer_answer(peer, "GetDomain", "(o)", "('" PEER_DB "',)");
        peer_answer(peer, "GetManagedObjects", "(a{oa{sa{sv}}})", "({'" PEER_DB "': {'org.berth1.Domain': {'Name': <'db'>}}},)");
        peer_answer(peer, "ListVcpus", "(aa{sv})",
                    "([{'id': <uint32 0>, 'state': <'enabled'>, 'cell': <uint32 0>, 'guest_online': <true>},"
                    "  {'id': <uint32 1>, 'state': <'enabled'>, 'cell': <uint32 0>, 'guest_online': <false>},"
                    "  {'id': <uint32 2>, 'state': <'disabled'>, 'cell': <uint32 1>},"
                    "  {'id': <uint32 3>, 'state': <'disabled'>, 'cell': <uint32 1>}],)");
        for (size_t i = 0; i < G_N_ELEMENTS(pins); i++)
                peer_answer(peer, pins[i], "()", "()");
        peer_answer(peer, "UndefineDomain", "()", "()");
        peer_answer(peer, "UnregisterDomain", "()", "()");
        peer_answer(peer, "DefineDomain", "(o)", "('" PEER_DB "',)");
        peer_answer(peer, "RegisterDomain", "(o)", "('" PEER_DB "',)");
}

/* Sleep */

void peer_wake_alarm_is(Peer *peer, guint64 usec) {
        g_autofree char *text = g_strdup_printf(
                "({'CanSuspendMem': <'yes'>, 'CanSuspendIdle': <'blocked'>, 'CanSuspendDisk': <'no'>,"
                "  'CanSuspendHybrid': <'no'>, 'CanSuspendThenDisk': <'no'>, 'WakeAlarm': <uint64 %" G_GUINT64_FORMAT ">,"
                "  'PreparingForSleep': <false>},)", usec);

        peer_answer(peer, "org.berth1.Host.Power.GetAll", "(a{sv})", text);
}

#define NO_SWAP                                                                                             \
        "{'code': <'no-swap'>, 'severity': <'blocks'>, 'subject': <'/proc/swaps'>,"                         \
        " 'message': <'there is no swap to write the image to: it needs 3.1 GiB'>,"                         \
        " 'remedy': <'make a swap partition or a swap file on a disk (mkswap, swapon), name it in "         \
        "/etc/fstab, and its device as resume= on the command line of the kernel'>}"
#define NO_ALARM                                                                                            \
        "{'code': <'no-alarm'>, 'severity': <'warns'>, 'subject': <''>,"                                    \
        " 'message': <'the clock of this host has no alarm: it cannot be woken at a time'>, 'remedy': <'wake it over the network'>}"
#define INHIBITED                                                                                           \
        "{'code': <'inhibited'>, 'severity': <'blocks'>, 'subject': <'apt'>,"                               \
        " 'message': <'apt (process 977, user 0) holds up sleep: packages are being installed'>,"           \
        " 'remedy': <'wait until it is done'>}"

void peer_power(Peer *peer) {
        static const char *const disks[] = { "Check suspend_disk", "Check suspend_hybrid", "Check suspend_then_disk" };

        peer_wake_alarm_is(peer, 0);
        peer_answer(peer, "Check suspend", "(saa{sv})", "('yes', [" NO_ALARM "])");
        peer_answer(peer, "Check suspend_mem", "(saa{sv})", "('challenge', [" NO_ALARM "])");
        peer_answer(peer, "Check suspend_idle", "(saa{sv})", "('no', [" INHIBITED ", " NO_ALARM "])");
        for (size_t i = 0; i < G_N_ELEMENTS(disks); i++)
                peer_answer(peer, disks[i], "(saa{sv})", "('no', [" NO_SWAP ", " NO_ALARM "])");
        peer_answer_error(peer, "Check", "org.freedesktop.DBus.Error.InvalidArgs", "\"nap\" is no target; there are suspend and others");
        peer_answer(peer, "ListInhibitors", "(aa{sv})",
                    "([{'what': <'sleep'>, 'who': <'NetworkManager'>, 'why': <'it turns off networks'>, 'mode': <'delay'>,"
                    "   'uid': <uint32 0>, 'pid': <uint32 812>},"
                    "  {'what': <'sleep:shutdown'>, 'who': <'apt'>, 'why': <'packages are being installed'>,"
                    "   'mode': <'block'>, 'uid': <uint32 1000>, 'pid': <uint32 977>}],)");
        peer_answer(peer, "ListWakeSources", "(aa{sv})",
                    "([{'device': <'pnp0/00:04/rtc/rtc0'>, 'kind': <'rtc'>, 'enabled': <false>},"
                    "  {'device': <'pci0000:00/0000:00:03.0'>, 'kind': <'network'>, 'enabled': <true>, 'mac': <'52:54:00:12:34:56'>},"
                    "  {'device': <'pci0000:00/0000:00:04.0'>, 'kind': <'network'>, 'enabled': <false>, 'mac': <'52:54:00:12:34:57'>}],)");
        peer_answer(peer, "SetWakeAlarm", "()", "()");
        peer_answer(peer, "ClearWakeAlarm", "()", "()");
}

/* The last call that was made, and all before it that only read. */
PeerCall *peer_last_call(Peer *peer) {
        PeerCall *call = peer_wait_call(peer);

        while (peer_calls_left(peer) > 0) {
                g_assert_false(call->interactive);
                peer_call_free(call);
                call = peer_wait_call(peer);
        }
        return call;
}

void peer_assert_change(Peer *peer, const char *path, const char *interface, const char *member,
                             const char *arguments) {
        g_autoptr(PeerCall) call = peer_last_call(peer);

        g_assert_cmpstr(call->member, ==, member);
        g_assert_cmpstr(call->arguments, ==, arguments);
        g_assert_cmpstr(call->path, ==, path);
        g_assert_cmpstr(call->interface, ==, interface);
        g_assert_true(call->interactive);
}

/* Running berthctl */

void run_clear(Run *run) {
        g_clear_pointer(&run->out, g_free);
        g_clear_pointer(&run->err, g_free);
}

GSubprocessLauncher *berthctl_launcher(GSubprocessFlags flags) {
        static const char *const unset[] = { "COLUMNS", "LINES", "NO_COLOR", "LANG", "LC_CTYPE", "DBUS_SYSTEM_BUS_ADDRESS" };
        GSubprocessLauncher *launcher = g_subprocess_launcher_new(flags);

        for (size_t i = 0; i < G_N_ELEMENTS(unset); i++)
                g_subprocess_launcher_unsetenv(launcher, unset[i]);
        g_subprocess_launcher_setenv(launcher, "LC_ALL", "C.UTF-8", TRUE);
        g_subprocess_launcher_setenv(launcher, "TERM", "xterm", TRUE);
        g_subprocess_launcher_setenv(launcher, "TZ", "UTC", TRUE);
        return launcher;
}

GPtrArray *berthctl_argv(const Peer *peer, const char *const *words) {
        GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);

        g_ptr_array_add(argv, g_strdup(g_getenv("BERTHCTL")));
        if (peer)
                g_ptr_array_add(argv, g_strdup_printf("--address=%s", peer_address(peer)));
        for (; *words; words++)
                g_ptr_array_add(argv, g_strdup(*words));
        g_ptr_array_add(argv, NULL);
        return argv;
}

void terminal_make(unsigned columns, unsigned rows, int *ret_terminal, int *ret_end) {
        struct winsize size = { .ws_col = columns, .ws_row = rows };
        struct termios settings;

        *ret_terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        g_assert_cmpint(*ret_terminal, >=, 0);
        g_assert_cmpint(grantpt(*ret_terminal), ==, 0);
        g_assert_cmpint(unlockpt(*ret_terminal), ==, 0);
        g_assert_cmpint(ioctl(*ret_terminal, TIOCSWINSZ, &size), ==, 0);
        *ret_end = open(ptsname(*ret_terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
        g_assert_cmpint(*ret_end, >=, 0);
        g_assert_cmpint(tcgetattr(*ret_end, &settings), ==, 0);
        cfmakeraw(&settings);
        g_assert_cmpint(tcsetattr(*ret_end, TCSANOW, &settings), ==, 0);
}

Run run_berthctl(const Peer *peer, const char *const *words) {
        g_autoptr(GSubprocessLauncher) launcher =
                berthctl_launcher(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
        g_autoptr(GPtrArray) argv = berthctl_argv(peer, words);
        g_autoptr(GSubprocess) process = NULL;
        g_autoptr(GError) error = NULL;
        Run run = {};

        process = g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);
        g_subprocess_communicate_utf8(process, NULL, NULL, &run.out, &run.err, &error);
        g_assert_no_error(error);
        run.status = g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process)
                                                         : -g_subprocess_get_term_sig(process);
        return run;
}
