/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "uevent.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define KERNEL_GROUP 1u
#define MESSAGE_BYTES 8192

struct UeventMonitor {
        sd_event_source *source;
        void (*changed)(void *);
        void *userdata;
};

bool uevent_concerns_host(const char *message, size_t length) {
        static const char key[] = "SUBSYSTEM=";
        static const char *const subsystems[] = { "cpu", "memory", "node" };

        for (const char *field = message, *end = message + length; field < end;) {
                size_t n = strnlen(field, (size_t) (end - field));

                if (n > sizeof key - 1 && memcmp(field, key, sizeof key - 1) == 0) {
                        const char *value = field + sizeof key - 1;
                        size_t value_length = n - (sizeof key - 1);

                        for (size_t i = 0; i < ELEMENTSOF(subsystems); i++)
                                if (value_length == strlen(subsystems[i]) && memcmp(value, subsystems[i], value_length) == 0)
                                        return true;
                        return false;
                }
                field += n + 1;
        }
        return false;
}

/* What the kernel leaves away before it wakes us: a machine whose guests come and
 * go has uevents all the time, and few are ours. A message begins with
 * ACTION@DEVPATH; CPUs, memory and nodes are all below /devices/system/. What lets
 * too much through only costs a look (see above), so an action of a length that is
 * new to us passes. */
#define FOUR(a, b, c, d) ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8 | (uint32_t) (d))
#define IF_AT(position, skip) \
        BPF_STMT(BPF_LDX | BPF_IMM, position), \
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, '@', skip, 0)
#define UNLESS(offset, four, skip) \
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, offset), \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, four, 0, skip)

static struct sock_filter concerns_host[] = {
        IF_AT(3, 10),                                           /* add */
        IF_AT(4, 7),                                            /* move, bind */
        IF_AT(6, 4),                                            /* remove, change, online, unbind */
        IF_AT(7, 1),                                            /* offline */
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        UNLESS(1, FOUR('/', 'd', 'e', 'v'), 10),
        UNLESS(5, FOUR('i', 'c', 'e', 's'), 8),
        UNLESS(9, FOUR('/', 's', 'y', 's'), 6),
        UNLESS(13, FOUR('t', 'e', 'm', '/'), 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 17),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FOUR('c', 'p', 'u', '/'), 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FOUR('m', 'e', 'm', 'o'), 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FOUR('n', 'o', 'd', 'e'), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
};

/* Everything that waits is read at once; one look at the machine serves it all. */
static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        UeventMonitor *monitor = userdata;
        bool concerned = false;

        for (;;) {
                char buffer[MESSAGE_BYTES];
                struct sockaddr_nl sender;
                struct iovec iovec = { .iov_base = buffer, .iov_len = sizeof buffer };
                struct msghdr header = {
                        .msg_name = &sender,
                        .msg_namelen = sizeof sender,
                        .msg_iov = &iovec,
                        .msg_iovlen = 1,
                };
                ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        /* Too many at once: some were lost, so look in any case. */
                        if (errno == ENOBUFS) {
                                concerned = true;
                                continue;
                        }
                        break;
                }
                /* Any process with CAP_NET_ADMIN may write to the group; the kernel's
                 * own port is 0, and nobody else can have that. */
                if (header.msg_namelen < sizeof sender || sender.nl_pid != 0 || sender.nl_groups != KERNEL_GROUP)
                        continue;
                if (!concerned)
                        concerned = (header.msg_flags & MSG_TRUNC) || uevent_concerns_host(buffer, (size_t) n);
        }

        if (concerned)
                monitor->changed(monitor->userdata);
        return 0;
}

int uevent_monitor_new(sd_event *event, void (*changed)(void *), void *userdata, UeventMonitor **ret) {
        _cleanup_(uevent_monitor_freep) UeventMonitor *monitor = NULL;
        const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP };
        const struct sock_fprog filter = { ELEMENTSOF(concerns_host), concerns_host };
        _cleanup_close_ int fd = -1;
        int r;

        monitor = calloc(1, sizeof *monitor);
        if (!monitor)
                return -ENOMEM;
        monitor->changed = changed;
        monitor->userdata = userdata;

        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
        if (fd >= 0)
                (void) setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
        if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof address) < 0)
                return -errno;
        r = sd_event_add_io(event, &monitor->source, fd, EPOLLIN, on_message, monitor);
        if (r < 0)
                return r;
        (void) sd_event_source_set_io_fd_own(monitor->source, 1);
        (void) TAKE_FD(fd);
        (void) sd_event_source_set_description(monitor->source, "uevents");

        *ret = TAKE_PTR(monitor);
        return 0;
}

UeventMonitor *uevent_monitor_free(UeventMonitor *monitor) {
        if (!monitor)
                return NULL;
        (void) sd_event_source_disable_unref(monitor->source);
        free(monitor);
        return NULL;
}
