/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest.h"
#include "control.h"
#include "harness.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

/* tsc=unstable: a change of the clock source, some two seconds after the start, stops all
 * CPUs, and one that is brought online at that moment hangs the emulated machine. */
#define KERNEL_ARGUMENTS "console=ttyS0 quiet loglevel=3 panic=-1 nokaslr mitigations=off audit=0 cryptomgr.notests random.trust_cpu=1 no_timer_check tsc=unstable"

/* No guest outlives the test that started it. */
static void die_with_parent(gpointer userdata) {
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static char *kernel_folder(void) {
        const char *folder = g_getenv("BERTH_GUEST_KERNEL");
        char *path = folder ? g_strdup(folder) : g_build_filename(g_getenv("BERTH_BUILD_ROOT"), "guest-kernel", NULL);

        if (!g_file_test(path, G_FILE_TEST_IS_DIR))
                g_error("there is no kernel for guests in %s: run tools/fetch-guest-kernel", path);
        return path;
}

static void make_initramfs(const char *kernel, const char *path) {
        g_autofree char *program = g_build_filename(g_getenv("BERTH_SOURCE_ROOT"), "tools", "guest", "make-initramfs", NULL);
        g_autoptr(GSubprocess) process = NULL;
        g_autoptr(GError) error = NULL;

        process = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, &error, program, kernel, path, NULL);
        g_assert_no_error(error);
        g_subprocess_wait_check(process, NULL, &error);
        g_assert_no_error(error);
}

static void on_line(GObject *source, GAsyncResult *result, gpointer userdata) {
        g_autoptr(GError) error = NULL;
        g_autofree char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, &error);
        BootedGuest *guest = userdata;

        if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
                return;
        if (!line) {
                guest->silent = TRUE;
                return;
        }
        g_string_append_printf(guest->said, "%s\n", line);
        if (g_str_has_prefix(line, "guest ready"))
                guest->ready = TRUE;
        g_data_input_stream_read_line_async(guest->console, G_PRIORITY_DEFAULT, guest->cancellable, on_line, guest);
}

static gboolean is_up_or_gone(gpointer userdata) {
        const BootedGuest *guest = userdata;

        return guest->ready || guest->silent;
}

static void add(GPtrArray *argv, const char *const *arguments) {
        for (; *arguments; arguments++)
                g_ptr_array_add(argv, g_strdup(*arguments));
}

static void add_vcpus(GPtrArray *argv, unsigned n_vcpus, unsigned maximum) {
        GString *cells[] = { g_string_new("node,nodeid=0,memdev=m0"), g_string_new("node,nodeid=1,memdev=m1") };

        g_ptr_array_add(argv, g_strdup("-smp"));
        g_ptr_array_add(argv, g_strdup_printf("%u,sockets=%u,cores=1,threads=1,maxcpus=%u", n_vcpus, maximum, maximum));
        for (unsigned i = 0; i < maximum; i++)
                g_string_append_printf(cells[i % 2], ",cpus=%u", i);
        for (unsigned i = 0; i < 2; i++) {
                g_ptr_array_add(argv, g_strdup("-object"));
                g_ptr_array_add(argv, g_strdup_printf("memory-backend-ram,id=m%u,size=96M", i));
                g_ptr_array_add(argv, g_strdup("-numa"));
                g_ptr_array_add(argv, g_string_free(cells[i], FALSE));
        }
}

/* Its monitor is the last thing that it makes: what sees that, sees the rest. */
static void add_sockets(GPtrArray *argv, const char *folder) {
        g_ptr_array_add(argv, g_strdup("-chardev"));
        g_ptr_array_add(argv, g_strdup_printf("socket,id=qga,path=%s/qga.sock,server=on,wait=off", folder));
        add(argv, (const char *[]) { "-device", "virtio-serial", "-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0", NULL });
        for (unsigned i = 0; i < 2; i++) {
                g_ptr_array_add(argv, g_strdup("-qmp"));
                g_ptr_array_add(argv, g_strdup_printf("unix:%s/%s.sock,server=on,wait=off", folder, i == 0 ? "control" : "qmp"));
        }
}

BootedGuest *booted_guest_start(const char *runtime_dir, const char *name, unsigned n_vcpus, unsigned maximum, gboolean lazy) {
        BootedGuest *guest = g_new0(BootedGuest, 1);
        g_autofree char *kernel = kernel_folder(), *image = g_build_filename(kernel, "vmlinuz", NULL), *initramfs = NULL;
        g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;

        guest->folder = g_build_filename(runtime_dir, "domains", name, NULL);
        guest->said = g_string_new(NULL);
        guest->cancellable = g_cancellable_new();
        g_assert_cmpint(g_mkdir_with_parents(guest->folder, 0755), ==, 0);
        initramfs = g_build_filename(guest->folder, "initramfs", NULL);
        make_initramfs(kernel, initramfs);

        add(argv, (const char *[]) { "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "pc", "-m", "192",
                                     "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
                                     "-kernel", image, "-initrd", initramfs, "-append", lazy ? KERNEL_ARGUMENTS " lazy" : KERNEL_ARGUMENTS, NULL });
        add_vcpus(argv, n_vcpus, maximum);
        add_sockets(argv, guest->folder);
        g_ptr_array_add(argv, NULL);
        g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
        guest->process = g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
        g_assert_no_error(error);

        guest->console = g_data_input_stream_new(g_subprocess_get_stdout_pipe(guest->process));
        g_data_input_stream_read_line_async(guest->console, G_PRIORITY_DEFAULT, guest->cancellable, on_line, guest);
        wait_until(is_up_or_gone, guest);
        if (!guest->ready)
                g_error("the guest %s did not start; it said: %s", name, guest->said->str);
        return guest;
}

static gboolean is_cancelled(gpointer userdata) {
        const BootedGuest *guest = userdata;

        return guest->silent || !g_input_stream_has_pending(G_INPUT_STREAM(guest->console));
}

void booted_guest_free(BootedGuest *guest) {
        g_autoptr(GError) error = NULL;

        g_cancellable_cancel(guest->cancellable);
        wait_until(is_cancelled, guest);
        g_subprocess_send_signal(guest->process, SIGKILL);
        g_subprocess_wait(guest->process, NULL, &error);
        g_assert_no_error(error);
        g_object_unref(guest->console);
        g_object_unref(guest->cancellable);
        g_object_unref(guest->process);
        g_string_free(guest->said, TRUE);
        g_free(guest->folder);
        g_free(guest);
}

void booted_guest_control(const BootedGuest *guest, const char *command, const char *arguments) {
        control_send(guest->folder, command, arguments);
}
