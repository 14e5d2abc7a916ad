/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qemu.h"
#include "control.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

char *monitor_path(const char *folder, const char *name) {
        g_autofree char *guest = g_build_filename(folder, "run", "domains", name, NULL);

        g_assert_cmpint(g_mkdir_with_parents(guest, 0755), ==, 0);
        return g_build_filename(guest, "qmp.sock", NULL);
}

GSubprocess *qemu_start(const char *folder, const char *name) {
        g_autofree char *monitor = monitor_path(folder, name), *qmp = g_strdup_printf("unix:%s,server=on,wait=off", monitor);
        g_autofree char *guest = g_path_get_dirname(monitor), *control = g_strdup_printf("unix:%s/control.sock,server=on,wait=off", guest);
        g_autoptr(GError) error = NULL;
        GSubprocess *process;

        process = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, &error,
                                   "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35", "-S", "-nodefaults", "-display", "none",
                                   "-m", "64", "-smp", "2,sockets=4,cores=1,threads=1,maxcpus=4", "-uuid", QEMU_UUID,
                                   "-object", "memory-backend-ram,id=m0,size=32M", "-object", "memory-backend-ram,id=m1,size=32M",
                                   "-numa", "node,nodeid=0,cpus=0,cpus=2,memdev=m0", "-numa", "node,nodeid=1,cpus=1,cpus=3,memdev=m1",
                                   "-qmp", control, "-qmp", qmp, NULL);
        g_assert_no_error(error);
        return process;
}

void qemu_kill(GSubprocess *process) {
        g_autoptr(GError) error = NULL;

        g_subprocess_send_signal(process, SIGKILL);
        g_subprocess_wait(process, NULL, &error);
        g_assert_no_error(error);
        g_object_unref(process);
}

void qemu_control(const char *folder, const char *name, const char *command) {
        g_autofree char *monitor = monitor_path(folder, name), *guest = g_path_get_dirname(monitor);

        control_send(guest, command, NULL);
}

void wait_for_vcpus(Service *service, const char *path, guint32 current) {
        for (;;) {
                g_autoptr(GVariant) value = get_property(service->bus, path, "org.berth1.Domain.Vcpus", "Current");

                if (g_variant_get_uint32(value) == current)
                        return;
                g_main_context_iteration(NULL, TRUE);
        }
}
