/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The kernel's announcements: which concern us, that only the kernel's count, and
 * that a real one arrives. For the last two we must be root on a kernel of our
 * own. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/uevent.h"

#define CPU0_UEVENT "/sys/devices/system/cpu/cpu0/uevent"

#define MESSAGE(text) text, sizeof text - 1

static const struct { const char *text; size_t length; bool concerns; } rows[] = {
        { MESSAGE("offline@/devices/system/cpu/cpu1\0ACTION=offline\0DEVPATH=/devices/system/cpu/cpu1\0SUBSYSTEM=cpu\0SEQNUM=1\0"), true },
        { MESSAGE("online@/devices/system/memory/memory32\0SUBSYSTEM=memory\0"), true },
        { MESSAGE("add@/devices/system/node/node1\0SUBSYSTEM=node\0"), true },
        { MESSAGE("SUBSYSTEM=cpu"), true },                     /* the last field need not end */
        { MESSAGE("x\0SUBSYSTEM=cpu"), true },
        { MESSAGE("add@/devices/pci\0SUBSYSTEM=pci\0"), false },
        { MESSAGE("add@/x\0SUBSYSTEM=cpuid\0"), false },
        { MESSAGE("add@/x\0SUBSYSTEM=cp\0"), false },
        { MESSAGE("add@/x\0SUBSYSTEM=\0"), false },
        { MESSAGE("add@/x\0SUBSYSTEM"), false },
        { MESSAGE("add@/x\0subsystem=cpu\0"), false },
        { MESSAGE("add@/x\0XSUBSYSTEM=cpu\0"), false },
        { MESSAGE("add@/x\0SUBSYSTEM=CPU\0"), false },
        { MESSAGE("add@/x\0SUBSYSTEM=block\0SUBSYSTEM=cpu\0"), false },         /* the first counts */
        { MESSAGE("add@/devices/system/cpu/cpu1\0"), false },
        { MESSAGE("\0\0\0\0SUBSYSTEM=cpu\0"), true },
        { MESSAGE("\0\0\0\0"), false },
        { MESSAGE("\xff\xfe\xfd"), false },
        { MESSAGE(""), false },
};

static void cpus_memory_and_cells_concern_us(void) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                /* In memory of just that length: nothing behind it is looked at. */
                g_autofree char *message = g_memdup2(rows[i].text, rows[i].length);

                g_test_message("row %zu", i);
                g_assert_cmpint(uevent_concerns_host(message, rows[i].length), ==, rows[i].concerns);
        }
}

/* Every length that a message could be cut to. */
static void a_message_may_end_anywhere(void) {
        static const char text[] = "add@/x\0ACTION=add\0SUBSYSTEM=memory\0SEQNUM=1";

        for (size_t length = 0; length < sizeof text; length++) {
                g_autofree char *message = g_memdup2(text, length);

                g_assert_cmpint(uevent_concerns_host(message, length), ==, length >= strlen("add@/x") + 1 + strlen("ACTION=add") + 1 + strlen("SUBSYSTEM=memory"));
        }
}

static void count_one(void *userdata) {
        (*(unsigned *) userdata)++;
}

/* A member of the group as the monitor is, which sees all that arrives. */
static int listen_to_group(void) {
        const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(bind(fd, (const struct sockaddr *) &address, sizeof address), ==, 0);
        return fd;
}

/* Reads all that waits. Counts ours, and tells whether the kernel spoke too. */
static unsigned read_all(int fd, bool *ret_kernel) {
        unsigned n_ours = 0;

        *ret_kernel = false;
        for (;;) {
                struct sockaddr_nl sender;
                socklen_t length = sizeof sender;
                char buffer[8192];

                if (recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *) &sender, &length) < 0)
                        return n_ours;
                if (sender.nl_pid == 0)
                        *ret_kernel = true;
                else
                        n_ours++;
        }
}

static void messages_of_processes_are_not_heard(void) {
        static const char text[] = "offline@/devices/system/cpu/cpu1\0ACTION=offline\0SUBSYSTEM=cpu";
        const struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        bool kernel = true;

        /* Again, if a real one came in between. */
        for (unsigned round = 0; round < 100 && kernel; round++) {
                _cleanup_(uevent_monitor_freep) UeventMonitor *monitor = NULL;
                _cleanup_close_ int witness = listen_to_group(), sender = -1;
                _cleanup_(sd_event_unrefp) sd_event *event = NULL;
                unsigned n_heard = 0;

                g_assert_cmpint(sd_event_new(&event), >=, 0);
                g_assert_cmpint(uevent_monitor_new(event, count_one, &n_heard, &monitor), ==, 0);
                sender = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
                if (sendto(sender, text, sizeof text, 0, (const struct sockaddr *) &group, sizeof group) < 0) {
                        /* The kernel keeps us out itself. */
                        g_assert_true(errno == EPERM || errno == ECONNREFUSED);
                        return;
                }
                /* It has been delivered when sendto() returns. */
                while (sd_event_run(event, 0) > 0)
                        ;
                g_assert_cmpuint(read_all(witness, &kernel), ==, 1);
                if (!kernel)
                        g_assert_cmpuint(n_heard, ==, 0);
        }
        g_assert_false(kernel);
}

static void the_kernel_is_heard(void) {
        _cleanup_(uevent_monitor_freep) UeventMonitor *monitor = NULL;
        _cleanup_close_ int fd = open(CPU0_UEVENT, O_WRONLY | O_CLOEXEC);
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        unsigned n_heard = 0;

        if (fd < 0) {
                g_test_skip("the kernel cannot be asked for an announcement here: " CPU0_UEVENT " is not writable");
                return;
        }
        g_assert_cmpint(sd_event_new(&event), >=, 0);
        g_assert_cmpint(uevent_monitor_new(event, count_one, &n_heard, &monitor), ==, 0);

        /* Whatever waits is told as one. */
        for (unsigned i = 0; i < 10; i++)
                g_assert_cmpint(write(fd, "change", 6), ==, 6);
        while (n_heard == 0)
                g_assert_cmpint(sd_event_run(event, UINT64_MAX), >=, 0);
        while (sd_event_run(event, 0) > 0)
                ;
        g_assert_cmpuint(n_heard, <, 10);
}

/* More than the socket holds: some are lost, one is heard, and so are later ones. */
static void a_flood_does_not_deafen(void) {
        _cleanup_(uevent_monitor_freep) UeventMonitor *monitor = NULL;
        _cleanup_close_ int fd = open(CPU0_UEVENT, O_WRONLY | O_CLOEXEC);
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        unsigned n_heard = 0;

        if (fd < 0) {
                g_test_skip("the kernel cannot be asked for an announcement here: " CPU0_UEVENT " is not writable");
                return;
        }
        g_assert_cmpint(sd_event_new(&event), >=, 0);
        g_assert_cmpint(uevent_monitor_new(event, count_one, &n_heard, &monitor), ==, 0);
        for (unsigned i = 0; i < 3000; i++)
                g_assert_cmpint(write(fd, "change", 6), ==, 6);
        while (n_heard == 0)
                g_assert_cmpint(sd_event_run(event, UINT64_MAX), >=, 0);
        while (sd_event_run(event, 0) > 0)
                ;
        /* And it goes on hearing. */
        n_heard = 0;
        g_assert_cmpint(write(fd, "change", 6), ==, 6);
        while (n_heard == 0)
                g_assert_cmpint(sd_event_run(event, UINT64_MAX), >=, 0);
}

static void no_monitor_is_freed_too(void) {
        g_assert_null(uevent_monitor_free(NULL));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/uevent/cpus-memory-and-cells-concern-us", cpus_memory_and_cells_concern_us);
        g_test_add_func("/uevent/a-message-may-end-anywhere", a_message_may_end_anywhere);
        g_test_add_func("/uevent/messages-of-processes-are-not-heard", messages_of_processes_are_not_heard);
        g_test_add_func("/uevent/the-kernel-is-heard", the_kernel_is_heard);
        g_test_add_func("/uevent/a-flood-does-not-deafen", a_flood_does_not_deafen);
        g_test_add_func("/uevent/no-monitor-is-freed-too", no_monitor_is_freed_too);
        return g_test_run();
}
