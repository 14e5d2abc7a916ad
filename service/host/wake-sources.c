/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "wake.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "lib/sysfs.h"
#include "lib/text.h"

/* The walk goes down the real folders of sysfs and follows no link. A recorded machine may
 * be made of anything, so it has bounds: they are far from what a kernel shows. */
#define DEPTH_MAX 24u
#define FOLDERS_MAX 65536u
#define SOURCES_MAX 1024u
#define PATH_BYTES 1024u

typedef struct Walk {
        WakeSources found;
        size_t n_folders;
        char path[PATH_BYTES];          /* of the folder that is looked at */
        size_t length;
} Walk;

static void wake_source_clear(WakeSource *source) {
        free(source->device);
        free(source->mac);
        *source = (WakeSource) {};
}

void wake_sources_clear(WakeSources *sources) {
        for (size_t i = 0; i < sources->n_items; i++)
                wake_source_clear(sources->items + i);
        free(sources->items);
        *sources = (WakeSources) {};
}

static bool begins_with(const char *text, const char *start) {
        return strncmp(text, start, strlen(start)) == 0;
}

/* The last part of where a link leads: that of "subsystem", "driver". */
static const char *link_name(int dir_fd, const char *link, char *buffer, size_t size) {
        ssize_t n = readlinkat(dir_fd, link, buffer, size - 1);
        const char *slash;

        if (n < 0)
                return "";
        buffer[n] = 0;
        slash = strrchr(buffer, '/');
        return slash ? slash + 1 : buffer;
}

static bool is_folder(int dir_fd, const char *name) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode);
}

static bool is_mac(const char *text) {
        size_t n = strlen(text);

        /* Ethernet's 6 bytes; InfiniBand has 20. */
        if (n % 3 != 2 || n < 17 || n > 59)
                return false;
        for (size_t i = 0; i < n; i++)
                if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char) text[i]))
                        return false;
        return true;
}

static int compare_names(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_names(struct dirent **names, int n) {
        for (int i = 0; i < n; i++)
                free(names[i]);
        free(names);
}

/* The address of the first card in a device's net/. Returns 0 without one, -ENODEV if
 * this is no network device. */
static int read_network(int dir_fd, const char *net, char **ret_mac) {
        struct dirent **names = NULL;
        char path[600], text[64];
        int n, r = 0;

        if (!is_folder(dir_fd, net))
                return -ENODEV;
        n = scandirat(dir_fd, net, &names, NULL, compare_names);
        if (n < 0)
                return 0;
        for (int i = 0; i < n && !*ret_mac && r >= 0; i++) {
                if (names[i]->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof path, "%s/%s/address", net, names[i]->d_name);
                if (sysfs_read(dir_fd, path, text, sizeof text) > 0 && is_mac(text)) {
                        *ret_mac = strdup(text);
                        if (!*ret_mac)
                                r = -ENOMEM;
                }
        }
        free_names(names, n);
        return r;
}

/* A card is in the device itself, or in a part of it that has no arming of its own: a
 * virtio device of a PCI function, an interface of a USB device. */
static int find_network(int dir_fd, const char *name, char **ret_mac) {
        struct dirent **names = NULL;
        int n, r;

        r = read_network(dir_fd, "net", ret_mac);
        if (r != -ENODEV)
                return r;
        n = scandirat(dir_fd, ".", &names, NULL, compare_names);
        if (n < 0)
                return -ENODEV;
        for (int i = 0; i < n && r == -ENODEV; i++) {
                const char *part = names[i]->d_name;
                char net[300];

                if (!begins_with(part, "virtio") && !(begins_with(part, name) && part[strlen(name)] == ':'))
                        continue;
                snprintf(net, sizeof net, "%s/net", part);
                r = read_network(dir_fd, net, ret_mac);
        }
        free_names(names, n);
        return r;
}

/* The names that ACPI has for buttons and lids. */
static const struct { const char *start, *kind; } acpi_names[] = {
        { "PNP0C0C", "button" },        /* power */
        { "PNP0C0E", "button" },        /* sleep */
        { "LNXPWRBN", "button" },
        { "LNXSLPBN", "button" },
        { "PNP0C0D", "lid" },
};

/* The class of a PCI device that is a USB controller. */
#define PCI_CLASS_USB "0x0c03"

static int find_kind(int dir_fd, const char *path, const char **ret_kind, char **ret_mac) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        char link[PATH_BYTES], class[32];
        int r;

        *ret_kind = "other";
        for (size_t i = 0; i < ELEMENTSOF(acpi_names); i++)
                if (begins_with(name, acpi_names[i].start)) {
                        *ret_kind = acpi_names[i].kind;
                        return 0;
                }
        /* The alarm timer that the kernel hangs below a clock is the clock again. */
        if (is_folder(dir_fd, "rtc") || strstr(path, "/rtc/rtc")) {
                *ret_kind = "rtc";
                return 0;
        }
        if (strcmp(link_name(dir_fd, "driver", link, sizeof link), "gpio-keys") == 0) {
                *ret_kind = "button";
                return 0;
        }
        r = find_network(dir_fd, name, ret_mac);
        if (r != -ENODEV) {
                *ret_kind = "network";
                return r;
        }
        if (strcmp(link_name(dir_fd, "subsystem", link, sizeof link), "usb") == 0 ||
            (sysfs_read(dir_fd, "class", class, sizeof class) > 0 && begins_with(class, PCI_CLASS_USB)))
                *ret_kind = "usb";
        return 0;
}

/* Takes the device in if it can wake the host at all. */
static int look_at_device(Walk *walk, int dir_fd) {
        WakeSource source = {};
        WakeSource *items;
        char text[32];
        int r;

        if (sysfs_read(dir_fd, "power/wakeup", text, sizeof text) < 0)
                return 0;
        source.enabled = strcmp(text, "enabled") == 0;
        if (!source.enabled && strcmp(text, "disabled") != 0)
                return 0;

        r = find_kind(dir_fd, walk->path, &source.kind, &source.mac);
        items = r < 0 ? NULL : reallocarray(walk->found.items, walk->found.n_items + 1, sizeof *items);
        if (items)
                walk->found.items = items;
        source.device = items ? strdup(walk->path) : NULL;
        if (!source.device) {
                wake_source_clear(&source);
                return r < 0 ? r : -ENOMEM;
        }
        text_make_printable(source.device);
        walk->found.items[walk->found.n_items++] = source;
        return 0;
}

/* Folders that hold no device that wakes: CPUs and memory, which are many, and what
 * is no hardware. */
static bool is_passed_over(const Walk *walk, const char *name) {
        if (name[0] == '.' || strcmp(name, "power") == 0)
                return true;
        return walk->length == 0 && (strcmp(name, "system") == 0 || strcmp(name, "virtual") == 0);
}

/* Looks at the folder "dir_fd", which becomes the walk's, and at all below it. */
static int walk_folder(Walk *walk, int dir_fd, unsigned depth) {
        _cleanup_closedir_ DIR *dir = NULL;
        int r;

        dir = fdopendir(dir_fd);
        if (!dir) {
                r = -errno;
                (void) close(dir_fd);
                return r;
        }
        if (depth > 0) {
                r = look_at_device(walk, dir_fd);
                if (r < 0)
                        return r;
        }
        if (depth >= DEPTH_MAX)
                return 0;

        for (;;) {
                struct dirent *entry = readdir(dir);
                size_t length = walk->length;
                int n, fd;

                /* A device that goes while we are at it takes its folder along. */
                if (!entry || walk->n_folders >= FOLDERS_MAX || walk->found.n_items >= SOURCES_MAX)
                        return 0;
                if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) || is_passed_over(walk, entry->d_name))
                        continue;
                n = snprintf(walk->path + length, PATH_BYTES - length, "%s%s", length > 0 ? "/" : "", entry->d_name);
                if (n < 0 || (size_t) n >= PATH_BYTES - length) {
                        walk->path[length] = 0;
                        continue;
                }
                fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (fd >= 0) {
                        walk->n_folders++;
                        walk->length = length + (size_t) n;
                        r = walk_folder(walk, fd, depth + 1);
                        walk->length = length;
                        if (r < 0)
                                return r;
                }
                walk->path[length] = 0;
        }
}

static int compare_sources(const void *a, const void *b) {
        return strcmp(((const WakeSource *) a)->device, ((const WakeSource *) b)->device);
}

int wake_sources_read(int root_fd, WakeSources *ret) {
        Walk walk = {};
        int fd, r;

        fd = sysfs_open_dir(root_fd, "sys/devices");
        if (fd == -ENOENT || fd == -ENOTDIR) {
                *ret = (WakeSources) {};
                return 0;
        }
        if (fd < 0)
                return fd;
        r = walk_folder(&walk, fd, 0);
        if (r < 0) {
                wake_sources_clear(&walk.found);
                return r;
        }
        if (walk.found.n_items > 0)
                qsort(walk.found.items, walk.found.n_items, sizeof *walk.found.items, compare_sources);

        *ret = walk.found;
        return 0;
}
