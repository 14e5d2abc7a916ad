/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The running machine: the kernel's own notifications bring changes to clients. Its
 * CPUs and cells are files of ours, bound over the real ones in this test's mount
 * namespace, since no machine can be asked to lose a cell; the notifications are
 * real, and brought about by writing to a CPU's uevent file. */

#include "harness.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define TOPOLOGY "org.berth1.Host.Topology"
#define HOST_CHANGED HOST_PATH " org.freedesktop.DBus.Properties.PropertiesChanged ('" TOPOLOGY "'"

static char *real_sys;

static void bind_over(const char *from, const char *to) {
        if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
                g_error("cannot bind %s over %s: %s", from, to, g_strerror(errno));
}

static char *live_host(void) {
        static const char *const folders[] = { "sys/devices/system/cpu", "sys/devices/system/node", "proc/meminfo" };
        char *root = host_make();

        for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
                g_autofree char *from = g_build_filename(root, folders[i], NULL), *to = g_build_filename("/", folders[i], NULL);

                bind_over(from, to);
        }
        return root;
}

static void live_host_free(char *root) {
        static const char *const folders[] = { "/sys/devices/system/cpu", "/sys/devices/system/node", "/proc/meminfo" };

        for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
                g_assert_cmpint(umount2(folders[i], MNT_DETACH), ==, 0);
        host_remove(root, "");
        g_free(root);
}

/* The kernel says of a device that it changed; "device" is below /sys. */
static void notify(const char *device) {
        g_autofree char *path = g_build_filename(real_sys, device, "uevent", NULL);
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, "change", 6), ==, 6);
        g_assert_cmpint(close(fd), ==, 0);
}

static void kernel_notification_is_a_signal(void) {
        char *root = live_host();
        Service *service = service_start(NULL, NULL, NULL);
        Signals *signals = signals_record(service->bus);

        host_set_online(root, 3);
        notify("devices/system/cpu/cpu0");
        assert_says(signals_wait(signals, HOST_CHANGED), PARTS("'OnlineCpus': <'0-2'>", "'Generation': <uint64 2>"));
        host_set_online(root, 4);
        notify("devices/system/node/node0");
        signals_wait(signals, "'OnlineCpus': <'0-3'>");
        g_assert_cmpuint(signals_count(signals, HOST_CHANGED), ==, 2);

        signals_free(signals);
        service_stop(service);
        live_host_free(root);
}

static void flapping_cpu_leaves_the_last_state(void) {
        char *root = live_host();
        Service *service = service_start(NULL, NULL, NULL);
        Signals *signals = signals_record(service->bus);

        for (unsigned i = 0; i < 1000; i++) {
                host_set_online(root, 3 + i % 2);
                notify("devices/system/cpu/cpu0");
        }
        host_set_online(root, 2);
        notify("devices/system/cpu/cpu0");
        signals_wait(signals, "'OnlineCpus': <'0-1'>");
        /* Each reading is a signal at most, and each takes a twentieth of a second
         * of notifications together. */
        g_assert_cmpuint(signals_count(signals, HOST_CHANGED), <, 500);

        signals_free(signals);
        service_stop(service);
        live_host_free(root);
}

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;

        g_test_init(&argc, &argv, NULL);
        real_sys = g_dir_make_tmp("berth-sys-XXXXXX", &error);
        g_assert_no_error(error);
        bind_over("/sys", real_sys);
        g_test_add_func("/live/kernel-notification-is-a-signal", kernel_notification_is_a_signal);
        g_test_add_func("/live/flapping-cpu-leaves-the-last-state", flapping_cpu_leaves_the_last_state);
        {
                int status = g_test_run();

                g_assert_cmpint(umount2(real_sys, MNT_DETACH), ==, 0);
                g_assert_cmpint(rmdir(real_sys), ==, 0);
                g_free(real_sys);
                return status;
        }
}
