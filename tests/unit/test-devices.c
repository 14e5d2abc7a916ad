/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The PCI devices of a cell. Names come from the hardware database of whoever
 * runs the test, so that only their absence is compared. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "fixture.h"
#include "host/devices.h"

#define BUS "sys/bus/pci/devices"

/* As sysfs has it: the bus has links to the devices' folders. */
static void add_device(const Tree *tree, const char *address, const char *cell, const char *class, const char *driver) {
        g_autofree char *folder = g_strdup_printf("sys/devices/pci0000:00/%s", address);
        g_autofree char *link = g_strdup_printf(BUS "/%s", address);
        g_autofree char *target = g_strdup_printf("../../../devices/pci0000:00/%s", address);

        tree_folder(tree, folder);
        tree_link(tree, link, target);
        if (cell)
                tree_writef(tree, cell, "%s/numa_node", folder);
        if (class)
                tree_writef(tree, class, "%s/class", folder);
        if (driver) {
                g_autofree char *path = g_strdup_printf("%s/driver", folder);

                tree_link(tree, path, driver);
        }
}

static void assert_devices(Fixture *fixture, unsigned cell, const char *wanted) {
        g_autoptr(GString) text = g_string_new(NULL);
        PciDevice *devices;
        size_t n;

        g_assert_cmpint(devices_list(host_find_cell(fixture->host, cell), &devices, &n), ==, 0);
        for (size_t i = 0; i < n; i++)
                g_string_append_printf(text, "%s%s %s %s", i > 0 ? ", " : "", devices[i].address,
                                       devices[i].class ?: "-", devices[i].driver ?: "-");
        g_assert_null(devices_free(devices, n));
        g_assert_cmpstr(text->str, ==, wanted);
}

static void devices_are_of_their_cell(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);

        add_device(fixture->tree, "0000:80:00.0", "1\n", "0x020000\n", "../../../bus/pci/drivers/ixgbe");
        add_device(fixture->tree, "0000:00:1f.2", "0\n", "0x010601\n", "../../../bus/pci/drivers/ahci");
        add_device(fixture->tree, "0000:00:02.0", "0\n", "0x030000\n", NULL);
        add_device(fixture->tree, "10000:e1:00.0", "1\n", "0x010802\n", "nvme");
        add_device(fixture->tree, "0000:00:03.0", "-1\n", "0x030000\n", NULL);
        add_device(fixture->tree, "0000:00:04.0", NULL, "0x030000\n", NULL);
        assert_devices(fixture, 0, "0000:00:02.0 030000 -, 0000:00:1f.2 010601 ahci");
        assert_devices(fixture, 1, "0000:80:00.0 020000 ixgbe, 10000:e1:00.0 010802 nvme");
}

static void on_one_cell_those_of_no_cell_are_its_too(void) {
        Tree *tree = tree_new();
        g_autoptr(Fixture) fixture = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        add_device(tree, "0000:00:00.0", "-1\n", NULL, NULL);
        add_device(tree, "0000:00:01.0", NULL, NULL, NULL);
        add_device(tree, "0000:00:02.0", "0\n", NULL, NULL);
        add_device(tree, "0000:00:03.0", "garbage\n", NULL, NULL);
        add_device(tree, "0000:00:04.0", "7\n", NULL, NULL);
        fixture = fixture_new(tree);
        assert_devices(fixture, 0, "0000:00:00.0 - -, 0000:00:01.0 - -, 0000:00:02.0 - -, 0000:00:03.0 - -");
}

static void what_is_no_address_is_no_device(void) {
        static const char *const names[] = {
                "0000:00:00", "0000:00:00.00", "000:00:00.0", "0000-00-00.0", "0000:0g:00.0", "0000:00:00.0 ", "power",
                "0000000000000:00:00.0", ".0000:00:00.0", "\xff",
        };
        g_autoptr(Fixture) fixture = fixture_new(NULL);

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                tree_writef(fixture->tree, "0\n", BUS "/%s/numa_node", names[i]);
        tree_write(fixture->tree, BUS "/0000:00:00.0", "a file\n");
        tree_link(fixture->tree, BUS "/0000:00:00.1", "/sys/bus");
        tree_link(fixture->tree, BUS "/0000:00:00.2", "nowhere");
        tree_link(fixture->tree, BUS "/0000:00:00.3", "0000:00:00.3");
        assert_devices(fixture, 0, "");
}

static void a_senseless_part_is_left_out(void) {
        static const struct { const char *class, *driver, *wanted; } rows[] = {
                { "0x010601\n", "ahci", "0000:00:00.0 010601 ahci" },
                { "010601\n", "a/b/c", "0000:00:00.0 - c" },
                { "0x0106\n", "/", "0000:00:00.0 - -" },
                { "0x01060G\n", "with space", "0000:00:00.0 - -" },
                { "0x0106011\n", "name\n", "0000:00:00.0 - -" },
                { "0x01060A\n", "B\xfcro", "0000:00:00.0 - -" },
                { "", "../..", "0000:00:00.0 - .." },
                { "a class that is far too long to be one", "tab\t", "0000:00:00.0 - -" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Fixture) fixture = fixture_new(NULL);

                g_test_message("row %zu", i);
                add_device(fixture->tree, "0000:00:00.0", "0\n", rows[i].class, rows[i].driver);
                assert_devices(fixture, 0, rows[i].wanted);
        }
}

static void a_name_needs_an_alias_that_is_known(void) {
        static const char *const aliases[] = { NULL, "", "garbage", "pci:v0000FFFFd0000FFFFsv00000000sd00000000bc00sc00i00", "\xff\xfe" };

        for (size_t i = 0; i < ELEMENTSOF(aliases); i++) {
                g_autoptr(Fixture) fixture = fixture_new(NULL);
                PciDevice *devices;
                size_t n;

                add_device(fixture->tree, "0000:00:00.0", "0\n", NULL, NULL);
                if (aliases[i])
                        tree_write(fixture->tree, "sys/devices/pci0000:00/0000:00:00.0/modalias", aliases[i]);
                g_assert_cmpint(devices_list(host_find_cell(fixture->host, 0), &devices, &n), ==, 0);
                g_assert_cmpuint(n, ==, 1);
                g_assert_null(devices[0].name);
                devices_free(devices, n);
        }
}

static void no_bus_is_no_device_and_garbage_an_error(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        PciDevice *devices;
        size_t n;

        assert_devices(fixture, 0, "");
        tree_write(fixture->tree, BUS, "a file");
        g_assert_cmpint(devices_list(host_find_cell(fixture->host, 0), &devices, &n), ==, -ENOTDIR);
        tree_remove(fixture->tree, BUS);
        tree_link(fixture->tree, BUS, "/" BUS);
        g_assert_cmpint(devices_list(host_find_cell(fixture->host, 0), &devices, &n), ==, -EXDEV);
        g_assert_null(devices_free(NULL, 0));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/devices/devices-are-of-their-cell", devices_are_of_their_cell);
        g_test_add_func("/devices/on-one-cell-those-of-no-cell-are-its-too", on_one_cell_those_of_no_cell_are_its_too);
        g_test_add_func("/devices/what-is-no-address-is-no-device", what_is_no_address_is_no_device);
        g_test_add_func("/devices/a-senseless-part-is-left-out", a_senseless_part_is_left_out);
        g_test_add_func("/devices/a-name-needs-an-alias-that-is-known", a_name_needs_an_alias_that_is_known);
        g_test_add_func("/devices/no-bus-is-no-device-and-garbage-an-error", no_bus_is_no_device_and_garbage_an_error);
        return g_test_run();
}
