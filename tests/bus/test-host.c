/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The host as clients see it: reading is free, what is live announces itself,
 * and bad input gets an error that says what is allowed. */

#include "harness.h"

#include <gio/gunixfdlist.h>

#include <signal.h>
#include <string.h>

#define TOPOLOGY "org.berth1.Host.Topology"
#define CELLS "org.berth1.Host.Cells"
#define CELL "org.berth1.Host.Cell"
#define MANAGER "org.berth1.Manager"
#define CELL_PATH HOST_PATH "/cells/"

static void ordinary_user_reads_everything(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(GDBusConnection) user = bus_connect(REFUSED_USER);
        static const struct { const char *path, *interface, *method, *type; } methods[] = {
                { ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "(a{oa{sa{sv}}})" },
                { ROOT_PATH, MANAGER, "GetCapabilitiesXml", "(s)" },
                { HOST_PATH, TOPOLOGY, "ListCpus", "(aa{sv})" },
                { HOST_PATH, TOPOLOGY, "ListCaches", "(aa{sv})" },
                { CELL_PATH "0", CELL, "GetFreeMemory", "(t)" },
                { CELL_PATH "0", CELL, "GetPages", "(a(ttt))" },
                { CELL_PATH "1", CELL, "GetMemoryStats", "(a{st})" },
                { CELL_PATH "1", CELL, "ListDevices", "(aa{sv})" },
                { CELL_PATH "1", CELL, "GetAccess", "(aa{sv})" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
                g_variant_unref(call(user, methods[i].path, methods[i].interface, methods[i].method, NULL, methods[i].type));
}

static void answers_are_those_of_the_files(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        static const struct { const char *path, *interface, *method, *arguments, *answer; } rows[] = {
                { HOST_PATH, CELLS, "GetFreeMemory", "(uint32 0, uint32 0)", "([(0, 1024000000), (1, 1024001024)],)" },
                { HOST_PATH, CELLS, "GetFreeMemory", "(uint32 1, uint32 9)", "([(1, 1024001024)],)" },
                { HOST_PATH, CELLS, "GetFreeMemory", "(uint32 0, uint32 1)", "([(0, 1024000000)],)" },
                { HOST_PATH, CELLS, "GetFreePages", "(uint32 1, uint32 1)", "([(1, 4096, 250000), (1, 2097152, 0)],)" },
                { CELL_PATH "1", CELL, "GetFreeMemory", NULL, "(1024001024,)" },
                { CELL_PATH "0", CELL, "GetPages", NULL, "([(4096, 1048576, 250000), (2097152, 0, 0)],)" },
                { CELL_PATH "0", CELL, "GetMemoryStats", NULL, "({'MemTotal': 4294967296, 'MemFree': 1024000000, 'MemUsed': 102400, 'numa_hit_pages': 11, 'numa_miss_pages': 0},)" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GVariant) arguments = rows[i].arguments ? g_variant_parse(NULL, rows[i].arguments, NULL, NULL, NULL) : NULL;
                g_autoptr(GVariant) answer = call(service->bus, rows[i].path, rows[i].interface, rows[i].method, arguments ? g_variant_ref(arguments) : NULL, NULL);
                g_autofree char *text = g_variant_print(answer, FALSE);

                g_assert_cmpstr(text, ==, rows[i].answer);
        }
}

/* Bad input: each row must be refused with this name and these words, and the
 * service must answer after it as before. */
static void bad_input_gets_named_errors(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autofree char *text = NULL;
        static const struct { const char *path, *interface, *method, *arguments, *name; const char *parts[4]; } rows[] = {
                { CELL_PATH "2", CELL, "GetFreeMemory", NULL, "org.freedesktop.DBus.Error.UnknownObject", { "/org/berth1/host/cells/2" } },
                { CELL_PATH "00", CELL, "GetFreeMemory", NULL, "org.freedesktop.DBus.Error.UnknownObject", {} },
                { HOST_PATH, CELL, "GetFreeMemory", NULL, "org.freedesktop.DBus.Error.UnknownMethod", { CELL } },
                { HOST_PATH, CELLS, "GetFreeLunch", NULL, "org.freedesktop.DBus.Error.UnknownMethod", {} },
                { HOST_PATH, CELLS, "GetFreeMemory", "('zero', uint32 0)", "org.freedesktop.DBus.Error.InvalidArgs", {} },
                { HOST_PATH, CELLS, "GetFreeMemory", "(uint32 0,)", "org.freedesktop.DBus.Error.InvalidArgs", {} },
                { HOST_PATH, CELLS, "GetFreeMemory", "(uint32 2, uint32 0)", "org.berth1.Error.NoSuchCell", { "2", "0-1" } },
                { HOST_PATH, CELLS, "GetFreePages", "(uint32 4294967295, uint32 4294967295)", "org.berth1.Error.NoSuchCell", { "4294967295", "0-1" } },
                { HOST_PATH, TOPOLOGY, "GetXml", "(['nestled'],)", "org.freedesktop.DBus.Error.InvalidArgs", { "nestled", "nested" } },
                { HOST_PATH, TOPOLOGY, "GetXml", "(['nested', 'nested'],)", "org.freedesktop.DBus.Error.InvalidArgs", { "nested", "twice" } },
                /* 63 letters, and one of two bytes that a cut at 64 would halve. */
                { HOST_PATH, TOPOLOGY, "GetXml", "(['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\u00e9'],)", "org.freedesktop.DBus.Error.InvalidArgs", { "xxx?", "nested" } },
                { HOST_PATH, TOPOLOGY, "GetXml", "([''],)", "org.freedesktop.DBus.Error.InvalidArgs", { "\"\"", "nested" } },
                { HOST_PATH, CELLS, "AllocPages", "(uint32 2, uint64 2097152, uint64 1, @as [])", "org.berth1.Error.NoSuchCell", { "2", "0-1" } },
                { HOST_PATH, CELLS, "AllocPages", "(uint32 0, uint64 4096, uint64 1, @as [])", "org.freedesktop.DBus.Error.InvalidArgs", { "4096", "2097152" } },
                { HOST_PATH, CELLS, "AllocPages", "(uint32 0, uint64 2097152, uint64 2049, @as [])", "org.freedesktop.DBus.Error.InvalidArgs", { "2048", "2049" } },
                { HOST_PATH, CELLS, "AllocPages", "(uint32 0, uint64 2097152, uint64 18446744073709551615, ['set'])", "org.freedesktop.DBus.Error.InvalidArgs", { "2048" } },
                { HOST_PATH, CELLS, "AllocPages", "(uint32 0, uint64 2097152, uint64 1, ['set', 'add'])", "org.freedesktop.DBus.Error.InvalidArgs", { "set", "add", "exclude" } },
                { HOST_PATH, CELLS, "AllocPages", "(uint32 0, uint64 2097152, uint64 1, ['live'])", "org.freedesktop.DBus.Error.InvalidArgs", { "live", "add, set, dry-run" } },
                { ROOT_PATH, "org.freedesktop.DBus.Properties", "Set", "('org.berth1.Manager', 'Version', <'9'>)", "org.freedesktop.DBus.Error.PropertyReadOnly", {} },
                { ROOT_PATH, MANAGER, "CanCall", "(objectpath '/org/berth1/hostel', 'a.b', 'C', @a{sv} {})", "org.freedesktop.DBus.Error.UnknownObject", { "/org/berth1/hostel" } },
                { ROOT_PATH, MANAGER, "CanCall", "(objectpath '/org/berth1/host', 'a.b', 'C', @a{sv} {})", "org.freedesktop.DBus.Error.UnknownInterface", { "a.b" } },
                { ROOT_PATH, MANAGER, "CanCall", "(objectpath '/org/berth1/host', 'org.berth1.Host.Cells', 'Get', @a{sv} {})", "org.freedesktop.DBus.Error.UnknownMethod", { "Get" } },
                { ROOT_PATH, MANAGER, "CanCall", "(objectpath '/org/berth1/host', 'org.berth1.Host.Cells', 'AllocPages', {'pages': <uint32 1>})", "org.freedesktop.DBus.Error.InvalidArgs", { "pages" } },
                { ROOT_PATH, MANAGER, "CanCall", "(objectpath '/org/berth1/host', 'org.berth1.Host.Cells', 'AllocPages', {'cell': <'one'>})", "org.freedesktop.DBus.Error.InvalidArgs", { "cell", "u", "s" } },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(GVariant) arguments = rows[i].arguments ? g_variant_parse(NULL, rows[i].arguments, NULL, NULL, NULL) : NULL;

                g_assert_true(!rows[i].arguments || arguments);
                call_refused(service->bus, rows[i].path, rows[i].interface, rows[i].method, arguments ? g_variant_ref(arguments) : NULL,
                             G_DBUS_CALL_FLAGS_NONE, rows[i].name, rows[i].parts);
        }
        g_variant_unref(call(service->bus, HOST_PATH, TOPOLOGY, "ListCpus", NULL, "(aa{sv})"));
        text = host_read(service->root, "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages");
        g_assert_cmpstr(text, ==, "0");
}

static void ten_megabytes_of_flag_are_refused_shortly(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autofree char *word = g_strnfill(10 * 1024 * 1024, 'x');
        const char *words[] = { word, NULL };
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;

        reply = g_dbus_connection_call_sync(service->bus, BUS_NAME, HOST_PATH, TOPOLOGY, "GetXml", g_variant_new("(^as)", words), NULL, G_DBUS_CALL_FLAGS_NONE, 60000, NULL, &error);
        g_assert_null(reply);
        g_assert_error(error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS);
        g_assert_cmpuint(strlen(error->message), <, 400);
        g_variant_unref(call(service->bus, HOST_PATH, TOPOLOGY, "ListCpus", NULL, "(aa{sv})"));
}

/* Sends a call with copies of a descriptor; the bus itself shall refuse it. */
static void refused_by_the_bus(const Service *service, const char *path, const char *interface, const char *method, int n_fds) {
        g_autoptr(GUnixFDList) list = g_unix_fd_list_new();
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GError) error = NULL;

        for (int i = 0; i < n_fds; i++) {
                g_unix_fd_list_append(list, 0, &error);
                g_assert_no_error(error);
        }
        reply = g_dbus_connection_call_with_unix_fd_list_sync(service->bus, BUS_NAME, path, interface, method, NULL, NULL, G_DBUS_CALL_FLAGS_NONE, 60000, list, NULL, NULL, &error);
        g_assert_null(reply);
        g_assert_error(error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED);
}

static void descriptors_are_for_calls_that_need_some(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);

        refused_by_the_bus(service, HOST_PATH, TOPOLOGY, "ListCpus", 1);
        refused_by_the_bus(service, ROOT_PATH, "org.berth1.Manager", "RegisterDomain", 4);
        g_variant_unref(call(service->bus, HOST_PATH, TOPOLOGY, "ListCpus", NULL, "(aa{sv})"));
}

static void cpu_that_goes_is_one_signal_on_each_object(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GVariant) generation = get_property(service->bus, HOST_PATH, TOPOLOGY, "Generation");
        const char *text;

        host_set_online(service->root, 3);
        service_signal(service, SIGHUP);
        text = signals_wait(signals, HOST_PATH " org.freedesktop.DBus.Properties.PropertiesChanged ('" TOPOLOGY "'");
        assert_says(text, PARTS("'OnlineCpus': <'0-2'>", "'Threads': <uint32 3>", "'Cores': <uint32 3>", "'Generation': <uint64 2>"));
        g_assert_null(strstr(text, "Sockets"));
        g_assert_null(strstr(text, "PresentCpus"));
        text = signals_wait(signals, CELL_PATH "1 org.freedesktop.DBus.Properties.PropertiesChanged");
        assert_says(text, PARTS("{'Cpus': <'2'>}"));
        /* One of each, and none of the cell that stayed as it was. */
        g_assert_cmpuint(signals_count(signals, "PropertiesChanged"), ==, 2);
        g_assert_cmpuint(g_variant_get_uint64(generation), ==, 1);
}

static void cell_that_goes_and_comes_is_an_object(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        const char *text;

        host_set_online(service->root, 2);
        host_write(service->root, "sys/devices/system/node/online", "0\n");
        host_write(service->root, "sys/devices/system/node/node0/distance", "10\n");
        service_signal(service, SIGHUP);
        text = signals_wait(signals, "InterfacesRemoved");
        assert_says(text, PARTS("'" CELL_PATH "1'", "'" CELL "'"));
        call_refused(service->bus, CELL_PATH "1", CELL, "GetFreeMemory", NULL, G_DBUS_CALL_FLAGS_NONE, "org.freedesktop.DBus.Error.UnknownObject", NULL);

        host_set_online(service->root, 4);
        host_write(service->root, "sys/devices/system/node/online", "0-1\n");
        host_write(service->root, "sys/devices/system/node/node0/distance", "10 21\n");
        service_signal(service, SIGHUP);
        text = signals_wait(signals, "InterfacesAdded");
        assert_says(text, PARTS("'" CELL_PATH "1'", "'" CELL "'", "'Cpus': <'2-3'>", "'Distances': <{uint32 0: uint32 21, 1: 10}>"));
        signals_wait(signals, "('" CELLS "', {'Count': <uint32 1>}");
        signals_wait(signals, "('" CELLS "', {'Count': <uint32 2>}");
        g_assert_cmpuint(signals_count(signals, "InterfacesAdded"), ==, 1);
        g_assert_cmpuint(signals_count(signals, "InterfacesRemoved"), ==, 1);
}

static void host_that_stays_is_no_signal(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);

        /* Readings come in order: when the second one's signal is here, the first
         * one's would be. */
        service_signal(service, SIGHUP);
        g_variant_unref(call(service->bus, HOST_PATH, TOPOLOGY, "ListCpus", NULL, "(aa{sv})"));
        host_set_online(service->root, 3);
        service_signal(service, SIGHUP);
        signals_wait(signals, "'OnlineCpus': <'0-2'>");
        g_assert_cmpuint(signals_count(signals, "'" TOPOLOGY "'"), ==, 1);
}

static void flapping_ends_in_the_last_state(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GVariant) generation = NULL, online = NULL;

        for (unsigned i = 0; i < 1000; i++) {
                host_set_online(service->root, 3 + i % 2);
                service_signal(service, SIGHUP);
        }
        host_set_online(service->root, 2);
        host_remove(service->root, "sys/devices/system/cpu/possible");
        service_signal(service, SIGHUP);
        signals_wait(signals, "'PossibleCpus': <''>");
        online = get_property(service->bus, HOST_PATH, TOPOLOGY, "OnlineCpus");
        g_assert_cmpstr(g_variant_get_string(online, NULL), ==, "0-1");
        generation = get_property(service->bus, HOST_PATH, TOPOLOGY, "Generation");
        g_assert_cmpuint(g_variant_get_uint64(generation), <, 500);
}

static void settings_that_make_no_sense_are_warnings(void) {
        g_autoptr(Service) service = service_start(NULL, host_make(), NULL);
        g_autoptr(Signals) signals = signals_record(service->bus);
        g_autoptr(GVariant) before = get_property(service->bus, ROOT_PATH, MANAGER, "Warnings");
        const char *text;

        g_assert_cmpuint(g_variant_n_children(before), ==, 0);
        host_write(service->folder, "berthd.conf", "[Host]\nCoalesceMSec=soon\n");
        service_signal(service, SIGHUP);
        text = signals_wait(signals, ROOT_PATH " org.freedesktop.DBus.Properties.PropertiesChanged ('" MANAGER "'");
        assert_says(text, PARTS("config-invalid", "berthd.conf:2", "soon", "1 to 10000"));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/host/ordinary-user-reads-everything", ordinary_user_reads_everything);
        g_test_add_func("/host/answers-are-those-of-the-files", answers_are_those_of_the_files);
        g_test_add_func("/host/bad-input-gets-named-errors", bad_input_gets_named_errors);
        g_test_add_func("/host/ten-megabytes-of-flag-are-refused-shortly", ten_megabytes_of_flag_are_refused_shortly);
        g_test_add_func("/host/descriptors-are-for-calls-that-need-some", descriptors_are_for_calls_that_need_some);
        g_test_add_func("/host/cpu-that-goes-is-one-signal-on-each-object", cpu_that_goes_is_one_signal_on_each_object);
        g_test_add_func("/host/cell-that-goes-and-comes-is-an-object", cell_that_goes_and_comes_is_an_object);
        g_test_add_func("/host/host-that-stays-is-no-signal", host_that_stays_is_no_signal);
        g_test_add_func("/host/flapping-ends-in-the-last-state", flapping_ends_in_the_last_state);
        g_test_add_func("/host/settings-that-make-no-sense-are-warnings", settings_that_make_no_sense_are_warnings);
        return g_test_run();
}
